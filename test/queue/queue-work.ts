/** What tests of a live queue share: small data, the run of one machine to compare with, a Redis server per test. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll } from "vitest";
import { parseRedisAddress } from "../../src/queue/address.js";
import type { ModelQueue } from "../../src/queue/operate.js";
import { operateQueue } from "../../src/queue/operate.js";
import type { SmallData, Undisturbed } from "../faults/small-run.js";
import {
  TINY,
  annotateArgs,
  differences,
  filesOf,
  makeSmallData,
  newHome,
  problemsInIds,
  removeHome,
  runUndisturbed,
} from "../faults/small-run.js";
import type { Ended, StartOptions, Started } from "../process/start.js";
import { endAll, start } from "../process/start.js";
import type { RedisServer } from "./redis-server.js";
import { HAS_REDIS, startRedis } from "./redis-server.js";

/** Makes the life of workers hard. */
export const WORKER_PRELOAD = join(import.meta.dirname, "..", "faults", "queue-worker-preload.mjs");
/** Each process takes seconds to start where other tests run beside. */
export const LONG = 240_000;
/** 48 instances in 12 jobs. */
export const PER_IMAGE = 8,
  JOBS = 12;

export interface QueueWork {
  /** For files of the tests; removed in the end. */
  readonly home: string;
  /** Known once the tests run. */
  readonly data: SmallData;
  /** The run of one machine; known once the tests run. */
  readonly straight: Undisturbed;
  readonly newOut: () => string;
  /** Stopped, with all processes, after the test. @param settings more of redis-server's command line */
  readonly server: (...settings: string[]) => Promise<RedisServer>;
  readonly worker: (url: string, more?: readonly string[], options?: StartOptions) => Started;
  readonly coordinator: (url: string, out: string, more?: readonly string[], options?: StartOptions) => Started;
  /** What is not as in the run of one machine. */
  readonly problemsAfter: (ended: Ended, out: string) => string[];
}

/** Registers the set-up and the clean-up of a test file. */
export function queueWork(): QueueWork {
  const home = newHome();
  let data: SmallData;
  let straight: Undisturbed;
  let redis: RedisServer | undefined;
  let outs = 0;
  beforeAll(async () => {
    if (!HAS_REDIS) return;
    data = await makeSmallData(home, PER_IMAGE);
    straight = await runUndisturbed(data, "--overlays", "none");
  }, LONG);
  afterEach(async () => {
    endAll();
    await redis?.stop();
    redis = undefined;
  });
  afterAll(() => {
    removeHome(home);
  });
  return {
    home,
    get data() {
      return data;
    },
    get straight() {
      return straight;
    },
    newOut: () => join(home, `out-${++outs}`),
    server: async (...settings) => (redis = await startRedis(...settings)),
    worker: (url, more = [], options = {}) => {
      const stalledAfter = more.includes("--stalled-after") ? [] : ["--stalled-after", "2"];
      const threads = more.includes("--threads") ? [] : ["--threads", "1"];
      const words = [
        "worker",
        "--queue",
        url,
        "--images",
        data.images,
        "--model",
        TINY,
        "--device",
        "cpu",
        ...threads,
        ...stalledAfter,
        ...more,
      ];
      return start(words, { nodeOptions: ["--import", WORKER_PRELOAD], ...options });
    },
    coordinator: (url, out, more = [], options = {}) =>
      start(annotateArgs(data, out, "--overlays", "none", "--queue", url, ...more), options),
    problemsAfter: (ended, out) => {
      if (ended.code !== straight.code) return [`ended with ${ended.code ?? ended.signal}: ${ended.stderr}`];
      return [...differences(straight.files, filesOf(out)), ...problemsInIds(out, data)];
    },
  };
}

export async function queueOf(url: string): Promise<ModelQueue | undefined> {
  return (await operateQueue("status", { queue: parseRedisAddress(url), timeoutMs: 60_000 })).queues[0];
}

export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await wait(50);
}

/** Instances in the journal of a run that may not have begun. */
export function journaled(out: string): number {
  try {
    return Math.max(0, readFileSync(join(out, "journal.ndjson"), "utf8").split("\n").length - 2);
  } catch {
    return 0;
  }
}
