/** A run over a queue when machines, networks and Redis fail: real servers and processes, killed and stopped. */
import { once } from "node:events";
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer as createSocketServer } from "node:net";
import { join } from "node:path";
import { Queue, Worker } from "bullmq";
import { describe, expect, test } from "vitest";
import type { AnnotateSummary } from "../../src/annotate/summary.js";
import { KEY_PREFIX, queueNameOf } from "../../src/queue/connection.js";
import { loadModel } from "../../src/model/model.js";
import type { AtWork, StartOptions, Started } from "../helpers/command.js";
import { endAll, ownHost, sharedHost } from "../helpers/command.js";
import {
  JOBS,
  LONG,
  PER_IMAGE,
  WORKER_PRELOAD,
  endLeases,
  journaled,
  queueOf,
  queueWork,
  until,
} from "../queue/queue-work.js";
import { WORKER_OPTIONS } from "../queue/worker-options.js";
import type * as Decoders from "../../src/predict/decoder.js";
import type * as Addresses from "../../src/queue/address.js";
import type * as Workers from "../../src/queue/worker.js";
import type * as Secrets from "../../src/secret.js";
import { hasEnded, withThreads } from "../helpers/threads.js";
import type { RedisServer } from "../helpers/redis-server.js";
import { HAS_REDIS } from "../helpers/redis-server.js";
import { count, FaultCase, IS_FULL } from "./ledger.js";
import { TINY, annotateArgs, runSoundly } from "./small-run.js";

const SLOW = { TEST_SLOW_MS: "150" };

const work = queueWork();
const { newOut, server, problemsAfter, hostedWorker, hostedCoordinator, soundWorker, soundCoordinator } = work;
/** Of these one is killed, sent a signal, or looked at as a process. */
const worker = ({ url }: RedisServer, env: Readonly<Record<string, string>> = {}, ...more: string[]): Started =>
  work.worker(url, more, { env });
const coordinator = ({ url }: RedisServer, out: string, ...more: string[]): Started => work.coordinator(url, out, more);
const inTheMiddle = (out: string): Promise<void> => until(() => journaled(out) >= 8);

const problemsOf = async (run: AtWork, out: string): Promise<string[]> => problemsAfter(await run.ended, out);
/** Of a coordinator that nothing happens to. */
const soundProblems = async ({ url }: RedisServer, out: string, ...more: string[]): Promise<string[]> =>
  problemsAfter(await soundCoordinator(url, out, more), out);

/** A thread of the worker that draws ends after so many answers. */
const withoutThreadAfter = (answers: number): StartOptions => ({
  nodeOptions: ["--import", join(import.meta.dirname, "thread-end-preload.mjs")],
  env: { TEST_THREAD: "decoder-thread.js", TEST_WAY: "exit", TEST_MESSAGES: String(answers) },
});

/** A worker in this process, on the CPU, with a thread that cuts as beside kernels of our own. */
async function runCuttingWorker(
  { url }: RedisServer,
  note: (line: string) => void,
  signal = new AbortController().signal,
): Promise<unknown> {
  const built = join(import.meta.dirname, "..", "..", "dist");
  const { runWorker } = (await import(join(built, "queue", "worker.js"))) as typeof Workers;
  const { openBatchDecoder } = (await import(join(built, "predict", "decoder.js"))) as typeof Decoders;
  const { parseRedisAddress } = (await import(join(built, "queue", "address.js"))) as typeof Addresses;
  const { Secret } = (await import(join(built, "secret.js"))) as typeof Secrets;
  const options = {
    queue: parseRedisAddress(new Secret(url)),
    queueTimeoutMs: 60_000,
    images: work.data.images,
    model: TINY,
    ...WORKER_OPTIONS,
  };
  return runWorker(options, { signal, note }, async (model, asked) => {
    const { decoder, passedOver } = await openBatchDecoder(model, asked);
    return { decoder: { ...decoder, name: "wgsl" }, passedOver };
  });
}

function survives(fault: string, problems: readonly string[]): void {
  const faults = new FaultCase(`queue: ${fault}`);
  faults.add(problems);
  faults.note();
  expect(faults.losses).toEqual([]);
}

