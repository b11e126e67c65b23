/** What tests of a live queue share: small data, the run of one machine to compare with, a Redis server per test. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll } from "vitest";
import { parseRedisAddress } from "../../src/queue/address.js";
import { Secret } from "../../src/secret.js";
import { LEASE_PATTERN } from "../../src/queue/lease.js";
import type { ModelQueue } from "../../src/queue/operate.js";
import { operateQueue } from "../../src/queue/operate.js";
import { IS_FULL } from "../faults/ledger.js";
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
  runSoundly,
  runUndisturbed,
} from "../faults/small-run.js";
import type { Ended, InHost, StartOptions, Started } from "../helpers/command.js";
import { endAll, start, startInHost } from "../helpers/command.js";
import type { RedisServer } from "../helpers/redis-server.js";
import { HAS_REDIS, startRedis } from "../helpers/redis-server.js";

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
  /** Workers and coordinators that nothing happens to share a process in the short form. */
  readonly soundWorker: (url: string, more?: readonly string[]) => void;
  readonly soundCoordinator: (url: string, out: string, more?: readonly string[]) => Promise<Ended>;
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
  const soundWorkers: InHost[] = [];
  afterEach(async () => {
    for (const { stop } of soundWorkers) stop();
    // The server may be gone: then they may not find out in time.
    await Promise.race([Promise.all(soundWorkers.splice(0).map(({ ended }) => ended)), wait(3000)]);
    endAll();
    await redis?.stop();
    redis = undefined;
  });
  afterAll(() => {
    removeHome(home);
  });
  const workerArgs = (url: string, more: readonly string[]): string[] => {
    const stalledAfter = more.includes("--stalled-after") ? [] : ["--stalled-after", "2"];
    const threads = more.includes("--threads") ? [] : ["--threads", "1"];
    const which = ["--queue", url, "--images", data.images, "--model", TINY, "--device", "cpu"];
    return ["worker", ...which, ...threads, ...stalledAfter, ...more];
  };
  const coordinatorArgs = (url: string, out: string, more: readonly string[]): string[] =>
    annotateArgs(data, out, "--overlays", "none", "--queue", url, ...more);
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
    worker: (url, more = [], options = {}) =>
      start(workerArgs(url, more), { nodeOptions: ["--import", WORKER_PRELOAD], ...options }),
    coordinator: (url, out, more = [], options = {}) => start(coordinatorArgs(url, out, more), options),
    soundWorker: (url, more = []) => {
      if (IS_FULL) start(workerArgs(url, more));
      else soundWorkers.push(startInHost(workerArgs(url, more)));
    },
    soundCoordinator: (url, out, more = []) => runSoundly(coordinatorArgs(url, out, more)),
    problemsAfter: (ended, out) => {
      if (ended.code !== straight.code) return [`ended with ${ended.code ?? ended.signal}: ${ended.stderr}`];
      return [...differences(straight.files, filesOf(out)), ...problemsInIds(out, data)];
    },
  };
}

export async function queueOf(url: string): Promise<ModelQueue | undefined> {
  return (await operateQueue("status", { queue: parseRedisAddress(new Secret(url)), timeoutMs: 60_000 })).queues[0];
}

export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await wait(100);
}

/** A coordinator that was killed holds its run for ten more seconds, by the server's clock; here for half of one. */
export async function endLeases({ client }: RedisServer): Promise<void> {
  for (const key of await client.keys(LEASE_PATTERN)) await client.pexpire(key, 500);
}

/** Instances in the journal of a run that may not have begun. */
export function journaled(out: string): number {
  try {
    return Math.max(0, readFileSync(join(out, "journal.ndjson"), "utf8").split("\n").length - 2);
  } catch {
    return 0;
  }
}
