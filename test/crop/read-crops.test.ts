import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import sharp from "sharp";
import { beforeAll, expect, test, vi } from "vitest";
import type { CropResult } from "../../src/crop/crop.js";
import type { CropSource, HeldInMemory, ReadCropsOptions } from "../../src/crop/read-crops.js";
import { readCrops } from "../../src/crop/read-crops.js";
import type { Instance } from "../../src/types.js";
import { hostile, instanceOf, scene } from "./images.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});

const BOX = { left: 90, top: 133, width: 60, height: 41 };

/** Sources of `counts[i]` boxes each, on these files; ordinals run on. */
async function* sourcesOf(
  paths: readonly string[],
  counts: readonly number[],
  seen?: (i: number) => void,
): AsyncGenerator<CropSource> {
  let ordinal = 0;
  for (const [i, path] of paths.entries()) {
    seen?.(i);
    const instances: Instance[] = Array.from({ length: counts[i]! }, () => instanceOf(ordinal++, BOX));
    yield await Promise.resolve({ image: {}, location: { kind: "file", path }, instances });
  }
}

async function collect(
  sources: AsyncIterable<CropSource>,
  options: Partial<ReadCropsOptions> = {},
): Promise<CropResult[]> {
  const results: CropResult[] = [];
  for await (const result of readCrops(sources, { context: 0.15, ...options })) results.push(result);
  return results;
}

const ordinalOf = (result: CropResult): number =>
  (result.kind === "crop" ? result.crop.instance : result.instance).ordinal;

const SCENES = ["street", "facade", "park", "lake", "meadow", "balloons", "fruit", "tissue"].map(scene);

test("results come in the order of the input, failures in their places", async () => {
  const paths = [
    SCENES[0]!,
    hostile("empty.jpg"),
    SCENES[1]!,
    hostile("truncated.jpg"),
    hostile("one-pixel.png"),
    SCENES[2]!,
  ];
  const results = await collect(sourcesOf(paths, [3, 2, 5, 2, 1, 4]));
  expect(results.map(ordinalOf)).toEqual(Array.from({ length: 17 }, (_, i) => i));
  expect(results.map((result) => (result.kind === "failed" ? result.failure.reason : "crop"))).toEqual([
    "crop",
    "crop",
    "crop",
    "image-unreadable",
    "image-unreadable",
    "crop",
    "crop",
    "crop",
    "crop",
    "crop",
    "image-unreadable",
    "image-unreadable",
    "box-outside",
    "crop",
    "crop",
    "crop",
    "crop",
  ]);
});

test("a failed image fails each of its instances with the same words", async () => {
  const failure = { reason: "image-missing", message: "street.jpg: expected an image, received none" } as const;
  async function* sources(): AsyncGenerator<CropSource> {
    yield await Promise.resolve({
      image: {},
      location: { kind: "failed", failure },
      instances: [instanceOf(0, BOX), instanceOf(1, BOX)],
    });
    yield {
      image: { width: 5, height: 5 },
      location: { kind: "file", path: SCENES[0]! },
      instances: [instanceOf(2, BOX), instanceOf(3, BOX)],
    };
  }
  const results = await collect(sources());
  expect(results.slice(0, 2)).toEqual([0, 1].map((i) => ({ kind: "failed", instance: instanceOf(i, BOX), failure })));
  const messages = results.slice(2).map((result) => (result.kind === "failed" ? result.failure : undefined));
  expect(messages[0]).toMatchObject({ reason: "image-size" });
  expect(messages[1]).toEqual(messages[0]);
});

test("an image is decoded once for all its boxes, and one without boxes is not opened", async () => {
  const timed: string[] = [];
  const results = await collect(sourcesOf([SCENES[0]!, join(folder, "nothing-here.jpg"), SCENES[1]!], [7, 0, 2]), {
    onTime: (stage) => timed.push(stage),
  });
  expect(results).toHaveLength(9);
  expect(timed.filter((stage) => stage === "decode")).toHaveLength(2);
  expect(timed.filter((stage) => stage === "crop")).toHaveLength(9);
});