describe.skipIf(!HAS_REDIS)("a run over a queue ends in the files of a run on one machine", () => {
  test(
    "undisturbed, with two workers",
    async () => {
      const at = await server();
      for (const how of [{}, { host: sharedHost() }]) hostedWorker(at.url, [], how); // in two processes
      const out = newOut();
      survives("nothing", await soundProblems(at, out));
    },
    LONG,
  );

  test(
    "when a worker is killed outright in the middle of a job",
    async () => {
      const at = await server();
      const out = newOut();
      const victim = worker(at, { TEST_SLOW_MS: "3000" });
      const run = soundProblems(at, out);
      await until(async () => ((await queueOf(at.url))?.active ?? 0) > 0);
      victim.child.kill("SIGKILL");
      soundWorker(at.url);
      survives("kill -9 of a worker in the middle of a job", await run);
    },
    LONG,
  );

  test(
    "when a thread of a worker ends in the middle of a job: it gives back what it has and ends with an error",
    async () => {
      const at = await server();
      const out = newOut();
      const victim = work.worker(at.url, ["--threads", "2", "--json"], withoutThreadAfter(3));
      const run = hostedCoordinator(at.url, out);
      const { code, stdout, stderr } = await victim.ended;
      expect(code, stderr).toBe(69);
      expect(JSON.parse(stdout)).toMatchObject({
        code: "E_UNAVAILABLE",
        message: "a thread that draws has ended with exit code 7; the worker's jobs went back to the queue",
        hint: "Start the worker again.",
      });
      expect(await queueOf(at.url)).toMatchObject({ active: 0, failed: 0, delayed: 0, workers: [] });
      soundWorker(at.url);
      survives("a thread that draws ends in a worker", await problemsOf(run, out));
    },
    LONG,
  );

  test(
    "when threads of as many workers as there are attempts end with a job: it is set aside, and drawn image by image",
    async () => {
      const at = await server();
      const out = newOut();
      const run = hostedCoordinator(at.url, out, ["--attempts", "2"]);
      for (let dead = 0; dead < 2; dead++) {
        const { code, stderr } = await work.worker(at.url, ["--threads", "2"], withoutThreadAfter(1)).ended;
        expect(code, stderr).toBe(69);
      }
      soundWorker(at.url);
      await run.says("2 workers died or stalled with it");
      survives("threads of two workers end with a job", await problemsOf(run, out));
    },
    LONG,
  );

  test(
    "with a worker that cuts in threads",
    async () => {
      const at = await server();
      const out = newOut();
      const stop = new AbortController();
      const working = runCuttingWorker(at, () => undefined, stop.signal);
      const problems = await soundProblems(at, out);
      stop.abort();
      expect(await working).toMatchObject({ jobs: JOBS, rejected: 0, givenBack: 0 });
      survives("nothing, in a worker that cuts in threads", problems);
    },
    LONG,
  );

  test(
    "when a thread that cuts has ended in a worker: the first job that needs it goes back, and the worker ends",
    async () => {
      const at = await server();
      const out = newOut();
      const run = hostedCoordinator(at.url, out);
      const notes: string[] = [];
      const worker = withThreads(async (started) => {
        const working = runCuttingWorker(at, (line) => {
          notes.push(line);
          if (line.includes("waiting for jobs")) void started[0]!.terminate();
        });
        await expect(working).rejects.toMatchObject({
          code: "E_UNAVAILABLE",
          message: expect.stringMatching(
            /^thread 1 of 1 that cut crops has ended .* went back to the queue$/,
          ) as string,
        });
        expect(started.map(hasEnded)).toEqual([true]);
      });
      await worker;
      expect(notes.filter((line) => line.startsWith("job "))).toEqual([]); // none has failed
      expect(await queueOf(at.url)).toMatchObject({ active: 0, failed: 0, delayed: 0, workers: [] });
      soundWorker(at.url);
      survives("a thread that cuts ends in a worker", await problemsOf(run, out));
    },
    LONG,
  );

  test(
    "when a worker is asked to stop: it finishes its batch, gives back the rest and ends with 0",
    async () => {
      const at = await server();
      const out = newOut();
      const leaving = worker(at, { TEST_SLOW_MS: "500" }, "--concurrency", "4", "--json");
      const run = soundProblems(at, out);
      await until(async () => ((await queueOf(at.url))?.active ?? 0) >= 3);
      leaving.child.kill("SIGTERM");
      const ended = await leaving.ended;
      expect(ended.code, ended.stderr).toBe(0);
      expect(JSON.parse(ended.stdout)).toMatchObject({ type: "worker-summary", failed: 0 });
      expect((JSON.parse(ended.stdout) as { givenBack: number }).givenBack).toBeGreaterThan(0);
      expect(await queueOf(at.url)).toMatchObject({ active: 0, failed: 0, workers: [] });
      soundWorker(at.url);
      survives("SIGTERM to a worker", await run);
    },
    LONG,
  );

  test(
    "when the coordinator is killed outright and started again with --resume",
    async () => {
      const at = await server();
      const out = newOut();
      hostedWorker(at.url, [], { env: SLOW });
      const first = coordinator(at, out);
      await inTheMiddle(out);
      // A result that is journaled but not yet taken off the server would stay there for its day.
      await until(async () => (await queueOf(at.url))?.completed === 0);
      first.child.kill("SIGKILL");
      await first.ended;
      if (!IS_FULL) await endLeases(at);
      survives("kill -9 of the coordinator, --resume", await soundProblems(at, out, "--resume"));
      expect(await queueOf(at.url)).toMatchObject({ waiting: 0, completed: 0, failed: 0 });
    },
    LONG,
  );

  test.each([
    {
      fault: "Redis killed and restarted with its append-only file",
      settings: ["--appendonly", "yes", "--appendfsync", "always"],
    },
    { fault: "Redis killed and restarted without its data", settings: [] },
  ])(
    "when $fault",
    async ({ fault, settings }) => {
      const at = await server(...settings);
      const out = newOut();
      hostedWorker(at.url, [], { env: SLOW });
      const run = soundProblems(at, out);
      await inTheMiddle(out);
      await at.restart();
      survives(fault, await run);
    },
    LONG,
  );

  test(
    "when Redis is full: the run says so and ends, and --resume goes on when there is room",
    async () => {
      const at = await server("--maxmemory-policy", "noeviction");
      const out = newOut();
      // Full before the first job: jobs that stand in the queue already may still be finished by a full server.
      await at.client.config("SET", "maxmemory", "1");
      const ended = await soundCoordinator(at.url, out);
      expect(ended.code, ended.stderr).toBe(69);
      expect(ended.stderr).toContain("the server is full");
      expect(ended.stderr).toContain("--resume");
      await at.client.config("SET", "maxmemory", "0");
      soundWorker(at.url);
      survives("Redis full (maxmemory), then --resume", await soundProblems(at, out, "--resume"));
    },
    LONG,
  );

  test(
    "when Redis hangs: the run ends after its time limit with words, and --resume goes on",
    async () => {
      const at = await server();
      const out = newOut();
      hostedWorker(at.url, [], { env: SLOW });
      const run = soundCoordinator(at.url, out, ["--queue-timeout", "3"]);
      await inTheMiddle(out);
      at.signal("SIGSTOP");
      const ended = await run;
      expect(ended.code, ended.stderr).toBe(69);
      expect(ended.stderr).toContain("expected an answer within 3 s but received none");
      at.signal("SIGCONT");
      await endLeases(at);
      survives("Redis hangs (SIGSTOP), then --resume", await soundProblems(at, out, "--resume"));
    },
    LONG,
  );

  test(
    "when a second coordinator of the same run is started: it is refused and changes nothing",
    async () => {
      const at = await server();
      const out = newOut();
      const run = hostedCoordinator(at.url, out);
      await until(async () => ((await queueOf(at.url))?.waiting ?? 0) > 0);
      const second = await soundCoordinator(at.url, newOut());
      expect(second.code, second.stderr).toBe(69);
      expect(second.stderr).toMatch(/expected to be its only coordinator but process \d+ on .* is at work/);
      soundWorker(at.url);
      survives("two coordinators for one run", await problemsOf(run, out));
    },
    LONG,
  );

  test(
    "when an image kills every worker that opens it: only its instances fail, with a reason; once mended, --resume draws them",
    async () => {
      const at = await server();
      const out = newOut();
      // The image in one job: in two, twice as many workers die of it.
      const words = ["--batch-size", String(count(4, PER_IMAGE))];
      const run = soundCoordinator(at.url, out, [...words, "--json", "--attempts", "2"]);
      let deaths = 0;
      const over = new AbortController();
      const supervise = (async () => {
        // as a cluster starts a crashed worker again
        while (!over.signal.aborted)
          if ((await worker(at, { TEST_POISON: "lake.jpg" }).ended).signal === "SIGKILL") deaths++;
      })();
      const ended = await run;
      over.abort();
      endAll();
      await supervise;
      expect(ended.code, ended.stderr).toBe(1);
      const summary = JSON.parse(ended.stdout) as AnnotateSummary;
      expect(summary.failedByReason).toMatchObject({ "worker-failed": PER_IMAGE });
      expect(summary.failures.find(({ reason }) => reason === "worker-failed")?.message).toMatch(
        /set aside after 2 attempts and one of its image alone: .*died or stalled/,
      );
      expect(deaths).toBeGreaterThanOrEqual(3);
      soundWorker(at.url);
      survives("a poison image, then --resume without it", await soundProblems(at, out, "--resume"));
    },
    2 * LONG,
  );

  test(
    "when clocks differ by an hour: a retry set by a clock ahead is not waited for",
    async () => {
      const at = await server();
      let answers = 0;
      const images = createServer((request, response) => {
        if (answers++ < 2) response.writeHead(503).end();
        else response.end(readFileSync(join(work.data.images, decodeURIComponent(request.url!.slice(1)))));
      }).listen(0, "127.0.0.1");
      await once(images, "listening");
      const out = newOut();
      // Wall clocks are Date.now of each process; Redis keeps its own. The coordinator is an hour ahead, then one
      // worker too, another an hour behind.
      const nodeOptions = ["--import", WORKER_PRELOAD];
      const host = ownHost({ nodeOptions, env: { TEST_CLOCK_MS: "3600000" } });
      const address = `http://127.0.0.1:${(images.address() as AddressInfo).port}/`;
      const run = hostedCoordinator(at.url, out, ["--image-address", address], { host });
      const ahead = hostedWorker(at.url, ["--allow-private-addresses"], { host });
      await until(async () => ((await queueOf(at.url))?.delayed ?? 0) > 0);
      ahead.stop();
      hostedWorker(at.url, ["--allow-private-addresses"], { env: { TEST_CLOCK_MS: "-3600000" } });
      survives("clocks an hour apart, images over http", await problemsOf(run, out));
      images.close();
      host.close();
    },
    LONG,
  );

  test(
    "when others write to the queue: what is not ours is rejected and counted, and nothing outside the image folder is opened",
    async () => {
      const at = await server();
      const { hash } = await loadModel(TINY);
      const name = queueNameOf(hash);
      const queue = new Queue(name, { connection: at.client, prefix: KEY_PREFIX });
      const megabytes = count(50, 5);
      const escape = (path: string): object => ({
        type: "polyrnn-job",
        version: 1,
        run: "0".repeat(16),
        model: hash,
        options: { context: 0.15, maxSteps: 4, candidates: 3, minScore: 0, simplify: 0 },
        attempts: 1,
        images: [{ path, instances: [{ ordinal: 0, annotationId: 1, imageId: 1, box: [0, 0, 9, 9] }] }],
      });
      const rejected: readonly object[] = [
        { hello: "world" },
        { ...escape("lake.jpg"), version: 2 },
        { ...escape("lake.jpg"), extra: 1 },
        { ...escape("lake.jpg"), model: "f".repeat(64) },
        { ...escape("lake.jpg"), images: [{ path: "x".repeat(megabytes * 2 ** 20), instances: [] }] },
        { ...escape("lake.jpg"), images: [{ address: "file:///etc/passwd", instances: [] }] },
      ];
      for (const [i, payload] of rejected.entries()) await queue.add("draw", payload, { jobId: `bad-${i}` });
      const paths = ["../../etc/passwd", "/etc/passwd", "a/../../b.jpg", "C:\\secret.jpg", "lake.jpg\0"];
      for (const [i, path] of paths.entries()) await queue.add("draw", escape(path), { jobId: `escape-${i}` });
      // Not even JSON: written past BullMQ.
      await queue.add("draw", {}, { jobId: "torn" });
      await at.client.hset(`${KEY_PREFIX}:${name}:torn`, "data", '{"type":');
      const out = newOut();
      const drawing = hostedWorker(at.url, ["--metrics-port", "0", "--stalled-after", "20"]); // so many take a while to parse
      const problems = await soundProblems(at, out);
      survives(`foreign, torn, outdated and ${megabytes} MB jobs`, problems);
      await drawing.says("metrics at");
      const metrics = await (await fetch(/http:\S+metrics/.exec(drawing.stderrSoFar())![0])).text();
      expect(metrics).toContain(`polyrnn_jobs_total{fate="rejected"} ${rejected.length + 1}`); // and the torn one
      expect(metrics).toContain(`polyrnn_failures_total{reason="image-outside"} ${paths.length}`);
      await queue.close();
    },
    LONG,
  );
});

