import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import type { AnnotateProgress, ReportedFailure } from "../../src/annotate/options.js";
import { durationText } from "../../src/cli/phrases.js";
import type { Progress } from "../../src/cli/progress.js";
import { progressMessage, showProgress } from "../../src/cli/progress.js";
import { paintFor } from "../../src/cli/terminal.js";
import type { MemoryTerminal } from "./memory-terminal.js";
import { memoryTerminal } from "./memory-terminal.js";

function start(terminal: MemoryTerminal, options: { quiet?: boolean; verbose?: boolean } = {}): Progress {
  const paint = paintFor(terminal.stderr, terminal.env, "never");
  return showProgress(terminal.stderr, {
    quiet: options.quiet ?? false,
    verbose: options.verbose ?? false,
    paint,
    now: () => terminal.now(),
  });
}

const at = (finished: number, failed = 0): AnnotateProgress => ({
  finished,
  total: 1000,
  failed,
  finishedNow: finished,
});
const failure = (
  annotationId: number | string,
  reason: ReportedFailure["reason"] = "image-missing",
): ReportedFailure => ({ annotationId, imageId: 1, reason, message: `${annotationId}.jpg is missing` });

test("without a terminal there is a plain line as soon as there is a rate, then one every ten seconds", () => {
  const terminal = memoryTerminal();
  const progress = start(terminal);
  progress.note("loading model mobile ...");
  for (let second = 0; second <= 25; second++) {
    progress.progress(at(second * 20, 3));
    terminal.wait(1000);
  }
  progress.end();
  expect(terminal.stderr.text.split("\n")).toEqual([
    "loading model mobile ...",
    "20 of 1000 done, 20 per second, 49 s left, 3 failed",
    "220 of 1000 done, 20 per second, 39 s left, 3 failed",
    "420 of 1000 done, 20 per second, 29 s left, 3 failed",
    "",
  ]);
});

test("a resumed run's rate counts only what this process finished", () => {
  const terminal = memoryTerminal();
  const progress = start(terminal);
  progress.progress({ finished: 900, total: 1000, failed: 0, finishedNow: 0 });
  terminal.wait(10_000);
  progress.progress({ finished: 950, total: 1000, failed: 0, finishedNow: 50 });
  expect(terminal.stderr.text).toBe("950 of 1000 done, 5.0 per second, 10 s left, 0 failed\n");
});

test("on a terminal there is a bar, failures stand above it, and nothing is left of it at the end", async () => {
  const terminal = memoryTerminal({ tty: true });
  const progress = start(terminal);
  progress.progress(at(0));
  progress.progress(at(500, 1));
  progress.failure(failure(7));
  expect(terminal.stderr.text).toContain("failed: annotation 7: 7.jpg is missing\n");
  await wait(250);
  expect(terminal.stderr.text).toContain("500 of 1000 done, 1 failed");
  expect(terminal.stderr.text).toContain("[============------------]");
  progress.failure(failure(8));
  progress.end();
  expect(terminal.stderr.text).toContain("failed: annotation 8: 8.jpg is missing\n");
  expect(terminal.stderr.text.endsWith("\u001b[0J")).toBe(true); // Clears everything from the line of the bar on.
  const length = terminal.stderr.text.length;
  await wait(250);
  expect(terminal.stderr.text).toHaveLength(length);
});

test("--quiet leaves failures only, on a terminal as well", () => {
  const terminal = memoryTerminal({ tty: true });
  const progress = start(terminal, { quiet: true });
  progress.note("loading model mobile ...");
  progress.progress(at(0));
  terminal.wait(60_000);
  progress.progress(at(500));
  progress.failure(failure(7));
  progress.end();
  expect(terminal.stderr.text).toBe("failed: annotation 7: 7.jpg is missing\n");
});

test("of each reason the first five failures are printed, then a count", () => {
  const terminal = memoryTerminal();
  const progress = start(terminal);
  for (let i = 1; i <= 100; i++) progress.failure(failure(i));
  progress.failure(failure("box 1", "box-empty"));
  progress.end();
  expect(terminal.stderr.text.split("\n")).toEqual([
    ...[1, 2, 3, 4, 5].map((i) => `failed: annotation ${i}: ${i}.jpg is missing`),
    "failed: annotation box 1: box 1.jpg is missing",
    "... and 95 more with image-missing",
    "",
  ]);
});

test("--verbose prints every failure", () => {
  const terminal = memoryTerminal();
  const progress = start(terminal, { verbose: true });
  for (let i = 1; i <= 100; i++) progress.failure(failure(i));
  progress.end();
  expect(terminal.stderr.text.split("\n")).toHaveLength(101);
});

test("an annotation is named once, also when the message begins with it", () => {
  const terminal = memoryTerminal();
  start(terminal).failure({ ...failure(7, "too-few-vertices"), message: "annotation 7: expected 3 vertices" });
  expect(terminal.stderr.text).toBe("failed: annotation 7: expected 3 vertices\n");
});

test("a file name cannot fake a line or move the cursor", () => {
  const terminal = memoryTerminal();
  const progress = start(terminal);
  progress.note("a\nb");
  progress.failure({ ...failure(1), message: "x\u001b[2J\r\n.jpg" });
  expect(terminal.stderr.text).toBe("a\\x0ab\nfailed: annotation 1: x\\x1b[2J\\x0d\\x0a.jpg\n");
});

test.each([
  [0, "0 s"],
  [59.4, "59 s"],
  [59.6, "1 min 0 s"],
  [152, "2 min 32 s"],
  [3599, "59 min 59 s"],
  [11520, "3 h 12 min"],
])("%d seconds are %s", (seconds, words) => {
  expect(durationText(seconds)).toBe(words);
});

test("before anything is finished there is no rate to tell", () => {
  expect(progressMessage(at(0), undefined)).toBe("0 of 1000 done, 0 failed");
});

test("the time left is told from the first second on, where the usual speed is known", () => {
  const terminal = memoryTerminal();
  const progress = start(terminal);
  progress.progress({ ...at(0), usualPerSecond: 50 });
  expect(terminal.stderr.text).toBe("0 of 1000 done, about 20 s left at the usual speed, 0 failed\n");
});

test("a short run without a terminal has no line", () => {
  const terminal = memoryTerminal();
  start(terminal).progress({ ...at(0), total: 100, usualPerSecond: 50 });
  expect(terminal.stderr.text).toBe("");
});

test("the bar is full only when the files are written", () => {
  const terminal = memoryTerminal({ tty: true });
  const progress = start(terminal);
  for (const written of [0, 0.99, 1]) {
    progress.progress({ ...at(1000), written });
    progress.note("draws the bar anew at once");
  }
  progress.end();
  const bars = [...terminal.stderr.text.matchAll(/\[([=-]+)\] 1000 of 1000 done, (files \d+ % written)/g)];
  const drawn = new Map(bars.map(([, bar, words]) => [words, bar!.replace(/=/g, "").length]));
  expect(drawn).toEqual(
    new Map([
      ["files 0 % written", 2],
      ["files 99 % written", 1],
      ["files 100 % written", 0],
    ]),
  );
});
