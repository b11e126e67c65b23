import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutShard, shardsOf } from "../../src/annotate/shard.js";
import type { ImageGroup } from "../../src/dataset/dataset.js";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { BOXES, IMAGES, boxesWith, journalOf, readCoco, runAnnotate } from "./runs.js";

const names = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `train/${String(i).padStart(12, "0")}.jpg`);

function sizesOf(shards: Uint32Array, count: number): number[] {
  return Array.from({ length: count }, (_, i) => shards.filter((shard) => shard === i + 1).length);
}

test.each([
  [1000, 2],
  [1000, 16],
  [1000, 100],
  [1013, 16],
  [5000, 7],
  [20_000, 64],
])("%i images in %i shards: sizes are within a tenth of their mean", (images, count) => {
  const sizes = sizesOf(shardsOf(names(images), count), count);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(images);
  const mean = images / count;
  for (const size of sizes) expect(Math.abs(size - mean)).toBeLessThan(1);
  if (mean >= 10) expect(Math.max(...sizes) - mean).toBeLessThanOrEqual(0.1 * mean);
});

test("sizes differ by one image at most, every image has one shard, and names alone decide, whatever they are", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "binary" }), { maxLength: 200 }),
      fc.integer({ min: 1, max: 20 }),
      (files, count) => {
        const sizes = sizesOf(shardsOf(files, count), count);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(files.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(shardsOf([...files], count)).toEqual(shardsOf(files, count));
      },
    ),
    { numRuns: 30 },
  );
});

test("the order of the input does not move an image to another shard, unless names are doubled", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), (files, count) => {
      const straight = shardsOf(files, count),
        reversed = shardsOf([...files].reverse(), count);
      expect([...reversed].reverse()).toEqual([...straight]);
    }),
  );
});

test("the cut is the documented one: rank by SHA-256 of the name", () => {
  const files = ["street/ä.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"];
  const sorted = [...files].sort((a, b) =>
    createHash("sha256").update(a, "utf8").digest("hex") < createHash("sha256").update(b, "utf8").digest("hex")
      ? -1
      : 1,
  );
  const shards = shardsOf(files, 2);
  expect(files.map((file, i) => ({ file, shard: shards[i] }))).toEqual(
    files.map((file) => ({ file, shard: Math.floor((sorted.indexOf(file) * 2) / 5) + 1 })),
  );
});

async function groupsOf(groups: AsyncIterable<ImageGroup>): Promise<ImageGroup[]> {
  const all: ImageGroup[] = [];
  for await (const group of groups) all.push(group);
  return all;
}

test("shards of a data set hold every image once, with all its boxes, in input order", async () => {
  const dataset = await openDataset({ images: IMAGES, boxes: BOXES });
  const whole = await groupsOf(dataset.groups());
  const parts = await Promise.all(
    [1, 2, 3, 4, 5].map(async (index) => {
      const cut = await cutShard(dataset, { index, count: 5 });
      const groups = await groupsOf(cut.groups());
      expect(cut.shardSize).toEqual({
        images: groups.length,
        annotations: groups.reduce((sum, { entries }) => sum + entries.length, 0),
      });
      expect(cut.annotationCount).toBe(dataset.annotationCount);
      return groups;
    }),
  );
  const position = new Map(whole.map(({ image }, i) => [image.id, i]));
  for (const part of parts)
    expect(part.map(({ image }) => position.get(image.id))).toEqual(
      part.map(({ image }) => position.get(image.id)!).sort((a, b) => a - b),
    );
  expect(parts.flat().sort((a, b) => position.get(a.image.id)! - position.get(b.image.id)!)).toEqual(whole);
  await dataset.close();
});

describe("a run of one shard", () => {
  test("draws its own images only, and its files, journal and summary speak of these only", async () => {
    const boxes = await boxesWith((coco) => {
      coco.images[0]!.file_name = "nowhere.jpg"; // All boxes of a missing image are failures.
      coco.annotations.push(
        { ...coco.annotations[0]!, id: 9001, bbox: [1, 1, 0, 0] },
        { ...coco.annotations.at(-1)!, id: 9002, bbox: [1, 1, -4, 2] },
      ); // Failures before any pixel.
    });
    const { summary: whole } = await runAnnotate({ boxes, maxSteps: 4 });
    const { annotations } = await readCoco(boxes);
    let done = 0,
      failed = 0,
      skipped = 0,
      images = 0;
    const journaled: number[] = [];
    for (const index of [1, 2, 3]) {
      const { summary, out, host } = await runAnnotate({ boxes, maxSteps: 4, shard: { index, count: 3 } });
      expect(summary).toMatchObject({
        shard: { index, count: 3 },
        images: whole.images,
        annotations: whole.annotations,
        remaining: 0,
      });
      expect(summary.done + summary.failed + summary.skipped).toBe(summary.shard?.annotations);
      expect(host.failures).toHaveLength(summary.failed);
      const written = await readCoco(out, "annotations.json");
      expect(written.images).toHaveLength(summary.shard?.images ?? -1);
      const ids = new Set(written.images.map(({ id }) => id));
      for (const outcome of await journalOf(out)) {
        expect(ids.has(annotations[outcome.ordinal]!.image_id)).toBe(true);
        journaled.push(outcome.ordinal);
      }
      done += summary.done;
      failed += summary.failed;
      skipped += summary.skipped;
      images += summary.shard?.images ?? 0;
    }
    expect({ done, failed, skipped, images }).toEqual({
      done: whole.done,
      failed: whole.failed,
      skipped: whole.skipped,
      images: whole.images,
    });
    expect(whole.failed).toBeGreaterThan(2);
    expect(new Set(journaled).size).toBe(journaled.length);
  });

  test("cannot be resumed as another shard, or as the whole", async () => {
    const { out } = await runAnnotate({ maxSteps: 4, shard: { index: 1, count: 3 } });
    await expect(runAnnotate({ maxSteps: 4, out, resume: true, shard: { index: 2, count: 3 } })).rejects.toThrow(
      "--shard: the run has 1/3, this command 2/3",
    );
    await expect(runAnnotate({ maxSteps: 4, out, resume: true })).rejects.toThrow(
      "--shard: the run has 1/3, this command none",
    );
    expect(
      (await runAnnotate({ maxSteps: 4, out, resume: true, shard: { index: 1, count: 3 } })).summary.finishedNow,
    ).toBe(0);
  });

  test("may be empty: more shards than images", async () => {
    const { summary, out } = await runAnnotate({ shard: { index: 2, count: 40 } });
    expect(summary).toMatchObject({ shard: { images: 0, annotations: 0 }, done: 0, failed: 0, stopped: false });
    expect((await readCoco(out, "annotations.json")).images).toEqual([]);
  });
});
