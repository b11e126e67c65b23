/**
 * What is handed over between machines and people, damaged: reviews, the runs of shards, jobs and results in Redis. In
 * process, because nothing here needs a process to end.
 */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Worker } from "bullmq";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { annotate } from "../../src/annotate/annotate.js";
import type { AnnotateSummary } from "../../src/annotate/summary.js";
import { EXIT, PolyrnnError } from "../../src/errors.js";
import { mergeRuns } from "../../src/merge/merge.js";
import { loadModel } from "../../src/model/model.js";
import { parseRedisAddress } from "../../src/queue/address.js";
import { KEY_PREFIX, queueNameOf } from "../../src/queue/connection.js";
import { openQueuePredictor } from "../../src/queue/coordinator.js";
import type { Job, JobResult } from "../../src/queue/job.js";
import { checkJob } from "../../src/queue/job.js";
import { runWorker } from "../../src/queue/worker.js";
import type { Random } from "../../src/random.js";
import { createRandom } from "../../src/random.js";
import type { Decision } from "../../src/review/decision.js";
import { ReviewJournal } from "../../src/review/journal.js";
import { NO_CLICKS } from "../../src/review/statistics.js";
import { unsealLine } from "../../src/runs/journal.js";
import { Secret } from "../../src/secret.js";
import { journalOf, memoryHost, newOut, resultsOf, runAnnotate } from "../annotate/runs.js";
import type { RedisServer } from "../helpers/redis-server.js";
import { HAS_REDIS, startRedis } from "../helpers/redis-server.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { WORKER_OPTIONS } from "../queue/worker-options.js";
import { DAMAGES, damagedLines } from "./damages.js";
import { count, FaultCase } from "./ledger.js";
import { RAW_TOKENS } from "./malformed-inputs.js";
import type { SmallData } from "./small-run.js";
import { annotateOptions, makeSmallData, newHome, removeHome, TINY } from "./small-run.js";

/** What was thrown; undefined where nothing was. */
const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error ?? new Error("nothing was thrown"),
  );

/** @param exitCodes that fit. @param places one of them has to be named */
function refusalProblems(error: unknown, exitCodes: readonly number[], places: readonly string[]): string[] {
  if (!(error instanceof PolyrnnError)) return [`a bug: ${String((error as Error).stack)}`];
  const problems = exitCodes.includes(error.exitCode) ? [] : [`exit code ${error.exitCode}: ${error.message}`];
  if (!places.some((place) => error.message.includes(place))) problems.push(`does not say where: ${error.message}`);
  if (error.message.length > 2000) problems.push(`a message of ${error.message.length} characters`);
  return problems;
}