/** JSON of a text. @param bytes its characters; as bytes, because encoding a string takes longer than all else with it */
const longText = (bytes: number): Buffer => Buffer.from(`"${"x".repeat(bytes)}"`, "latin1");

/** A worker of somebody else: it takes our jobs and answers what it likes. */
function hostileWorker(at: RedisServer, hash: string, answer: () => Promise<unknown>): Worker {
  const connection = { host: "127.0.0.1", port: at.port, maxRetriesPerRequest: null };
  const hostile = new Worker(queueNameOf(hash), answer, { connection, prefix: KEY_PREFIX, concurrency: 4 });
  hostile.on("error", () => undefined);
  return hostile;
}

describe.skipIf(!HAS_REDIS)("whoever writes to Redis or serves an image cannot stop a run", () => {
  test(
    "a worker that fails with megabytes of text: the run ends, and --resume completes",
    async () => {
      const at = await server();
      const { hash } = await loadModel(TINY);
      const out = newOut();
      const text = "redis://".repeat(count(2_500_000, 100_000));
      const hostile = hostileWorker(at, hash, () => Promise.reject(new Error(text)));
      const ended = await soundCoordinator(at.url, out, ["--attempts", "1"]);
      await hostile.close();
      const problems = ended.code === 65 ? [] : [`ended with ${ended.code ?? "a signal"}`];
      if (ended.stderr.length > 100_000) problems.push(`${ended.stderr.length} characters on standard error`);
      const resumed = await runSoundly(annotateArgs(work.data, out, "--overlays", "none", "--resume"));
      survives("failure texts of megabytes, --resume", [...problems, ...problemsAfter(resumed, out)]);
    },
    LONG,
  );

  test(
    "results of 100,000 levels and of 80 MB: they are refused, and an honest worker does the jobs",
    async () => {
      const at = await server();
      const { hash } = await loadModel(TINY);
      const out = newOut();
      const run = hostedCoordinator(at.url, out);
      const bomb = "[".repeat(100_000) + "]".repeat(100_000);
      const name = queueNameOf(hash);
      const key = (id: string): string => `${KEY_PREFIX}:${name}:${id}`;
      await until(async () => ((await queueOf(at.url))?.waiting ?? 0) >= 4);
      const ids = (await at.client.zrange(`${KEY_PREFIX}:${name}:prioritized`, "0", "3")).concat(
        await at.client.lrange(`${KEY_PREFIX}:${name}:wait`, 0, 3),
      );
      for (const [i, id] of ids.slice(0, count(4, 2)).entries()) {
        await at.client.lrem(`${KEY_PREFIX}:${name}:wait`, 0, id);
        await at.client.zrem(`${KEY_PREFIX}:${name}:prioritized`, id);
        await at.client.hset(key(id), "returnvalue", i % 2 === 0 ? bomb : longText(80_000_000));
        await at.client.zadd(`${KEY_PREFIX}:${name}:completed`, Date.now(), id);
      }
      await run.says("was refused");
      soundWorker(at.url);
      survives("results of 100,000 levels and of 80 MB", await problemsOf(run, out));
    },
    LONG,
  );

  test(
    "set-aside jobs, cards and leases of any size and shape: status answers within seconds, retry-failed passes them by",
    async () => {
      const at = await server();
      const { hash } = await loadModel(TINY);
      const name = queueNameOf(hash);
      const bomb = "[".repeat(100_000) + "]".repeat(100_000);
      await at.client.hset(`${KEY_PREFIX}:models`, hash, "m".repeat(1_000_000));
      for (const [id, fields] of Object.entries({
        slow: { failedReason: "redis://".repeat(1_000_000), data: "{}" },
        deep: { failedReason: "x", data: bomb },
        large: { failedReason: "x", data: longText(40_000_000) },
        "esc\u001b[31m": { failedReason: "\u001b[31m", data: "{}" },
      })) {
        await at.client.hset(`${KEY_PREFIX}:${name}:${id}`, { name: "draw", opts: "{}", timestamp: "1", ...fields });
        await at.client.zadd(`${KEY_PREFIX}:${name}:failed`, 1, id);
      }
      await at.client.set(`${KEY_PREFIX}:worker:x`, bomb);
      await at.client.set(`${KEY_PREFIX}:run:x`, longText(20_000_000));
      await at.client.lpush(`${KEY_PREFIX}:worker:list`, "x");
      for (const action of ["status", "retry-failed"]) {
        const before = performance.now();
        const ended = await runSoundly(["queue", action, "--queue", at.url]);
        const problems = ended.code === 0 ? [] : [`${action} ended with ${ended.code ?? "a signal"}: ${ended.stderr}`];
        // Two seconds of computing; other tests run beside, and what is quadratic takes minutes.
        if (performance.now() - before > 60_000) problems.push(`${action} took ${performance.now() - before} ms`);
        if (ended.stdout.length > 20_000 || ended.stdout.includes("\u001b")) problems.push(`${action} printed it all`);
        survives(`foreign failures, cards and leases: queue ${action}`, problems);
      }
    },
    LONG,
  );

  test(
    "an image server that answers 101: the image fails in time, and a worker that fetches from it stops at once",
    async () => {
      const at = await server();
      const images = createSocketServer((socket) => {
        socket
          .on("error", () => undefined)
          .on("data", (bytes) => {
            const text = String(bytes);
            if (text.includes("/slow")) return;
            socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
          });
      }).listen(0, "127.0.0.1");
      await once(images, "listening");
      const address = `http://u:LEAKME@127.0.0.1:${(images.address() as AddressInfo).port}`;
      const out = newOut();
      const fetching = hostedWorker(at.url, ["--allow-private-addresses", "--image-timeout", "60"]);
      const words = ["--image-address", `${address}/x?sig=LEAKME`, "--attempts", "1"];
      const ended = await soundCoordinator(at.url, out, words);
      const problems = ended.code === 65 ? [] : [`ended with ${ended.code ?? "a signal"}`];
      if (`${ended.stderr}${fetching.stderrSoFar()}`.includes("LEAKME")) problems.push("a secret was printed");
      const second = hostedCoordinator(at.url, newOut(), ["--image-address", `${address}/slow?sig=LEAKME`]);
      await until(async () => ((await queueOf(at.url))?.active ?? 0) > 0);
      const before = performance.now();
      fetching.stop();
      const stopped = await fetching.ended;
      if (stopped.code !== 0) problems.push(`the worker ended with ${stopped.code ?? "a signal"}: ${stopped.stderr}`);
      if (performance.now() - before > 20_000) problems.push("the worker took long to stop");
      second.stop();
      const left = await second.ended;
      if (!left.stderr.includes("go on with:") || left.stderr.includes("LEAKME")) problems.push(left.stderr);
      images.close();
      survives("an image server that answers 101 or nothing", problems);
    },
    LONG,
  );
});

