import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CELL_COUNT, CROP_SIZE, EOS, GRID_SIZE, indexToCell } from "../../../src/geometry/grid.js";
import { signedArea } from "../../../src/geometry/ring.js";
import type { TrainingBatch } from "../../../src/engine/trainer.js";
import type { Augmentation } from "../../../src/train/data/augmentation.js";
import { NO_AUGMENTATION } from "../../../src/train/data/augmentation.js";
import type { TrainingSet, TrainingSetOptions } from "../../../src/train/data/training-set.js";
import { openTrainingSet } from "../../../src/train/data/training-set.js";
import { targetMaps } from "../../../src/train/data/targets.js";
import type { GridCell } from "../../../src/types.js";
import { errorOf } from "../../dataset/temporary-folder.js";
import type { DrawnData } from "../drawn-data.js";
import { IMAGES, INSTANCES, drawData, regular } from "../drawn-data.js";

/** What is in a batch, short: comparing hundreds of thousands of numbers one by one takes minutes. */
const digest = ({ size, steps, crops, cells, edge, mask }: TrainingBatch): string =>
  [crops, cells, edge, mask]
    .reduce((hash, numbers) => hash.update(numbers), createHash("sha256").update(`${size} ${steps}`))
    .digest("hex");

const data = await drawData();
const open = (more: Partial<TrainingSetOptions> = {}, from: DrawnData = data): Promise<TrainingSet> =>
  openTrainingSet({ boxes: from.boxes, images: from.images, seed: 7, batchSize: 3, ...more });

/** Cells of one row up to end-of-sequence. */
function ringOf({ cells, steps }: TrainingBatch, row: number): GridCell[] {
  const sequence = [...cells.subarray(row * (steps + 1), (row + 1) * (steps + 1))];
  return sequence.slice(0, sequence.indexOf(EOS)).map(indexToCell);
}

test("the same step gives the same bytes whenever it is asked for: in order, out of order, at once, with hardly a cache, opened again", async () => {
  const [first, second] = [await open(), await open({ cacheBytes: 1 })];
  const straight: string[] = [];
  for (let step = 0; step < 8; step++) straight.push(digest(await first.batch(step)));
  const order = [7, 2, 0, 5, 6, 1, 3, 4];
  const mixed = await Promise.all(order.map((step) => second.batch(step)));
  expect(mixed.map(digest)).toEqual(order.map((step) => straight[step]));
  expect(digest(await first.batch(3))).toBe(straight[3]);
  expect(new Set(straight).size).toBe(8);
});

test("with several instances per image, too, a step's batch is the same whenever it is asked for", async () => {
  const [first, second] = [await open({ perImage: 3 }), await open({ perImage: 3 })];
  const expected = [digest(await first.batch(0)), digest(await first.batch(1))];
  expect([digest(await second.batch(1)), digest(await second.batch(0))]).toEqual(expected.toReversed());
});

test("another seed gives other batches", async () => {
  const [one, other] = [await open(), await open({ seed: 8 })];
  expect(digest(await other.batch(0))).not.toBe(digest(await one.batch(0)));
});

test("every row is a clockwise ring with its maps, ended and filled by end-of-sequence; the longest fills the steps", async () => {
  const set = await open();
  for (let step = 0; step < 6; step++) {
    const batch = await set.batch(step);
    expect(batch.size).toBe(3);
    expect(batch.crops.length).toBe(3 * CROP_SIZE * CROP_SIZE * 3);
    const rings = [0, 1, 2].map((row) => ringOf(batch, row));
    expect(Math.max(...rings.map((ring) => ring.length))).toBe(batch.steps);
    rings.forEach((ring, row) => {
      expect(ring.length).toBeGreaterThanOrEqual(3);
      expect(signedArea(ring.map(({ col, row: y }) => ({ x: col, y })))).toBeGreaterThan(0);
      expect(
        [...batch.cells.subarray(row * (batch.steps + 1) + ring.length, (row + 1) * (batch.steps + 1))].every(
          (cell) => cell === EOS,
        ),
      ).toBe(true);
      const { edge, mask } = targetMaps(ring);
      expect(batch.edge.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT)).toEqual(edge);
      expect(batch.mask.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT)).toEqual(mask);
    });
  }
});

test("rows of a batch are of like lengths: six batches sampled together are cut where they are sorted", async () => {
  const set = await open({ batchSize: 6, augmentation: NO_AUGMENTATION });
  const batches = await Promise.all([0, 1, 2, 3, 4, 5].map((step) => set.batch(step)));
  const spans = batches
    .map((batch) => Array.from({ length: 6 }, (_, row) => ringOf(batch, row).length))
    .map((lengths) => [Math.min(...lengths), Math.max(...lengths)] as const);
  const sorted = spans.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  for (let i = 1; i < sorted.length; i++) expect(sorted[i]![0]).toBeGreaterThanOrEqual(sorted[i - 1]![1]);
  expect(spans).not.toEqual(sorted);
});