describe("review.ndjson", () => {
  const RUN = "0123456789abcdef".repeat(4);
  const decision = (ordinal: number, revision: number, session: number): Decision => ({
    ordinal,
    revision,
    session,
    arm: "assist",
    status: revision % 3 === 0 ? "rejected" : "edited",
    rings: [[0, 7, 19].map((at) => ({ x: ordinal + at, y: revision + ((at * 5) % 11) }))],
    pins: [],
    box: [1, 2, 30, 40],
    categoryId: 1,
    reason: null,
    score: 0.5,
    before: { score: 0.25, iou: 0.75 },
    isChanged: true,
    imageWidth: 160,
    imageHeight: 120,
    at: "2026-01-01T00:00:00.000Z",
    counts: NO_CLICKS,
    activeMs: 10,
    openMs: 20,
    networkMs: 0,
  });
  const begin = (journal: ReviewJournal): Promise<number> =>
    journal.begin(
      {
        type: "review",
        version: 1,
        run: RUN,
        model: { name: "tiny", sha256: RUN },
        order: "score",
        startedAt: "2026-01-01T00:00:00.000Z",
      },
      { reviewer: "ann", arm: "assist", at: "2026-01-01T00:00:00.000Z" },
    );

  test.each(Object.keys(DAMAGES))(
    "%s: whole decisions stay, damaged lines are named, and people go on",
    async (name) => {
      const path = join(temporaryFolder(), "review.ndjson");
      const whole = await ReviewJournal.read(path, RUN);
      const session = await begin(whole);
      for (let i = 0; i < 30; i++) await whole.decide(decision(i % 20, 1 + Math.floor(i / 20), session));
      await whole.close();
      const original = readFileSync(path);
      const lines = new Set(original.toString("latin1").split("\n"));
      const faults = new FaultCase(`review: ${name}`);
      for (let number = 0; number < count(300, 8); number++) {
        const damaged = DAMAGES[name]!(createRandom(`review ${name} ${number}`), original);
        writeFileSync(path, damaged);
        const broken = damagedLines(original, damaged);
        const read = await ReviewJournal.read(path, RUN).catch((error: unknown) => error);
        if (!(read instanceof ReviewJournal)) {
          const isHeadLost = broken[0] === 1 || !damaged.includes("\n");
          const problems = refusalProblems(read, [EXIT.dataInvalid], ["review.ndjson: line 1"]);
          faults.add(isHeadLost ? problems : [`refused though its head is whole: ${String(read)}`]);
          continue;
        }
        const problems: string[] = [];
        const text = damaged.toString("latin1").split("\n");
        // Of whole lines the last on each instance is in force; a line that lost its break counts as damaged.
        const expected = new Map<number, string>();
        for (const line of text.slice(1, -1)) {
          const value = lines.has(line) ? unsealLine(Buffer.from(line, "latin1").toString("utf8")) : undefined;
          if (value?.["type"] === "decision") expected.set(value["ordinal"] as number, line);
        }
        for (const [ordinal, line] of expected) {
          const known = read.decisionOn(ordinal);
          const found = known && damaged.toString("latin1", known.line.offset, known.line.offset + known.line.length);
          if (found !== line) problems.push(`the decision on ${ordinal} is ${found ?? "lost"}`);
        }
        if (read.instances.size > expected.size) problems.push("a decision that nobody made");
        const unnamed = broken.filter((line) => line > 1 && !read.damaged.includes(line));
        if (unnamed.length > 0) problems.push(`damaged lines ${unnamed.join(", ")} are not named`);
        const next = await begin(read);
        await read.decide(decision(25, 1, next));
        await read.close();
        const again = await ReviewJournal.read(path, RUN);
        if (again.decisionOn(25) === undefined) problems.push("a decision after the damage is lost");
        if (again.instances.size !== expected.size + 1) problems.push("earlier decisions are lost by going on");
        faults.add(problems.map((problem) => `${name} ${number}: ${problem}`));
      }
      faults.note();
      expect(faults.losses).toEqual([]);
    },
  );
});

describe("the runs of shards", () => {
  const home = newHome();
  let whole: Record<string, string>;
  let parts: string[];
  beforeAll(async () => {
    const { images, boxes } = await makeSmallData(home, 3);
    const options = { images, boxes, maxSteps: 4, candidates: 1 };
    whole = await resultsOf((await runAnnotate(options)).out);
    parts = [];
    for (const index of [1, 2]) parts.push((await runAnnotate({ ...options, shard: { index, count: 2 } })).out);
  }, 60_000);
  afterAll(() => {
    removeHome(home);
  });

  test.each(["run.json", "journal.ndjson"])(
    "%s damaged: merge refuses the part by name, or names what is missing; it never makes another polygon",
    async (file) => {
      const faults = new FaultCase(`merge: a part's ${file} damaged`);
      const original = readFileSync(join(parts[1]!, file));
      const part = join(home, "part");
      const out = join(home, "merged");
      const sound = readFileSync(join(parts[0]!, "journal.ndjson"), "utf8") + original.toString("utf8");
      const lines = new Set(sound.split("\n"));
      for (const [name, damage] of Object.entries(DAMAGES)) {
        for (let number = 0; number < count(100, 3); number++) {
          rmSync(part, { recursive: true, force: true });
          rmSync(out, { recursive: true, force: true });
          cpSync(parts[1]!, part, { recursive: true });
          const damaged = damage(createRandom(`part ${file} ${name} ${number}`), original);
          writeFileSync(join(part, file), damaged);
          const host = memoryHost();
          const merged = await mergeRuns({ parts: [parts[0]!, part], out, force: false }, host).catch(
            (error: unknown) => error,
          );
          const problems: string[] = [];
          if (merged instanceof Error) {
            problems.push(...refusalProblems(merged, [EXIT.dataInvalid, EXIT.inputMissing, EXIT.usage], [part, home]));
            if (existsSync(join(out, "annotations.json"))) problems.push("annotations.json is there, refused");
          } else {
            const { remaining, merged: shards } = merged as AnnotateSummary;
            const isSame = JSON.stringify(await resultsOf(out)) === JSON.stringify(whole);
            if (remaining === 0 && !isSame) problems.push("says that it is whole, and is not");
            // A journal that ends early is that of a run that was stopped.
            if (shards?.parts.find(({ folder }) => folder === part)?.remaining !== remaining)
              problems.push(`${remaining} remain, and the part is not named`);
            const broken = file === "journal.ndjson" ? damagedLines(original, damaged) : [];
            if (broken.length > 0 && !host.notes.some((note) => note.includes("part/journal.ndjson")))
              problems.push(`damaged lines ${broken.join(", ")}, and no note names the journal`);
            for (const line of readFileSync(join(out, "journal.ndjson"), "utf8").split("\n").slice(1, -1))
              if (file === "journal.ndjson" && !lines.has(line)) problems.push(`a line that no part has: ${line}`);
          }
          faults.add(problems.map((problem) => `${name} ${number}: ${problem}`));
        }
      }
      faults.note();
      expect(faults.losses).toEqual([]);
    },
    count(900_000, 120_000),
  );
});

