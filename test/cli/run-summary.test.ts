import { expect, test } from "vitest";
import type { AnnotateSummary } from "../../src/annotate/summary.js";
import { summaryMessages } from "../../src/cli/run-summary.js";

const SUMMARY: AnnotateSummary = {
  version: 1,
  type: "summary",
  stopped: false,
  images: 12,
  imagesAsked: 12,
  annotations: 100,
  done: 90,
  failed: 0,
  skipped: 0,
  remaining: 0,
  clipped: 0,
  unended: 0,
  invalid: 0,
  doubtful: 12,
  failedByReason: {},
  skippedByReason: {},
  failures: [],
  meanScore: 0.8,
  lowestScores: [],
  engine: "onnxruntime",
  device: "cpu",
  engineVersion: "onnxruntime-node 1.30.0",
  model: "mobile",
  modelHash: "abc",
  batchSize: 8,
  finishedNow: 90,
  seconds: 7.5,
  secondsPerStage: { decode: 1, crop: 1, encode: 3, steps: 2, write: 0.5 },
  instancesPerSecond: 12,
  peakMemoryMiB: 300.4,
  out: "polyrnn-out",
  written: ["annotations.json", "summary.json", "overlays/"],
};
const REST = ["images", "--boxes", "my boxes.json"];

test("the closing words say what was done, by what, what was written, and where to look", () => {
  expect(summaryMessages(SUMMARY, REST, false)).toEqual([
    "90 polygons from 12 images in 8 s (12.0 instances per second; model mobile, onnxruntime-node 1.30.0, cpu)",
    "wrote polyrnn-out/: annotations.json, summary.json, overlays/",
    "next: polyrnn review polyrnn-out (12 polygons below 0.5)",
  ]);
});

test.each([
  { change: { annotations: 0, done: 0 }, says: "nothing to draw: there are no annotations" },
  {
    change: { done: 0, skipped: 7, skippedByReason: { crowd: 3, kept: 4 } },
    says: "nothing to draw: 7 annotations, and all passed over",
  },
  { change: { done: 0, skipped: 7, skippedByReason: { "score-below-minimum": 7 } }, says: "0 polygons from 12 images" },
  { change: { done: 0, failed: 2, failedByReason: { "image-missing": 2 } }, says: "0 polygons from 12 images" },
] as const)("a run without a polygon says whether there was anything to draw: $says", ({ change, says }) => {
  expect(summaryMessages({ ...SUMMARY, ...change }, REST, false)[0]).toContain(says);
});

test("with --limit only the images that were asked for count", () => {
  expect(summaryMessages({ ...SUMMARY, done: 3, imagesAsked: 1 }, REST, false)[0]).toMatch(
    /^3 polygons from 1 image in/,
  );
});

test("failures and skips are counted by reason, and the next step is to look at the failures", () => {
  const words = summaryMessages(
    {
      ...SUMMARY,
      failed: 4,
      failedByReason: { "image-missing": 3, "box-empty": 1 },
      skipped: 2,
      skippedByReason: { crowd: 2 },
      clipped: 1,
      invalid: 11,
      unended: 2,
    },
    REST,
    false,
  );
  expect(words.slice(1, 6)).toEqual([
    "4 failed: 3 image-missing, 1 box-empty",
    "2 skipped: 2 crowd",
    "1 box reached over the image's border and was cut there",
    "11 polygons cross or touch themselves (polyrnn_valid: false)",
    "2 polygons ended at the step limit (--max-steps)",
  ]);
  expect(words.at(-1)).toBe(
    "next: see the failures in polyrnn-out/summary.json; then polyrnn review polyrnn-out (12 polygons below 0.5)",
  );
});

test.each([
  { clipped: 9, done: 9, says: "9 boxes reached over the image's border and were cut there", why: "too few to say" },
  {
    clipped: 45,
    done: 90,
    says: "45 boxes reached over the image's border and were cut there",
    why: "half of them: large things",
  },
  {
    clipped: 46,
    done: 90,
    says: "46 boxes reached over the image's border and were cut there; check that boxes are [left, top, width, height], not [left, top, right, bottom]",
    why: "most: corners?",
  },
])("boxes that were cut are counted, and doubted where they are most: $clipped of $done", ({ clipped, done, says }) => {
  expect(summaryMessages({ ...SUMMARY, clipped, done }, REST, false)).toContain(says);
});

test.each([
  {
    rest: REST,
    command: "polyrnn annotate images --boxes 'my boxes.json' --resume",
    why: "words are quoted for the shell",
  },
  {
    rest: [...REST, "--resume"],
    command: "polyrnn annotate images --boxes 'my boxes.json' --resume",
    why: "--resume is not said twice",
  },
  {
    rest: ["it's", "--boxes", "b", "--force"],
    command: "polyrnn annotate 'it'\\''s' --boxes b --resume",
    why: "--force would throw the run away",
  },
])("a stopped run says how to go on: $why", ({ rest, command }) => {
  expect(summaryMessages({ ...SUMMARY, stopped: true, remaining: 10 }, rest, false).at(-1)).toBe(
    `stopped with 10 instances left; go on with: ${command}`,
  );
});

test("a stopped stream has nothing to go on with", () => {
  expect(summaryMessages({ ...SUMMARY, stopped: true, remaining: 1, out: "-", written: [] }, REST, false).at(-1)).toBe(
    "stopped with 1 instance left",
  );
});

test("where every instance failed there is nothing to review", () => {
  const all = { done: 0, failed: 4, failedByReason: { "image-missing": 4 } } as const;
  expect(summaryMessages({ ...SUMMARY, ...all }, REST, false).at(-1)).toBe(
    "next: see the failures in polyrnn-out/summary.json",
  );
});

test("the lowest scores are named with their annotations; an id of a thousand characters is cut", () => {
  const lowestScores = [
    { annotationId: 7, imageId: 1, score: 0.118 },
    { annotationId: "x".repeat(1000), imageId: 1, score: 0.3 },
  ];
  expect(summaryMessages({ ...SUMMARY, lowestScores }, REST, false)).toContain(
    `lowest scores: 0.12 (annotation 7), 0.30 (annotation ${"x".repeat(60)}...)`,
  );
});

test("--verbose adds the time per stage and the memory", () => {
  expect(summaryMessages(SUMMARY, REST, true)).toContain(
    "time: decode 1.00 s, crop 1.00 s, encode 3.00 s, steps 2.00 s, write 0.50 s; peak memory 300 MiB; batches of 8",
  );
});