test.each([
  { maxDecodedImages: 1, maxDecodedBytes: 1e9, maxCropsAhead: 8, why: "one image at a time" },
  { maxDecodedImages: 3, maxDecodedBytes: 1e9, maxCropsAhead: 20, why: "three images" },
  { maxDecodedImages: 99, maxDecodedBytes: 2 * 640 * 480 * 3, maxCropsAhead: 20, why: "the bytes of two images" },
  {
    maxDecodedImages: 99,
    maxDecodedBytes: 1000,
    maxCropsAhead: 20,
    why: "fewer bytes than one image has: one at a time",
  },
  { maxDecodedImages: 99, maxDecodedBytes: 1e9, maxCropsAhead: 2, why: "two crops" },
])(
  "a slow consumer never makes more than the stated amounts be held: $why",
  async ({ maxDecodedImages, maxDecodedBytes, maxCropsAhead }) => {
    const held: HeldInMemory[] = [];
    let count = 0;
    const crops = readCrops(
      sourcesOf(
        SCENES,
        SCENES.map(() => 3),
      ),
      { context: 0.15, maxDecodedImages, maxDecodedBytes, maxCropsAhead, onHeld: (now) => held.push(now) },
    );
    for await (const result of crops) {
      expect(result.kind).toBe("crop");
      count++;
      if (count < 5) await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(count).toBe(24);
    const most = (of: (now: HeldInMemory) => number): number => Math.max(...held.map(of));
    expect(most((now) => now.images)).toBeLessThanOrEqual(maxDecodedImages);
    expect(most((now) => now.bytes)).toBeLessThanOrEqual(Math.max(maxDecodedBytes, 640 * 480 * 3));
    expect(most((now) => now.crops)).toBeLessThanOrEqual(maxCropsAhead);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(held.at(-1)).toEqual({ images: 0, bytes: 0, crops: 0 });
  },
);

test("images and crops are made ahead while the consumer is busy with the first", async () => {
  let held: HeldInMemory = { images: 0, bytes: 0, crops: 0 };
  const decoded: number[] = [];
  const crops = readCrops(
    sourcesOf(
      SCENES,
      SCENES.map(() => 1),
    ),
    {
      context: 0.15,
      maxCropsAhead: 5,
      onHeld: (now) => {
        held = now;
      },
      onTime: (stage, ms) => {
        if (stage === "decode") decoded.push(ms);
      },
    },
  );
  await crops.next();
  // One taken, five waiting for the consumer, and the image of the one that waits for its place.
  await expect.poll(() => decoded.length, { timeout: 5000 }).toBe(7);
  expect(held.crops).toBe(5);
  await crops.return();
});

test("500 boxes on one image come out lazily", async () => {
  let most = 0;
  const results = await collect(sourcesOf([SCENES[0]!], [500]), {
    maxCropsAhead: 16,
    onHeld: ({ crops }) => {
      most = Math.max(most, crops);
    },
  });
  expect(results.every((result) => result.kind === "crop")).toBe(true);
  expect(results).toHaveLength(500);
  expect(most).toBe(16);
});

test("a crop that was taken is not kept while others of the same image are cut", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const taken: WeakRef<Uint8Array>[] = [];
  for await (const result of readCrops(sourcesOf([SCENES[0]!], [60]), { context: 0.15, maxCropsAhead: 4 })) {
    if (result.kind === "crop") taken.push(new WeakRef(result.crop.pixels));
    if (taken.length < 40) continue;
    // A WeakRef holds its target until the current task ends, and a dead register of a function that waits may hold one
    // for as long: not more of them than are cut at once.
    await vi.waitFor(
      () => {
        collectGarbage();
        expect(taken.slice(0, 30).filter((pixels) => pixels.deref() !== undefined).length).toBeLessThanOrEqual(4);
      },
      { timeout: 10_000 },
    );
    break;
  }
  expect(taken).toHaveLength(40);
});

test("a consumer that leaves early stops the walk, and nothing is left running", async () => {
  const path = join(folder, "busy.png");
  await sharp(scene("street")).png().toFile(path);
  let opened = 0,
    isClosed = false;
  async function* sources(): AsyncGenerator<CropSource> {
    try {
      for await (const source of sourcesOf(
        new Array<string>(1000).fill(path),
        new Array<number>(1000).fill(2),
        () => opened++,
      ))
        yield source;
    } finally {
      isClosed = true;
    }
  }
  for await (const result of readCrops(sources(), { context: 0.15, maxCropsAhead: 6 })) {
    expect(result.kind).toBe("crop");
    break;
  }
  expect(isClosed).toBe(true);
  expect(opened).toBeLessThan(12);
  await unlink(path);
  const before = opened;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(opened).toBe(before);
});

test("an error of the source comes after the results before it", async () => {
  async function* sources(): AsyncGenerator<CropSource> {
    yield* sourcesOf([SCENES[0]!], [3]);
    throw new Error("the box file ends in the middle");
  }
  const results: CropResult[] = [];
  const reading = (async () => {
    for await (const result of readCrops(sources(), { context: 0.15 })) results.push(result);
  })();
  await expect(reading).rejects.toThrow("the box file ends in the middle");
  expect(results).toHaveLength(3);
});

test("an empty input gives nothing", async () => {
  expect(await collect(sourcesOf([], []))).toEqual([]);
});
