import { writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { dryRunMessages } from "../../src/cli/dry-run.js";
import { run } from "../../src/cli/run.js";
import { memoryTerminal } from "../cli/memory-terminal.js";
import type { DryRun } from "../../src/annotate/dry-run.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { BOXES, IMAGES, TINY, newOut } from "./runs.js";

async function dry(boxes: string, ...more: string[]): Promise<{ code: number; result: DryRun; out: string }> {
  const terminal = memoryTerminal();
  const out = newOut();
  const words = ["annotate", IMAGES, "--boxes", boxes, "--model", TINY, "--device", "cpu", "--max-steps", "5"];
  const code = await run([...words, "--out", out, "--dry-run", "--json", ...more], terminal);
  return { code, result: JSON.parse(terminal.stdout.text) as DryRun, out };
}

test("a dry run counts boxes, images, skips and failures, estimates the rest, and writes nothing", async () => {
  const boxes = join(temporaryFolder(), "boxes.json");
  const [image] = await readdir(IMAGES);
  const box = { bbox: [10, 10, 40, 40], iscrowd: 0 };
  writeFileSync(
    boxes,
    JSON.stringify({
      images: [
        { id: 1, file_name: image },
        { id: 2, file_name: "nowhere.jpg" },
      ],
      categories: [
        { id: 1, name: "cup" },
        { id: 2, name: "spoon" },
        { id: 3, name: "unused" },
      ],
      annotations: [
        { ...box, id: 1, image_id: 1, category_id: 1 },
        { ...box, id: 2, image_id: 1, category_id: 2 },
        { ...box, id: 3, image_id: 1, category_id: 2, iscrowd: 1 },
        { ...box, id: 4, image_id: 1, category_id: 2, bbox: [10, 10, 0, 5] },
        { ...box, id: 5, image_id: 2, category_id: 2 },
      ],
    }),
  );
  const { code, result, out } = await dry(boxes);
  expect(result).toMatchObject({
    type: "dry-run",
    annotations: 5,
    toPredict: 2,
    imagesAsked: 1,
    categories: [
      { id: 2, name: "spoon", boxes: 2, toPredict: 1 },
      { id: 1, name: "cup", boxes: 1, toPredict: 1 },
      { id: 3, name: "unused", boxes: 0, toPredict: 0 },
    ],
    images: { listed: 2, found: 1, notFound: 1, examples: ["nowhere.jpg"] },
    skippedByReason: { crowd: 1 },
    failedByReason: { "box-empty": 1, "image-missing": 1 },
    trial: { instances: 2, failedByReason: {} },
  });
  expect(result.estimate!.peakMemoryMiB).toBeGreaterThan(20);
  expect(code).toBe(1);
  expect(await readdir(dirname(out))).toEqual([]);
  expect(dryRunMessages(result).slice(0, 6)).toEqual([
    "dry run, nothing is written: 5 boxes, 2 to draw in 1 image",
    "  2  spoon (1 to draw)",
    "  1  cup",
    "images: 1 found, 1 not found: nowhere.jpg",
    "1 to be skipped: 1 crowd",
    "2 to fail: 1 box-empty, 1 image-missing",
  ]);
});

test("ten instances of a larger input are tried, --limit counts, and the exit code is that of the run", async () => {
  const { code, result } = await dry(BOXES, "--limit", "12");
  expect(result).toMatchObject({ toPredict: 12, trial: { instances: 10 } });
  expect(result.estimate!.seconds).toBeCloseTo(12 / result.trial!.instancesPerSecond, -1);
  expect(code).toBe(0);
  expect((await dry(BOXES, "--categories", "nothing-such")).code).not.toBe(0);
});

test.each([
  { more: ["--queue", "redis://host"], message: "--dry-run and --queue exclude each other" },
  { more: ["--resume"], message: "--dry-run and --resume exclude each other" },
])("$message", async ({ more, message }) => {
  const { code, result } = await dry(BOXES, ...more);
  expect(code).toBe(2);
  expect(result).toMatchObject({ type: "error", message: expect.stringContaining(message) as string });
});