describe.skipIf(!HAS_REDIS)("a password in the address", () => {
  test(
    "serves to connect and is never printed, right or wrong, in words or in JSON, with its place mistaken or the server gone",
    async () => {
      const at = await server("--requirepass", "topsecret");
      const right = at.url.replace("redis://", "redis://:topsecret@");
      const wrong = at.url.replace("redis://", "redis://:topsecret1@");
      const status = ["queue", "status", "--queue-timeout", "3", "--json"];
      const out = newOut();
      const runs = [
        { code: 0, run: runSoundly([...status, "--queue", right]) },
        { code: 69, run: runSoundly([...status, "--queue", wrong]) },
        { code: 2, run: runSoundly([...status, right]) },
        { code: 2, run: runSoundly([...status, "--queue", `${right}/x`]) },
        { code: 69, run: runSoundly([...status, "--queue", "redis://:topsecret@127.0.0.1:1"]) },
        { code: work.straight.code, run: coordinator({ ...at, url: right }, out, "--verbose").ended },
        { code: 69, run: worker({ ...at, url: wrong }).ended },
      ];
      const drawing = hostedWorker(right);
      for (const { code, run } of runs) {
        const ended = await run;
        expect(ended.code, ended.stderr).toBe(code);
        expect(`${ended.stdout}${ended.stderr}`).not.toContain("topsecret");
      }
      expect(drawing.stderrSoFar()).not.toContain("topsecret");
      for (const file of ["run.json", "summary.json", "journal.ndjson"])
        expect(readFileSync(join(out, file), "utf8")).not.toContain("topsecret");
    },
    LONG,
  );
});