/**
 * Share of pixels at centers of cells inside the ring (not on its edge) that are white, and of cells well outside that
 * are black.
 */
function agreement(batch: TrainingBatch, row: number): { inside: number; outside: number } {
  const mask = batch.mask.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT);
  const edge = batch.edge.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT);
  const nearEdge = (at: number): boolean => [0, -1, 1, -GRID_SIZE, GRID_SIZE].some((step) => edge[at + step] === 1);
  const side = CROP_SIZE / GRID_SIZE;
  const counts = { inside: [0, 0], outside: [0, 0] };
  for (let at = 0; at < CELL_COUNT; at++) {
    if (nearEdge(at)) continue;
    const { col, row: y } = indexToCell(at);
    const pixel = batch.crops[((row * CROP_SIZE + (y + 0.5) * side) * CROP_SIZE + (col + 0.5) * side) * 3]!;
    const [place, isRight] = mask[at]! > 0.5 ? (["inside", pixel > 200] as const) : (["outside", pixel < 55] as const);
    counts[place][0]! += isRight ? 1 : 0;
    counts[place][1]! += 1;
  }
  const share = ([right, all]: readonly number[]): number => (all === 0 ? 1 : right! / all!);
  return { inside: share(counts.inside), outside: share(counts.outside) };
}

const SHAPE: Partial<Augmentation> = { ...NO_AUGMENTATION, randomStart: true };
test.each([
  { change: {}, why: "the plain crop" },
  { change: { flip: 1 }, why: "left and right exchanged" },
  { change: { flipVertical: 1 }, why: "top and bottom exchanged" },
  {
    change: { flip: 0.5, flipVertical: 0.5, contextLow: 0, contextHigh: 0.6, jitter: 0.1 },
    why: "flips, context and jitter",
  },
  { change: { scale: 1, scaleLowest: 0.5, blur: 1 }, why: "less detail" },
  {
    change: { paste: 1, flip: 0.5, contextLow: 0.1, contextHigh: 0.3, jitter: 0.05 },
    why: "pasted onto another picture",
  },
])("the mask to be taught lies where the instance is in the picture: $why", async ({ change }) => {
  // One instance per image: a neighbor in the crop would be white outside the ring.
  const apart = await drawData(IMAGES, [INSTANCES[0]!, INSTANCES[2]!, INSTANCES[4]!]);
  const set = await open({ augmentation: { ...SHAPE, ...change }, batchSize: 5 }, apart);
  for (const batch of await Promise.all([0, 1].map((step) => set.batch(step)))) {
    for (let row = 0; row < batch.size; row++) {
      const { inside, outside } = agreement(batch, row);
      expect(inside).toBe(1);
      // What lies around a pasted instance may be the other picture's instance.
      if (!("paste" in change)) expect(outside).toBe(1);
    }
  }
});

test("without augmentation every row is the plain crop with the first vertex first", async () => {
  const single = await drawData([IMAGES[0]!], [{ image: 0, ring: regular(5, 90, 80, 60) }]);
  const set = await open({ augmentation: NO_AUGMENTATION, batchSize: 2 }, single);
  const batch = await set.batch(0);
  expect(ringOf(batch, 0)).toEqual(ringOf(batch, 1));
  expect(
    Buffer.compare(batch.crops.subarray(0, batch.crops.length / 2), batch.crops.subarray(batch.crops.length / 2)),
  ).toBe(0);
  expect(digest(await set.batch(5))).toBe(digest(batch));
});

test("sources are sampled by their weights", async () => {
  const only = await open({
    sourceWeights: new Map([
      ["left", 0],
      ["right", 1],
    ]),
    augmentation: NO_AUGMENTATION,
    batchSize: 8,
  });
  expect(only.bySource).toEqual(
    new Map([
      ["left", 4],
      ["right", 1],
    ]),
  );
  const batch = await only.batch(0);
  for (let row = 1; row < 8; row++) expect(ringOf(batch, row)).toEqual(ringOf(batch, 0));
});

