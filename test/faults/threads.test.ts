/**
 * Threads of a run that end in the middle of their work: the run ends with an error that says which and what to do, the
 * journal keeps what was finished, and --resume ends as if nothing had happened.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Ended } from "../helpers/command.js";
import { endAll, start } from "../helpers/command.js";
import { SLOW_MS, useSwiftShader, whyNoWebGpu } from "../swiftshader.js";
import { FaultCase, IS_FULL } from "./ledger.js";
import type { SmallData, Undisturbed } from "./small-run.js";
import {
  annotateArgs,
  makeSmallData,
  newHome,
  problemsAfterDeath,
  removeHome,
  resumeProblems,
  runUndisturbed,
} from "./small-run.js";

const PRELOAD = join(import.meta.dirname, "thread-end-preload.mjs");
/** Longest that such a run may take: an error comes at once, whatever a closing thread or device waits for. */
const MOST_MS = 60_000;

// Before the first run: the process that runs several keeps the environment it was started with.
if (whyNoWebGpu === undefined) useSwiftShader();

const homes: string[] = [];
async function makeData(perImage: number): Promise<SmallData> {
  const home = newHome();
  homes.push(home);
  return makeSmallData(home, perImage);
}
afterEach(endAll);
afterAll(() => {
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
async function tryEnd(data: SmallData, end: ThreadEnd, straight: Undisturbed): Promise<void> {
  const faults = new FaultCase(`${end.thread}: ${end.way} after ${end.messages} messages`);
  const out = join(data.home, `out-${++outputs}`);
  const ended = await runWithout(end, annotateArgs(data, out));
  const kept = outcomesIn(out);
  faults.seen = `${kept} of ${data.count} kept`;
  const { problems } = await resumeProblems(data, out, straight);
  faults.add([...problemsAfterDeath(out, straight.files), ...problems]);
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
    straight = await runUndisturbed(data);
  }, 120_000);

  const end = { thread: "decoder-thread.js", words: /a thread that draws/ } as const;
  test.each<ThreadEnd>([
    { ...end, way: "exit", messages: 3 },
    { ...end, way: "throw", messages: 2 },
    { ...end, way: "memory", messages: 3 },
  ])("ends the run with an error: $way after $messages messages", async (given) => {
    await tryEnd(data, given, straight);
  });
});

describe.skipIf(whyNoWebGpu !== undefined)("beside kernels of our own", () => {
  let data: SmallData, straight: Undisturbed;
  beforeAll(async () => {
    data = { ...(await makeData(2)), device: "webgpu" };
    straight = await runUndisturbed(data);
  }, SLOW_MS);

  const cutter = { thread: "cutter-thread.js", words: /thread 1 of 1 that cut crops/ } as const;
  const judge = { thread: "judge-thread.js", words: /thread 1 of 1 that judge polygons/ } as const;
  test.each<ThreadEnd>([
    { ...cutter, way: "exit", messages: 19 },
    { ...judge, way: "throw", messages: 7 },
    { thread: "decoder-thread.js", words: /the thread that draws/, way: "throw", messages: 8 },
    ...(IS_FULL
      ? ([
          { ...cutter, way: "memory", messages: 13 },
          { ...judge, way: "exit", messages: 4 },
        ] as const)
      : []),
  ])(
    "$thread ends the run with an error: $way after $messages messages",
    async (given) => {
      await tryEnd(data, given, straight);
    },
    SLOW_MS,
  );
});
