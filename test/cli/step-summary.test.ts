import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AnnotateSummary } from "../../src/annotate/summary.js";
import { mergeMessages } from "../../src/cli/commands/merge.js";
import { appendStepSummary, summaryMarkdown } from "../../src/cli/step-summary.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const folder = temporaryFolder();

const summary: AnnotateSummary = {
  version: 1,
  type: "summary",
  stopped: false,
  images: 12,
  imagesAsked: 12,
  annotations: 90,
  done: 86,
  failed: 2,
  skipped: 2,
  remaining: 0,
  clipped: 0,
  unended: 0,
  invalid: 0,
  doubtful: 12,
  failedByReason: { "image-missing": 2 },
  skippedByReason: { crowd: 1, "already-done": 1 },
  failures: [{ annotationId: 7, imageId: 1, reason: "image-missing", message: "</details><script>a|b.jpg" }],
  meanScore: 0.5,
  lowestScores: [],
  engine: "onnxruntime",
  device: "cpu",
  engineVersion: "onnxruntime-node 1.30.0",
  model: "mobile",
  modelHash: "0".repeat(64),
  batchSize: 16,
  finishedNow: 88,
  seconds: 4.4,
  secondsPerStage: { decode: 0, crop: 0, encode: 0, steps: 0, write: 0 },
  instancesPerSecond: 20,
  peakMemoryMiB: 300,
  out: "out",
  written: [],
};

test("a job shows counts, reasons, throughput, model and device; names in messages are text", () => {
  const markdown = summaryMarkdown(summary);
  for (const text of [
    "| **Polygons drawn** | **86** |",
    "| image-missing | 2 |",
    "| already-done | 1 |",
    "88 instances in 4 s, 20.0 per second",
    "mobile",
    "cpu",
  ])
    expect(markdown).toContain(text);
  expect(markdown).not.toContain("<script>");
  expect(markdown).not.toContain("a|b");
  expect(markdown.match(/<details>/g)).toHaveLength(1);
});

test("it is appended to the file of the job, and nothing is written outside of one", async () => {
  const path = join(folder, "summary.md");
  writeFileSync(path, "before\n");
  await appendStepSummary({ GITHUB_STEP_SUMMARY: path }, summary);
  expect(readFileSync(path, "utf8")).toBe(`before\n${summaryMarkdown(summary)}`);
  await appendStepSummary({}, summary);
  await appendStepSummary({ GITHUB_STEP_SUMMARY: "" }, summary);
  await expect(appendStepSummary({ GITHUB_STEP_SUMMARY: folder }, summary)).rejects.toMatchObject({ exitCode: 73 });
});

test("a shard and a merged run say so; missing and unfinished shards are named in both places", () => {
  expect(summaryMarkdown({ ...summary, shard: { index: 3, count: 16, images: 5, annotations: 40 } })).toContain(
    "### Polygons, shard 3/16",
  );
  const merged: AnnotateSummary = {
    ...summary,
    remaining: 9,
    device: "several",
    merged: {
      count: 4,
      parts: [
        { shard: 1, folder: "part-1", remaining: 0, device: "cpu" },
        { shard: 2, folder: "part-2", remaining: 4, firstRemaining: "a7", device: "cuda" },
        { shard: 4, folder: "part-4", remaining: 0, device: "cpu" },
      ],
      missing: [{ shard: 3, remaining: 5 }],
    },
  };
  const words = mergeMessages(merged).join("\n");
  expect(words).toContain("86 polygons of 3 of 4 shards");
  expect(words).toContain("shard 2/4 (part-2) is unfinished: 4 instances left, for example annotation a7");
  expect(words).toContain("shard 3/4 is missing: 5 instances");
  expect(words).toContain("cpu (shards 1, 4), cuda (shard 2)");
  expect(summaryMarkdown(merged)).toMatch(
    /merged of 3\/4 shards[\s\S]*Not drawn yet \| 9[\s\S]*shard 2\/4[\s\S]*shard 3\/4 is missing/,
  );
});