test("everything left out is counted by its reason", async () => {
  const box = [0, 0, 100, 100];
  const more = [
    { id: 20, image_id: 1, category_id: 1, bbox: box },
    { id: 21, image_id: 1, category_id: 1, bbox: box, segmentation: [[0, 0, 10, 0, 10, 10]] },
    {
      id: 22,
      image_id: 1,
      category_id: 1,
      bbox: box,
      segmentation: [
        [0, 0, 50, 0, 50, 50, 0, 50],
        [60, 60, 100, 60, 100, 100],
      ],
    },
    { id: 23, image_id: 1, category_id: 1, bbox: box, segmentation: [[0, 0, 100]] },
    { id: 24, image_id: 9, category_id: 1, bbox: box, segmentation: [regular(4, 50, 50, 40)] },
    { id: 25, image_id: 1, category_id: 1, iscrowd: 1, bbox: box, segmentation: [regular(4, 50, 50, 40)] },
    { id: 26, image_id: 1, category_id: 1, bbox: [900, 900, 50, 50], segmentation: [regular(4, 50, 50, 40)] },
    {
      id: 27,
      image_id: 1,
      category_id: 1,
      bbox: [2, 5, 190, 10],
      segmentation: [[2, 11, 192, 11, 192, 16.5, 2, 16.5]],
    },
    { id: 28, image_id: 1, category_id: 1, bbox: box, segmentation: [regular(8, 50, 50, 49)] },
    { id: 29, image_id: 1, category_id: 1, bbox: [0, 0, "wide", 5], segmentation: [regular(4, 50, 50, 40)] },
  ];
  const set = await open(
    { filter: { maxVertices: 7 } },
    await drawData(
      IMAGES,
      INSTANCES.filter(({ ring }) => ring.length <= 14),
      more,
    ),
  );
  expect(Object.fromEntries(set.dropped)).toEqual({
    "no-polygon": 1,
    "too-small": 1,
    "several-parts": 1,
    "truth-invalid": 1,
    "image-unknown": 1,
    crowd: 1,
    "box-outside": 1,
    "longer-than-limit": 1,
    "box-invalid": 1,
    "fewer-than-three-cells": 1,
  });
  expect(set.instances).toBe(4);
});

test("a damaged image is counted and named, its rows are other rows of the batch, and the batches stay the same", async () => {
  const damaged = await drawData(IMAGES, [INSTANCES[0]!, INSTANCES[2]!, INSTANCES[4]!]);
  const path = join(damaged.images, "two.png");
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(0, bytes.length - 60));
  const named: string[] = [];
  const set = await open(
    {
      augmentation: NO_AUGMENTATION,
      onDamaged: (fileName) => {
        named.push(fileName);
      },
    },
    damaged,
  );
  expect(set.dropped.size).toBe(0);
  const batches: TrainingBatch[] = [];
  for (let step = 0; step < 6; step++) batches.push(await set.batch(step));
  expect(named).toEqual(["two.png"]);
  expect(Object.fromEntries(set.dropped)).toEqual({ "image-unreadable": 1 });
  // No row is left black: what stands in for a lost crop is a whole crop with its own ring.
  for (const batch of batches)
    for (let row = 0; row < batch.size; row++) expect(agreement(batch, row)).toEqual({ inside: 1, outside: 1 });
  const again = await open({ augmentation: NO_AUGMENTATION }, damaged);
  for (const step of [5, 0, 3]) expect(digest(await again.batch(step))).toBe(digest(batches[step]!));
});

test.each([
  { more: { categories: ["never"] }, code: "E_DATA", says: /none of "never"/, why: "a category that never appears" },
  { more: { categories: ["nevr"] }, code: "E_USAGE", says: /"nevr"/, why: "a category that does not exist" },
  {
    more: { filter: { minAreaPx: 1e9 } },
    code: "E_DATA",
    says: /received none \(left out: too-small 5\)/,
    why: "nothing left to learn from",
  },
  { more: { filter: { maxVertices: 2 } }, code: "E_USAGE", says: /most vertices/, why: "a limit no ring can keep" },
  { more: { batchSize: 0 }, code: "E_USAGE", says: /batch size/, why: "an empty batch" },
  { more: { perImage: 0 }, code: "E_USAGE", says: /instances per image/, why: "no instance per image" },
  { more: { maxInstances: 0 }, code: "E_USAGE", says: /instances: expected/, why: "an empty subset" },
  {
    more: { augmentation: { flip: 2 } },
    code: "E_USAGE",
    says: /flip: expected a number from 0 to 1/,
    why: "a probability above 1",
  },
  {
    more: { augmentation: { contextLow: 0.3 } },
    code: "E_USAGE",
    says: /contextLow/,
    why: "a range the wrong way round",
  },
  {
    more: { sourceWeights: new Map([["left", 1]]) },
    code: "E_USAGE",
    says: /none for "right"/,
    why: "a source without a weight",
  },
  {
    more: {
      sourceWeights: new Map([
        ["left", 1],
        ["right", 1],
        ["up", 1],
      ]),
    },
    code: "E_USAGE",
    says: /"up"/,
    why: "a weight without a source",
  },
  {
    more: {
      sourceWeights: new Map([
        ["left", 0],
        ["right", 0],
      ]),
    },
    code: "E_USAGE",
    says: /above 0/,
    why: "weights that leave nothing",
  },
  {
    more: { excludeImages: ["four.png"] },
    code: "E_USAGE",
    says: /"four.png"/,
    why: "an excluded image that is not there",
  },
] satisfies readonly { more: Partial<TrainingSetOptions>; code: string; says: RegExp; why: string }[])(
  "$why is an error: $code",
  async ({ more, code, says }) => {
    const error = await errorOf(open(more));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
  },
);

test("excluded images are counted and not sampled from", async () => {
  const set = await open({ excludeImages: ["three.png"] });
  expect(set.files.map(({ fileName }) => fileName)).toEqual(["one.png", "two.png"]);
  expect(Object.fromEntries(set.dropped)).toEqual({ "image-excluded": 1 });
});
