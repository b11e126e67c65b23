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
  runUndisturbed,
} from "../faults/small-run.js";
import type { AtWork, Ended, Host, StartOptions, Started } from "../helpers/command.js";
import { endAll, ownHost, sharedHost, start } from "../helpers/command.js";
import type { RedisServer } from "../helpers/redis-server.js";
import { HAS_REDIS, startRedis } from "../helpers/redis-server.js";

/** Makes the life of workers hard. */
export const WORKER_PRELOAD = join(import.meta.dirname, "..", "faults", "queue-worker-preload.mjs");
/** Each process takes seconds to start where other tests run beside. */
export const LONG = 240_000;
/** 48 instances in 12 jobs. */
export const PER_IMAGE = 8,
  JOBS = 12;

export interface Hosted {
  readonly env?: Readonly<Record<string, string>>;
  /** Another process to share, also in the full form. */
  readonly host?: Host;
}

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
  /**
   * Workers that nobody kills; stopped after the test. In the short form they share a warm process, in which images can
   * be slow as in one of their own.
   */
  readonly hostedWorker: (url: string, more?: readonly string[], how?: Hosted) => AtWork;
  /** Coordinators that nobody kills; in the short form they share a warm process, another than the workers'. */
  readonly hostedCoordinator: (url: string, out: string, more?: readonly string[], how?: Hosted) => AtWork;
  /** The same where only the end of the run counts. */
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
  let workersHost: Host | undefined;
  const hosted: AtWork[] = [];
  /** Without a host in the full form: a process each. */
  const hostOf = (given: Host | undefined, usual: () => Host): Host | undefined =>
    given ?? (IS_FULL ? undefined : usual());
  const startHosted = (host: Host | undefined, args: readonly string[], options: StartOptions): AtWork => {
    const run = host?.start(args, options.env) ?? start(args, options);
    hosted.push(run);
    return run;
  };
  afterEach(async () => {
    for (const { stop } of hosted) stop();
    // The server may be gone: then they may not find out in time.
    await Promise.race([Promise.all(hosted.splice(0).map(({ ended }) => ended)), wait(3000)]);
    endAll();
    await redis?.stop();
    redis = undefined;
  });
  afterAll(() => {
    workersHost?.close();
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
  const nodeOptions = ["--import", WORKER_PRELOAD];
  const hostedWorker: QueueWork["hostedWorker"] = (url, more = [], { env = {}, host } = {}) =>
    startHosted(
      hostOf(host, () => (workersHost ??= ownHost({ nodeOptions }))),
      workerArgs(url, more),
      { nodeOptions, env },
    );
  const hostedCoordinator: QueueWork["hostedCoordinator"] = (url, out, more = [], { env = {}, host } = {}) =>
    startHosted(hostOf(host, sharedHost), coordinatorArgs(url, out, more), { env });
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
    worker: (url, more = [], options = {}) => start(workerArgs(url, more), { nodeOptions, ...options }),
    coordinator: (url, out, more = [], options = {}) => start(coordinatorArgs(url, out, more), options),
    hostedWorker,
    hostedCoordinator,
    soundWorker: (url, more) => {
      hostedWorker(url, more);
    },
    soundCoordinator: (url, out, more) => hostedCoordinator(url, out, more).ended,
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
