/**
 * The queue as its operator meets it: real Redis, real workers, a run under way. Faults are in
 * test/faults/queue.test.ts.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseRedisAddress } from "../../src/queue/address.js";
import { Secret } from "../../src/secret.js";
import type { QueueStatus } from "../../src/queue/operate.js";
import { operateQueue } from "../../src/queue/operate.js";
import { annotateArgs, differences, filesOf } from "../faults/small-run.js";
import { JOBS, LONG, PER_IMAGE, endLeases, journaled, queueOf, queueWork, until } from "../queue/queue-work.js";
import type { RedisServer } from "../helpers/redis-server.js";
import { HAS_REDIS, freePort } from "../helpers/redis-server.js";
import type { AtWork, Ended, Host } from "../helpers/command.js";
import { ownHost, runInHost, sharedHost } from "../helpers/command.js";

const work = queueWork();
const { home, newOut, server, worker, coordinator, hostedWorker, hostedCoordinator, soundWorker, soundCoordinator } =
  work;

/** `polyrnn queue ACTION`, as a table and as JSON. */
const table = (url: string, action: string): Promise<Ended> => runInHost(["queue", action, "--queue", url]);
async function json(url: string, action: string): Promise<QueueStatus & { touched: number }> {
  const { code, stdout, stderr } = await runInHost(["queue", action, "--queue", url, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as QueueStatus & { touched: number };
}

const problemsOf = async (run: AtWork, out: string): Promise<string[]> => work.problemsAfter(await run.ended, out);
/** Of a coordinator that nothing happens to. */
const soundProblems = async (url: string, out: string, ...more: string[]): Promise<string[]> =>
  work.problemsAfter(await soundCoordinator(url, out, more), out);

describe.skipIf(!HAS_REDIS)("polyrnn queue on a live queue", () => {
  test(
    "status of a server that never had a queue says so, in words and as JSON",
    async () => {
      const { url } = await server();
      expect(await table(url, "status")).toMatchObject({
        code: 0,
        stdout: `${url}: no queue; nothing was ever handed out here and no worker was there\n`,
      });
      expect(await json(url, "status")).toEqual({
        version: 1,
        type: "queue-status",
        server: url,
        queues: [],
        coordinators: [],
        touched: 0,
      });
    },
    LONG,
  );

  test(
    "pause lets no worker take a job, resume lets the run go on, and status shows both",
    async () => {
      const { url } = await server();
      const out = newOut();
      const run = hostedCoordinator(url, out);
      await until(async () => (await queueOf(url))?.waiting === JOBS);
      const paused = await table(url, "pause");
      expect(paused.stdout).toContain("paused 1 queue: workers finish what they have and take nothing more");
      expect(paused.stdout).toMatch(/^model +state +waiting +active +delayed +failed +completed +workers$/m);
      expect(paused.stdout).toMatch(/^tiny-random [0-9a-f]{12} +paused +12 +0 +0 +0 +0 +0$/m);
      const drawing = hostedWorker(url, ["--threads", "2"]); // several jobs at the decoder at once
      await drawing.says("waiting for jobs");
      await wait(1500);
      const status = await json(url, "status");
      expect(status).toMatchObject({
        queues: [
          {
            modelName: "tiny-random",
            isPaused: true,
            waiting: JOBS,
            active: 0,
            completed: 0,
            workers: [{ host: expect.any(String) as string, device: "cpu", instances: 0 }],
          },
        ],
      });
      expect(status.coordinators).toEqual([expect.stringContaining(`process ${run.pid} on `)]);
      expect(journaled(out)).toBe(0);
      expect(await json(url, "resume")).toMatchObject({ touched: 1, queues: [{ isPaused: false }] });
      expect(await problemsOf(run, out)).toEqual([]);
      const after = await table(url, "status");
      expect(after.stdout).toMatch(/^tiny-random [0-9a-f]{12} +open +0 +0 +0 +0 +0 +1$/m);
      expect(after.stdout).toMatch(/^worker \S+: tiny-random on cpu \(.*\), \d+ instances, \d+ failed$/m);
    },
    LONG,
  );

  test(
    "drain is refused while a coordinator is at work; when it was killed, drain removes its jobs, and --resume still draws everything",
    async () => {
      const at = await server();
      const { url } = at;
      const out = newOut();
      const run = coordinator(url, out);
      await until(async () => (await queueOf(url))?.waiting === JOBS);
      const refused = await table(url, "drain");
      expect(refused.code, refused.stdout).toBe(69);
      expect(refused.stderr).toContain(`expected no coordinator at work but there is process ${run.child.pid} on `);
      expect((await queueOf(url))?.waiting).toBe(JOBS);
      run.child.kill("SIGKILL");
      await run.ended;
      await endLeases(at);
      await until(
        async () =>
          (await operateQueue("status", { queue: parseRedisAddress(new Secret(url)), timeoutMs: 60_000 })).coordinators
            .length === 0,
      );
      expect(await json(url, "drain")).toMatchObject({
        touched: JOBS,
        queues: [{ waiting: 0, delayed: 0, failed: 0, completed: 0 }],
      });
      soundWorker(url);
      expect(await soundProblems(url, out, "--resume")).toEqual([]);
    },
    LONG,
  );

  test(
    "retry-failed puts jobs that were set aside up again, and their results are taken by --resume",
    async () => {
      const at = await server();
      const { url } = at;
      const out = newOut();
      const run = coordinator(url, out, ["--attempts", "1"]);
      await until(async () => (await queueOf(url))?.waiting === JOBS);
      const poisoned = worker(url, ["--concurrency", "1"], { env: { TEST_POISON: "aquarium.jpg" } });
      expect((await poisoned.ended).signal).toBe("SIGKILL");
      // The next one finds the job of the dead one, which may have no second worker, and is stopped before the run
      // comes to its end.
      const next = hostedWorker(url, ["--concurrency", "1"], { env: { TEST_SLOW_MS: "500" } });
      await run.says("was set aside");
      run.child.kill("SIGKILL");
      next.stop();
      await Promise.all([run.ended, next.ended]);
      const shown = await table(url, "status");
      expect(shown.stdout).toMatch(/^set aside: job [0-9a-f]{16}-\d+: 1 worker died or stalled with it$/m);
      expect(await json(url, "status")).toMatchObject({
        queues: [
          {
            failed: 1,
            failedJobs: [
              {
                id: expect.stringMatching(/^[0-9a-f]{16}-\d+$/) as string,
                reason: expect.stringContaining("died or stalled") as string,
              },
            ],
          },
        ],
      });
      const retried = await table(url, "retry-failed");
      expect(retried.stdout).toContain(
        "put 1 job up again; results are fetched by the coordinator, or by annotate --resume",
      );
      expect((await queueOf(url))?.failed).toBe(0);
      soundWorker(url);
      await until(async () => {
        const queue = await queueOf(url);
        return queue?.waiting === 0 && queue.active === 0;
      });
      expect((await queueOf(url))?.completed).toBeGreaterThan(0); // nobody is there to fetch them
      expect((await queueOf(url))?.failed).toBe(0);
      await endLeases(at);
      expect(await soundProblems(url, out, "--resume", "--attempts", "1")).toEqual([]);
    },
    LONG,
  );

  test.each([
    {
      why: "is gone",
      stop: (at: RedisServer) => {
        at.signal("SIGKILL");
      },
    },
    {
      why: "hangs",
      stop: (at: RedisServer) => {
        at.signal("SIGSTOP");
      },
    },
  ])(
    "a worker that is asked to stop while the server $why ends all the same",
    async ({ stop }) => {
      const at = await server();
      const leaving = worker(at.url, ["--queue-timeout", "2"]);
      await leaving.says("waiting for jobs");
      stop(at);
      leaving.child.kill("SIGTERM");
      const began = performance.now();
      const ended = await leaving.ended;
      // With no job in hand it may leave without the server, or find that it does not answer.
      if (ended.code === 0) expect(ended.stderr).toContain("0 given back");
      else
        expect(ended).toMatchObject({
          code: 69,
          stderr: expect.stringContaining("expected an answer within 2 s but received none") as string,
        });
      expect(performance.now() - began).toBeLessThan(30_000);
    },
    LONG,
  );

  test(
    "--rate holds for all workers together",
    async () => {
      const { url } = await server();
      const out = newOut();
      for (const how of [{}, { host: sharedHost() }]) hostedWorker(url, ["--rate", "2"], how); // in two processes
      await until(async () => (await queueOf(url))?.workers.length === 2);
      const run = soundProblems(url, out);
      await until(() => journaled(out) > 0);
      expect(journaled(out)).toBeLessThan(PER_IMAGE * 3);
      const began = performance.now();
      expect(await run).toEqual([]);
      // 12 jobs, 2 a second: 5 s from the first to the last, 4 of them after the first two are journaled.
      expect(performance.now() - began).toBeGreaterThan(3000);
    },
    LONG,
  );

  test(
    "--priority: the run with 0 is drawn before the jobs of one with 5 that was there first",
    async () => {
      const { url } = await server();
      const [late, early] = [newOut(), newOut()];
      const patient = soundProblems(url, late, "--priority", "5");
      await until(async () => (await queueOf(url))?.waiting === JOBS);
      const urgent = soundCoordinator(url, early, ["--priority", "0", "--simplify", "0.5"]); // another option, another run
      await until(async () => (await queueOf(url))?.waiting === 2 * JOBS);
      hostedWorker(url, ["--concurrency", "1"], { env: { TEST_SLOW_MS: "100" } });
      // Counted until the last urgent result is journaled: how long the urgent run then takes to write its files is the
      // machine's affair. The half leaves room for a coordinator that fetches late; first come, first served or taking
      // turns would have drawn nearly all.
      let drawnMeanwhile = 0;
      await until(() => {
        const count = journaled(late);
        const all = journaled(early) >= 4 * JOBS;
        if (!all) drawnMeanwhile = count;
        return all;
      });
      expect(drawnMeanwhile).toBeLessThan(2 * JOBS);
      const { code, stderr } = await urgent;
      expect([0, 1], stderr).toContain(code);
      expect(await patient).toEqual([]);
    },
    LONG,
  );

  test(
    "a shard is drawn over a queue like a whole run: two at once on one server, merged to the bytes of one machine",
    async () => {
      const { url } = await server();
      const parts = [newOut(), newOut()],
        all = newOut();
      soundWorker(url);
      const runs = parts.map((part, i) => soundCoordinator(url, part, ["--shard", `${i + 1}/2`]));
      for (const { code, stderr } of await Promise.all(runs)) expect([0, 1], stderr).toContain(code);
      const merged = await runInHost(["merge", ...parts, "--out", all, "--overlays", "none"]);
      expect(merged.code, merged.stderr).toBe(work.straight.code);
      expect(readFileSync(join(all, "annotations.json"), "utf8")).toBe(
        readFileSync(join(work.straight.out, "annotations.json"), "utf8"),
      );
    },
    LONG,
  );

  test(
    "--only-new over a queue hands out only what is new and writes what one machine writes",
    async () => {
      const { url } = await server();
      const [first, alone, queued] = [newOut(), newOut(), newOut()];
      await runInHost(annotateArgs(work.data, first, "--overlays", "none", "--limit", "20"));
      await runInHost(annotateArgs(work.data, alone, "--overlays", "none", "--only-new", first));
      const drawing = hostedWorker(url, ["--json"]);
      const { code, stderr } = await soundCoordinator(url, queued, ["--only-new", first]);
      expect([0, 1], stderr).toContain(code);
      expect(differences(filesOf(alone), filesOf(queued))).toEqual([]);
      drawing.stop();
      const { instances } = JSON.parse((await drawing.ended).stdout) as { instances: number };
      const { alreadyDone } = skipsOf(queued);
      expect(alreadyDone).toBeGreaterThan(0);
      expect(instances).toBe(work.data.count - alreadyDone);
    },
    LONG,
  );
});

function skipsOf(out: string): { alreadyDone: number } {
  const { skippedByReason } = JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as {
    skippedByReason: Record<string, number>;
  };
  return { alreadyDone: skippedByReason["already-done"] ?? 0 };
}

const HAS_OPENSSL = spawnSync("openssl", ["version"]).status === 0;
/** A server that cannot do TLS stumbles over its settings before it comes to the bad port. */
const KNOWS_TLS =
  HAS_REDIS &&
  spawnSync("redis-server", ["--tls-auth-clients", "no", "--port", "none"], { encoding: "utf8" }).stderr.includes(
    "port",
  );
const HAS_TLS = HAS_OPENSSL && KNOWS_TLS;
if (HAS_REDIS && !HAS_TLS) console.log("skipped: rediss:// (openssl, or a redis-server with TLS, is not here)");

describe.skipIf(!HAS_TLS)("rediss:// (TLS)", () => {
  const pem = (name: string): string => join(home, `${name}.pem`);
  /** The certificate of a server, and one whose name is another's. */
  const NAMES = { ours: "DNS:localhost,IP:127.0.0.1", others: "DNS:other.example" };
  /** Trusts both; node reads the certificates it trusts when it starts. */
  let trusting: Host;
  beforeAll(() => {
    for (const [name, names] of Object.entries(NAMES)) {
      const key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        pem(`${name}-key`),
      ];
      const subject = ["-subj", "/CN=localhost", "-addext", `subjectAltName=${names}`];
      const words = ["req", "-x509", ...key, "-out", pem(name), "-days", "2", ...subject];
      execFileSync("openssl", words, { stdio: "ignore" });
    }
    writeFileSync(pem("trusted"), readFileSync(pem("ours"), "utf8") + readFileSync(pem("others"), "utf8"));
    trusting = ownHost({ env: { NODE_EXTRA_CA_CERTS: pem("trusted") } });
  });
  afterAll(() => {
    trusting.close();
  });

  /** A server with a password that speaks TLS on one of its ports. */
  async function tlsServer(certificate: keyof typeof NAMES = "ours"): Promise<{ port: number; plain: RedisServer }> {
    const port = await freePort();
    const files = ["--tls-cert-file", pem(certificate), "--tls-key-file", pem(`${certificate}-key`)];
    const clients = ["--tls-ca-cert-file", pem(certificate), "--tls-auth-clients", "no"];
    const plain = await server("--tls-port", String(port), ...files, ...clients, "--requirepass", "topsecret");
    return { port, plain };
  }

  test.each(["localhost", "127.0.0.1"])(
    "a run by %s with user and password ends in the files of one machine; the password is nowhere",
    async (host) => {
      const { port } = await tlsServer();
      const url = `rediss://default:topsecret@${host}:${port}`;
      const out = newOut();
      const drawing = hostedWorker(url, [], { host: trusting });
      const run = hostedCoordinator(url, out, ["--verbose"], { host: trusting });
      expect(await problemsOf(run, out)).toEqual([]);
      const status = await trusting.start(["queue", "status", "--json"], { POLYRNN_QUEUE: url }).ended;
      expect(status.code, status.stderr).toBe(0);
      expect((JSON.parse(status.stdout) as QueueStatus).server).toBe(`rediss://${host}:${port}`);
      drawing.stop();
      const ends = [await run.ended, await drawing.ended, status];
      for (const { stdout, stderr } of ends) {
        expect(stdout + stderr).not.toContain("topsecret");
        expect(stderr).not.toContain("Warning");
      }
      for (const file of ["run.json", "summary.json", "journal.ndjson"])
        expect(readFileSync(join(out, file), "utf8")).not.toContain("topsecret");
    },
    LONG,
  );

  test.each([
    {
      why: "a certificate nobody vouches for",
      certificate: undefined,
      isTrusted: false,
      address: (port: number) => `rediss://:topsecret@localhost:${port}`,
      says: /self-signed certificate/,
    },
    {
      why: "a certificate of another host",
      certificate: "others",
      isTrusted: true,
      address: (port: number) => `rediss://:topsecret@localhost:${port}`,
      says: /does not match certificate's altnames/,
    },
    {
      why: "a server that speaks no TLS on this port",
      certificate: undefined,
      isTrusted: true,
      address: (_: number, plain: number) => `rediss://:topsecret@localhost:${plain}`,
      says: /does not speak TLS on this port|wrong version number/,
    },
    {
      why: "TLS where the address asks for none",
      certificate: undefined,
      isTrusted: false,
      address: (port: number) => `redis://:topsecret@localhost:${port}`,
      says: /closed|ECONNRESET|does not answer/i,
    },
  ] as const)(
    "$why is refused with 69 and the reason, without the password",
    async ({ certificate, isTrusted, address, says }) => {
      const { port, plain } = await tlsServer(certificate);
      const args = ["queue", "status", "--queue", address(port, plain.port), "--queue-timeout", "2"];
      const { code, stdout, stderr } = await (isTrusted ? trusting : sharedHost()).start(args).ended;
      expect(code, stderr).toBe(69);
      expect(stderr).toMatch(says);
      expect(stdout + stderr).not.toContain("topsecret");
    },
    LONG,
  );
});
