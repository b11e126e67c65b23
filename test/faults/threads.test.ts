/**
 * Threads of a run that end in the middle of their work: the run ends with an error that says which and what to do, the
 * journal keeps what was finished, and --resume ends as if nothing had happened.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Ended, Host } from "../helpers/command.js";
import { endAll, ownHost, start } from "../helpers/command.js";
import { SLOW_MS, useSwiftShader, whyNoWebGpu } from "../swiftshader.js";
import { FaultCase, IS_FULL } from "./ledger.js";
import type { SmallData, Undisturbed } from "./small-run.js";
import {
  annotateArgs,
  differences,
  filesOf,
  makeSmallData,
  newHome,
  problemsAfterDeath,
  problemsInIds,
  removeHome,
  undisturbed,
} from "./small-run.js";

const PRELOAD = join(import.meta.dirname, "thread-end-preload.mjs");
/** Longest that such a run may take: an error comes at once, whatever a closing thread or device waits for. */
const MOST_MS = 120_000;
const THREADS = ["--threads", "2"];
const ON_WEBGPU = [...THREADS, "--device", "webgpu"];

/** For runs that nothing ends: of its own, because it has to know SwiftShader when it starts. */
let host: Host | undefined;
function warm(): Host {
  if (whyNoWebGpu === undefined) useSwiftShader();
  return (host ??= ownHost());
}

async function runStraight(data: SmallData, more: readonly string[]): Promise<Undisturbed> {
  const out = join(data.home, "undisturbed");
  return undisturbed(out, await warm().start(annotateArgs(data, out, ...more)).ended);
}

const homes: string[] = [];
async function makeData(perImage: number): Promise<SmallData> {
  const home = newHome();
  homes.push(home);
  return makeSmallData(home, perImage);
}
afterEach(endAll);
afterAll(() => {
  host?.close();
  homes.forEach(removeHome);
});

interface ThreadEnd {
  /** File name of the threads. */
  readonly thread: string;
  /** What messages call them. */
  readonly words: RegExp;
  readonly way: "exit" | "throw" | "memory";
  /** What each of them still sends: answers, and a judge's questions to the thread that draws. */
  readonly messages: number;
}

const SAID = {
  exit: /has ended with exit code 7/,
  throw: /has failed: out of a callback/,
  memory: /has failed: .*memory limit/,
};

async function runWithout(end: ThreadEnd, args: readonly string[]): Promise<Ended> {
  const { child, ended } = start([...args, "--json"], {
    env: {
      NODE_OPTIONS: `--import ${PRELOAD}${end.way === "memory" ? " --max-old-space-size=200" : ""}`,
      TEST_THREAD: end.thread,
      TEST_WAY: end.way,
      TEST_MESSAGES: String(end.messages),
    },
  });
  const late = setTimeout(() => child.kill("SIGKILL"), MOST_MS);
  try {
    return await ended;
  } finally {
    clearTimeout(late);
  }
}

const outcomesIn = (out: string): number => {
  const journal = join(out, "journal.ndjson");
  return existsSync(journal) ? readFileSync(journal, "utf8").trim().split("\n").length - 1 : 0;
};

let outputs = 0;
async function tryEnd(data: SmallData, end: ThreadEnd, straight: Undisturbed, more: readonly string[]): Promise<void> {
  const faults = new FaultCase(`${end.thread}: ${end.way} after ${end.messages} messages`);
  const out = join(data.home, `out-${++outputs}`);
  const ended = await runWithout(end, annotateArgs(data, out, ...more));
  const kept = outcomesIn(out);
  faults.seen = `${kept} of ${data.count} kept`;
  const problems = problemsAfterDeath(out, straight.files);
  const resumed = await warm().start(annotateArgs(data, out, ...more, "--resume")).ended;
  if (resumed.code !== straight.code) problems.push(`--resume ended with ${resumed.code}: ${resumed.stderr}`);
  faults.add([...problems, ...differences(straight.files, filesOf(out)), ...problemsInIds(out, data)]);
  faults.note();
  expect({ code: ended.code, signal: ended.signal }, ended.stderr).toEqual({ code: 69, signal: null });
  const report = JSON.parse(ended.stdout) as { code: string; message: string; hint: string };
  expect(report.code).toBe("E_UNAVAILABLE");
  expect(report.message).toMatch(end.words);
  expect(report.message).toMatch(SAID[end.way]);
  expect(report.hint).toMatch(/--resume.*--threads 1/);
  expect(kept).toBeLessThan(data.count);
  expect(faults.losses).toEqual([]);
}

describe("on a CPU, a thread that draws", () => {
  let data: SmallData, straight: Undisturbed;
  beforeAll(async () => {
    data = await makeData(10);
    straight = await runStraight(data, THREADS);
  }, 120_000);

  const end = { thread: "decoder-thread.js", words: /a thread that draws/ } as const;
  test.each<ThreadEnd>([
    { ...end, way: "exit", messages: 3 },
    { ...end, way: "throw", messages: 2 },
    { ...end, way: "memory", messages: 3 },
  ])("ends the run with an error: $way after $messages messages", async (given) => {
    await tryEnd(data, given, straight, THREADS);
  });
});

describe.skipIf(whyNoWebGpu !== undefined)("beside kernels of our own", () => {
  let data: SmallData, straight: Undisturbed;
  beforeAll(async () => {
    data = await makeData(2);
    straight = await runStraight(data, ON_WEBGPU);
  }, SLOW_MS);

  const cutter = { thread: "cutter-thread.js", words: /thread 1 of 1 that cut crops/ } as const;
  const judge = { thread: "judge-thread.js", words: /thread 1 of 1 that judge polygons/ } as const;
  test.each<ThreadEnd>([
    { ...cutter, way: "exit", messages: 19 },
    { thread: "decoder-thread.js", words: /the thread that draws/, way: "throw", messages: 8 },
    ...(IS_FULL
      ? ([
          { ...cutter, way: "memory", messages: 13 },
          { ...judge, way: "throw", messages: 7 },
          { ...judge, way: "exit", messages: 4 },
        ] as const)
      : []),
  ])(
    "$thread ends the run with an error: $way after $messages messages",
    async (given) => {
      await tryEnd(data, given, straight, ON_WEBGPU);
    },
    SLOW_MS,
  );
});
