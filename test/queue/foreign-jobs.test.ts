/** A live server with jobs, models and leases that are not ours: nothing of it is lasting, and ours are done. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src/model/model.js";
import { parseRedisAddress } from "../../src/queue/address.js";
import type { QueueConnection } from "../../src/queue/connection.js";
import { connectToQueue, KEY_PREFIX, queueNameOf } from "../../src/queue/connection.js";
import { JobBoard } from "../../src/queue/job-board.js";
import type { Job } from "../../src/queue/job.js";
import { Lease } from "../../src/queue/lease.js";
import { operateQueue } from "../../src/queue/operate.js";
import { listModels, listWorkers } from "../../src/queue/presence.js";
import { runWorker } from "../../src/queue/worker.js";
import { tameFields } from "../../src/queue/worker-backend.js";
import { Secret } from "../../src/secret.js";
import type { RedisServer } from "../helpers/redis-server.js";
import { HAS_REDIS, startRedis } from "../helpers/redis-server.js";
import { WORKER_OPTIONS } from "./worker-options.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const MODEL = join(FIXTURES, "models", "tiny-random");
const NOW = 1_700_000_000_000;

describe.skipIf(!HAS_REDIS)("a server that others write to", () => {
  let server: RedisServer;
  let connection: QueueConnection;
  let hash: string;
  const address = (): ReturnType<typeof parseRedisAddress> => parseRedisAddress(new Secret(server.url));
  const key = (name: string): string => `${KEY_PREFIX}:${queueNameOf(hash)}:${name}`;
  beforeAll(async () => {
    server = await startRedis();
    connection = await connectToQueue({ queue: address(), timeoutMs: 20_000, afterwards: "" });
    ({ hash } = await loadModel(MODEL));
  });
  afterAll(async () => {
    connection.close();
    await server.stop();
  });

  const job = (): Job => ({
    type: "polyrnn-job",
    version: 1,
    run: "0123456789abcdef",
    model: hash,
    options: { context: 0, maxSteps: 4, candidates: 1, minScore: 0, simplify: 0 },
    attempts: 1,
    images: [{ path: "fruit.jpg", instances: [{ ordinal: 0, annotationId: 1, imageId: 1, box: [10, 10, 50, 50] }] }],
  });

  test("a worker rejects foreign jobs with a reason, leaves none of them active, and does the others", async () => {
    const { client } = server;
    const sound = JSON.stringify(job());
    const foreign: Record<string, readonly string[]> = {
      "not json": ["name", "x", "data", "{{{", "opts", "{}"],
      "no data": ["name", "x"],
      "options not json": ["name", "draw", "data", "[]", "opts", "{{{"],
      "progress not json": ["name", "draw", "data", "[]", "progress", "{{{"],
      "parent not json": ["name", "draw", "data", "[]", "parent", "{{{"],
      deep: ["name", "draw", "data", "[".repeat(100_000) + "]".repeat(100_000)],
      "names another": ["name", "draw", "data", "[]", "id", "sound-1"],
      scheduled: ["name", "draw", "data", "[]", "rjk", "a:b:c:d:e", "opts", '{"repeat":{"every":1}}'],
      "backs off its own way": ["name", "draw", "data", "[]", "opts", '{"attempts":9e9,"backoff":{"type":"no such"}}'],
      "\u001b[2J\n": ["name", "\u001b]0;x", "data", '"\u001b[2J"'],
    };
    for (const [id, fields] of Object.entries(foreign)) {
      await client.hset(key(id), ...fields);
      await client.lpush(key("wait"), id);
    }
    // Made on the server: 64 MB and a byte, and 10,000 fields that nobody asked for.
    const huge = 2 ** 26 + 1;
    await client.eval(
      `redis.call('HSET', KEYS[1], 'data', string.rep('x', ARGV[1]))
       for i = 1, 10000 do redis.call('HSET', KEYS[1], 'field' .. i, string.rep('y', 1000)) end`,
      1,
      key("huge"),
      huge,
    );
    await client.lpush(key("wait"), "huge");
    const sent = async (): Promise<number> =>
      Number(/total_net_output_bytes:(\d+)/u.exec(await client.info("stats"))![1]);
    const sentBefore = await sent();
    await client.set(key("a string"), "x");
    await client.lpush(key("a list"), "x");
    await client.lpush(key("wait"), "a string", "a list", "nothing there");
    for (const id of ["sound-1", "sound-2"]) {
      await client.hset(key(id), "name", "draw", "data", sound, "opts", "{}", "timestamp", String(NOW));
      await client.lpush(key("wait"), id);
    }
    const [notes, stop]: [string[], AbortController] = [[], new AbortController()];
    const working = runWorker(
      {
        queue: address(),
        queueTimeoutMs: 20_000,
        images: join(FIXTURES, "images"),
        model: MODEL,
        ...WORKER_OPTIONS,
      },
      { signal: stop.signal, note: (line) => notes.push(line) },
    );
    const done = async (): Promise<boolean> =>
      (await client.llen(key("wait"))) + (await client.llen(key("active"))) === 0;
    for (let i = 0; i < 200 && !(await done()); i++) await wait(50);
    stop.abort();
    await working;
    expect(await client.lrange(key("active"), 0, -1)).toEqual([]);
    expect((await client.zrange(key("completed"), "0", "-1")).sort()).toEqual(["sound-1", "sound-2"]);
    const failed = await client.zrange(key("failed"), "0", "-1");
    expect(failed.sort()).toEqual([...Object.keys(foreign), "nothing there", "huge"].sort());
    expect(await client.hget(key("huge"), "failedReason")).toContain(`text of ${huge} bytes, which was not read`);
    expect((await sent()) - sentBefore).toBeLessThan(2_000_000);
    for (const id of failed) expect(await client.hget(key(id), "failedReason")).toMatch(/^rejected: .*expected/);
    expect(notes.some((line) => line.includes("job not json: rejected: "))).toBe(true);
  });

  test("what is read of models, workers, ids and events has an upper end", async () => {
    const { client } = server;
    const long = "x".repeat(2_000_000);
    const models = Array.from({ length: 1200 }, (_, i) => [i.toString(16).padStart(64, "0"), `model ${i}`]);
    await client.hset(`${KEY_PREFIX}:models`, ...models.flat(), long, "a long name", "f".repeat(64), long);
    const { models: listed, isWhole } = await listModels(connection);
    expect(listed).toHaveLength(1000);
    expect(isWhole).toBe(false);
    expect(Math.max(...listed.map(({ modelName }) => modelName.length))).toBeLessThanOrEqual(203);
    await client.del(`${KEY_PREFIX}:models`);
    await client.hset(`${KEY_PREFIX}:models`, hash, "ours", "f".repeat(64), long, long, "x");
    expect((await listModels(connection)).models).toHaveLength(2);

    await client.set(`${KEY_PREFIX}:worker:${long}`, "{}");
    await client.set(`${KEY_PREFIX}:worker:1`, long);
    await client.hset(`${KEY_PREFIX}:worker:2`, "x", "x");
    expect(await listWorkers(connection)).toEqual([]);

    await client.zadd(key("failed"), 1, `run-${long}`, 2, "run-1", 3, "other");
    const ended: string[] = [];
    const board = await JobBoard.open(connection, hash, 0, {
      ended: (id, value) => ended.push(`${id} ${String(value)}`),
    });
    expect(await board.find("run-")).toEqual(["run-1"]);
    await wait(100);
    for (const value of ["{{{", long])
      await client.xadd(key("events"), "*", "event", "completed", "jobId", "run-1", "returnvalue", value);
    await client.xadd(key("events"), "*", "event", "completed", "jobId", long);
    await client.xadd(key("events"), "*", "event", "progress", "data", "{{{", "jobId", "run-1");
    await client.xadd(key("events"), "*", "event", "failed", "jobId", "run-2");
    for (let i = 0; i < 100 && ended.length < 3; i++) await wait(20);
    board.close();
    expect(ended).toEqual(["run-1 {{{", "run-1 undefined", "run-2 undefined"]);
  });

  test("retry-failed reaches our jobs behind a thousand that are not ours, and drain removes them all", async () => {
    const { client } = server;
    await client.del(key("failed"));
    const names = Array.from({ length: 1500 }, (_, i) => `foreign-${i}`);
    await client.zadd(key("failed"), ...names.flatMap((name, i) => [i, name]));
    await client.hset(key("sound-3"), "name", "draw", "data", JSON.stringify(job()), "opts", "{}");
    await client.zadd(key("failed"), 2000, "sound-3");
    const act = (action: "retry-failed" | "drain"): ReturnType<typeof operateQueue> =>
      operateQueue(action, { queue: address(), timeoutMs: 20_000 });
    expect((await act("retry-failed")).touched).toBe(1);
    expect(await client.lrange(key("wait"), 0, -1)).toEqual(["sound-3"]);
    expect((await act("drain")).touched).toBeGreaterThanOrEqual(1500);
    expect(await client.zcard(key("failed"))).toBe(0);
  });

  test("a lease that never ends, or ends in years, is refused at once and not waited for", async () => {
    const { client } = server;
    await client.set(`${KEY_PREFIX}:run:eternal`, "x".repeat(2_000_000));
    await client.set(`${KEY_PREFIX}:run:years`, "{}", "EX", 1e8);
    for (const run of ["eternal", "years"])
      await expect(Lease.take(connection, run, () => undefined)).rejects.toThrow(/expected to be its only coordinator/);
  });
});

test("of a job only its data and counters reach BullMQ, and counters are whole numbers", () => {
  const given = [
    "data",
    "[1]",
    "opts",
    '{"attempts":3,"delay":1e9,"parent":{}}',
    "atm",
    "-1",
    "ats",
    "1e400",
    "stc",
    "2",
  ];
  const flat = tameFields([...given, "rjk", "x", "parent", "{", "progress", "{"], "id");
  const fields = Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]]] : [])));
  expect(fields).toMatchObject({ data: "[1]", atm: "0", ats: "0", stc: "2" });
  expect(Object.keys(fields)).not.toContain("parent");
  expect(JSON.parse(fields["opts"]!)).toMatchObject({ attempts: 3, backoff: { type: "exponential" } });
  expect(JSON.parse(fields["opts"]!)).not.toHaveProperty("parent");
});