/** JSON with a value put out, its bytes damaged, or one of its numbers replaced by what is none. */
function damagedJson(random: Random, value: object): string {
  const text = JSON.stringify(value);
  if (random.next() < 0.5) {
    const name = random.pick(Object.keys(DAMAGES).filter((each) => each !== "zeros at the end"));
    return DAMAGES[name]!(random, Buffer.from(text)).toString("utf8");
  }
  const places = [...text.matchAll(/(?<=[:[,])(?:-?\d[\d.e+-]*|"(?:[^"\\]|\\.)*"(?!:)|\{[^{}]*\}|\[[^[\]]*\])/g)];
  const { index, 0: found } = random.pick(places);
  const other = random.pick([...RAW_TOKENS, "null", "{}", "[]", '"../../etc/passwd"', "-1", "1e308", '"\\u001b[2J"']);
  return text.slice(0, index) + other + text.slice(index + found.length);
}

describe.skipIf(!HAS_REDIS)("jobs and results in Redis", () => {
  const home = newHome();
  let data: SmallData;
  let server: RedisServer;
  let hash: string;
  const address = (): ReturnType<typeof parseRedisAddress> => parseRedisAddress(new Secret(server.url));
  const key = (name: string): string => `${KEY_PREFIX}:${queueNameOf(hash)}:${name}`;
  beforeAll(async () => {
    data = await makeSmallData(home, 4);
    server = await startRedis();
    ({ hash } = await loadModel(TINY));
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    removeHome(home);
  });
  const work = (signal: AbortSignal, notes: string[]): ReturnType<typeof runWorker> =>
    runWorker(
      {
        queue: address(),
        queueTimeoutMs: 20_000,
        images: data.images,
        model: TINY,
        ...WORKER_OPTIONS,
      },
      { signal, note: (line) => notes.push(line) },
    );

  test(
    "damaged jobs are rejected with a reason or done as they stand; the worker lives, and nothing stays active",
    async () => {
      const job: Job = {
        type: "polyrnn-job",
        version: 1,
        run: "0123456789abcdef",
        model: hash,
        options: { context: 0.15, maxSteps: 4, candidates: 1, minScore: 0, simplify: 0 },
        attempts: 1,
        images: data.imageNames.slice(0, 2).map((path, image) => ({
          path,
          width: 160,
          height: 120,
          instances: [0, 1].map((i) => ({
            ordinal: 2 * image + i,
            annotationId: i,
            imageId: image,
            box: [10 + i, 20, 50, 40] as const,
          })),
        })),
      };
      const faults = new FaultCase("queue: jobs damaged in Redis");
      const random = createRandom("jobs");
      const given = new Map<string, string>();
      for (let number = 0; number < count(2000, 60); number++) given.set(`job-${number}`, damagedJson(random, job));
      for (const [id, text] of given) {
        await server.client.hset(key(id), "name", "draw", "data", text, "opts", '{"attempts":1}', "timestamp", "1");
        await server.client.lpush(key("wait"), id);
      }
      const [notes, stop]: [string[], AbortController] = [[], new AbortController()];
      const working = work(stop.signal, notes);
      const left = async (): Promise<number> =>
        (await server.client.llen(key("wait"))) + (await server.client.llen(key("active")));
      while ((await left()) > 0) await wait(50);
      stop.abort();
      const bug = await thrownBy(working);
      const [completed, failed] = [
        await server.client.zrange(key("completed"), "0", "-1"),
        await server.client.zrange(key("failed"), "0", "-1"),
      ];
      for (const [id, text] of given) {
        const problems: string[] = bug === undefined ? [] : ["the worker ended"];
        if (failed.includes(id)) {
          const reason = (await server.client.hget(key(id), "failedReason")) ?? "";
          // A sound job may name a model or a run of its own; all others say what is wrong with them.
          if (!/^rejected: .*(?:expected|received)/.test(reason)) problems.push(`failed with ${reason.slice(0, 200)}`);
          if (reason.length > 1000) problems.push(`a reason of ${reason.length} characters`);
        } else if (!completed.includes(id)) problems.push("neither done nor failed");
        else if (checkJob(JSON.parse(text)) !== undefined) problems.push("done, though it is none of our jobs");
        faults.add(problems.map((problem) => `${id}: ${problem}; ${text.slice(0, 300)}`));
      }
      faults.note();
      expect(faults.losses).toEqual([]);
      // eslint-disable-next-line no-control-regex -- control characters are what is searched for
      expect(notes.filter((line) => /[\u0000-\u0009\u000b-\u001f\u007f]/.test(line))).toEqual([]);
    },
    count(900_000, 120_000),
  );

  test(
    "damaged results are refused by name and their jobs done again: every instance ends done or failed, none twice",
    async () => {
      const faults = new FaultCase("queue: results damaged in Redis");
      const straight = await runAnnotate({
        ...annotateOptions(data, newOut(), false),
        formats: ["coco"],
        overlays: "none",
      });
      const sound = new Map((await journalOf(straight.out)).map((outcome) => [outcome.ordinal, outcome]));
      for (let round = 0; round < count(40, 1); round++) {
        await server.client.flushall();
        const random = createRandom(`results ${round}`);
        const hostile = new Worker(
          queueNameOf(hash),
          ({ data: asked }) => {
            const { images } = asked as Job;
            const result: JobResult = {
              type: "polyrnn-result",
              version: 1,
              model: hash,
              engine: "onnxruntime",
              device: "cpu",
              engineVersion: "1",
              milliseconds: { decode: 1, crop: 1, encode: 1, steps: 1 },
              outcomes: images.flatMap(({ instances }) =>
                instances.map(({ ordinal }) => {
                  const { annotationId: _, imageId: __, ...outcome } = sound.get(ordinal)!;
                  return outcome;
                }),
              ),
            };
            const text = damagedJson(random, result);
            // BullMQ keeps the result as JSON: what is none is handed over as a text.
            return Promise.resolve(isJson(text) ? (JSON.parse(text) as unknown) : text);
          },
          { connection: { port: server.port, maxRetriesPerRequest: null }, prefix: KEY_PREFIX, concurrency: 2 },
        );
        hostile.on("error", () => undefined);
        const out = newOut();
        const host = memoryHost();
        const options = { ...annotateOptions(data, out, false), formats: ["coco"] as const, overlays: "none" as const };
        const run = annotate(
          options,
          host,
          openQueuePredictor({ queue: address(), timeoutMs: 20_000, attempts: 2, priority: 0 }),
        );
        const bug = await thrownBy(run);
        await hostile.close();
        const problems: string[] = [];
        if (bug !== undefined)
          problems.push(...refusalProblems(bug, [EXIT.dataInvalid, EXIT.unavailable], ["redis://", "boxes"]));
        const outcomes = await journalOf(out);
        if (outcomes.length !== data.count) problems.push(`${outcomes.length} of ${data.count} have an outcome`);
        const refused = host.notes.filter((note) => note.includes("refused"));
        const failed = outcomes.filter(({ status }) => status === "failed");
        if (refused.length + failed.length === 0) problems.push("no result was refused");
        for (const line of host.notes) if (line.length > 2000) problems.push(`a note of ${line.length} characters`);
        faults.add(problems.map((problem) => `round ${round}: ${problem}`));
      }
      faults.note();
      expect(faults.losses).toEqual([]);
    },
    count(1_800_000, 120_000),
  );
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
