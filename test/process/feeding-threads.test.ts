/**
 * Threads that cut crops and threads that judge polygons, as they are built: the same crops and outlines as without
 * them, and an end to everything when one dies or nobody wants more.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type * as Asking from "../../src/asking.js";
import type * as CuttersModule from "../../src/crop/cutters.js";
import type { CropResult } from "../../src/crop/crop.js";
import type * as Reading from "../../src/crop/read-crops.js";
import type { DecodedRow, EncodedBatch, Engine } from "../../src/engine/engine.js";
import type * as Ports from "../../src/predict/engine-port.js";
import type * as Judging from "../../src/predict/judges.js";
import type * as Outlines from "../../src/predict/outline.js";
import { hostile, instanceOf, scene } from "../crop/images.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { hasEnded, withThreads } from "../helpers/threads.js";
import { zipFile } from "../helpers/zip-file.js";

const ROOT = join(import.meta.dirname, "..", "..");
const built = async <M>(path: string): Promise<M> => (await import(join(ROOT, "dist", path))) as M;

let Cutters: typeof CuttersModule.Cutters, cuttersFor: typeof CuttersModule.cuttersFor;
let readCrops: typeof Reading.readCrops;
let judges: typeof Judging, outlines: typeof Outlines, serveEngine: typeof Ports.serveEngine;
let sharedCopy: typeof Asking.sharedCopy;
beforeAll(async () => {
  ({ Cutters, cuttersFor } = await built<typeof CuttersModule>("crop/cutters.js"));
  ({ readCrops } = await built<typeof Reading>("crop/read-crops.js"));
  judges = await built<typeof Judging>("predict/judges.js");
  outlines = await built<typeof Outlines>("predict/outline.js");
  ({ serveEngine } = await built<typeof Ports>("predict/engine-port.js"));
  ({ sharedCopy } = await built<typeof Asking>("asking.js"));
});

/** Small, larger than a crop, over the border, and beside the image. */
const BOXES = [
  { left: 90, top: 133, width: 60, height: 41 },
  { left: 10, top: 10, width: 500, height: 400 },
  { left: -30, top: 200, width: 100, height: 90 },
  { left: 5000, top: 5000, width: 10, height: 10 },
];

async function* sourcesOf(paths: readonly string[], root = join(ROOT, "fixtures")): AsyncGenerator<Reading.CropSource> {
  let ordinal = 0;
  for (const path of paths) {
    const instances = BOXES.map((box) => instanceOf(ordinal++, box));
    yield await Promise.resolve({
      image: {},
      location: { kind: "file", path, root },
      instances,
    });
  }
}

async function collect(paths: readonly string[], maker?: Reading.CropMaker, root?: string): Promise<CropResult[]> {
  const results: CropResult[] = [];
  for await (const result of readCrops(sourcesOf(paths, root), { context: 0.15, ...(maker && { maker }) }))
    results.push(result);
  return results;
}

const plain = (results: readonly CropResult[]): unknown[] =>
  results.map((result) =>
    result.kind === "crop" ? { ...result.crop, pixels: Buffer.from(result.crop.pixels).toString("base64") } : result,
  );

describe("threads that cut", () => {
  test("are few on a small machine, and not all cores of a large one", () => {
    expect([1, 2, 4, 8, 16, 64].map((cores) => cuttersFor(cores))).toEqual([1, 1, 1, 3, 7, 8]);
    expect([1, 2, 4, 8, 16, 64].map((cores) => judges.judgesFor(cores))).toEqual([1, 1, 1, 2, 5, 8]);
  });

  test("give the crops and the failures of the calling thread, byte for byte and in order, in shared memory", async () => {
    const names = ["cmyk.jpg", "empty.jpg", "grey-16-bit.png", "one-pixel.png", "palette-alpha.png", "rotated-6.jpg"];
    const paths = [
      scene("street"),
      ...[...names, "text.jpg", "too-large.png", "truncated.jpg", "nothing-here.jpg"].map(hostile),
      join(ROOT, "package.json"), // lies outside the folder that images have to be in
      scene("lake"),
    ];
    const cutters = new Cutters(2);
    const theirs = await collect(paths, cutters);
    await cutters.close();
    expect(theirs).toHaveLength(4 * paths.length);
    expect(plain(theirs)).toEqual(plain(await collect(paths)));
    const crops = theirs.flatMap((result) => (result.kind === "crop" ? [result.crop.pixels] : []));
    expect(crops.length).toBeGreaterThan(10);
    expect(crops.every(({ buffer }) => buffer instanceof SharedArrayBuffer)).toBe(true);
  });

  test("cut members of zip files as well, and say of those that fail what the calling thread says", async () => {
    const folder = temporaryFolder();
    const zip = join(folder, "photos.zip");
    const scenes = ["street", "lake"].map((name) => ({ name: `a/${name}.jpg`, bytes: readFileSync(scene(name)) }));
    const [street] = scenes;
    const damaged = [
      { name: "other-bytes.jpg", bytes: street!.bytes, claimedCrc: 1 },
      { name: "encrypted.jpg", bytes: street!.bytes, flags: 1 },
      { name: "cut.jpg", bytes: readFileSync(hostile("truncated.jpg")) },
      { name: "text.jpg", bytes: readFileSync(hostile("text.jpg")) },
    ];
    const members = [...scenes, { ...street!, name: "stored.jpg", isStored: true }, ...damaged];
    writeFileSync(zip, zipFile(members));
    writeFileSync(join(folder, "torn.zip"), zipFile(members).subarray(0, 1000));
    mkdirSync(join(folder, "folder.zip"));
    copyFileSync(scene("lake"), join(folder, "folder.zip", "lake.jpg"));
    const paths = [
      ...members.map(({ name }) => join(zip, name)),
      ...["photos.zip/nothing.jpg", "torn.zip/a/lake.jpg", "folder.zip/lake.jpg"].map((path) => join(folder, path)),
    ];
    const cutters = new Cutters(2);
    const theirs = await collect(paths, cutters, folder);
    await cutters.close();
    expect(plain(theirs)).toEqual(plain(await collect(paths, undefined, folder)));
    const crops = theirs.flatMap((result) => (result.kind === "crop" ? [result.crop.pixels] : []));
    expect(crops).toHaveLength(3 * 4); // of each sound image, all boxes but the one beside it
    expect(crops.every(({ buffer }) => buffer instanceof SharedArrayBuffer)).toBe(true);
    const reasons = theirs.flatMap((result) => (result.kind === "failed" ? [result.failure.message] : []));
    for (const said of ["other bytes than were packed", "an encrypted file", "no file", "torn.zip"])
      expect(reasons.filter((reason) => reason.includes(said)).length).toBeGreaterThanOrEqual(4);
  });

  test("hold no more images and crops than they may, of a hundred, for a slow consumer", async () => {
    const cutters = new Cutters(1);
    const held: Reading.HeldInMemory[] = [];
    const bounds = { maxDecodedImages: 2, maxCropsAhead: 6 };
    const paths = Array.from({ length: 100 }, () => hostile("one-pixel.png"));
    let taken = 0;
    const options = { context: 0.15, maker: cutters, ...bounds, onHeld: (now: Reading.HeldInMemory) => held.push(now) };
    for await (const result of readCrops(sourcesOf(paths), options)) {
      expect(result).toBeDefined();
      if (taken++ % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await cutters.close();
    expect(taken).toBe(400);
    expect(Math.max(...held.map(({ images }) => images))).toBeLessThanOrEqual(2);
    expect(Math.max(...held.map(({ crops }) => crops))).toBeLessThanOrEqual(6);
    expect(held.at(-1)).toMatchObject({ images: 0, bytes: 0 });
  });

  test("one that dies ends the run with an error that names it", async () => {
    await withThreads(async (started) => {
      const cutters = new Cutters(2);
      const paths = Array.from({ length: 50 }, () => scene("street"));
      const reading = (async () => {
        for await (const result of readCrops(sourcesOf(paths), { context: 0.15, maker: cutters, maxCropsAhead: 4 }))
          if (result.kind === "crop") await started[1]!.terminate();
      })();
      await expect(reading).rejects.toMatchObject({
        code: "E_UNAVAILABLE",
        message: expect.stringMatching(/thread 2 of 2 that cut crops has ended/) as string,
      });
      await cutters.close();
      expect(started.map(hasEnded)).toEqual([true, true]);
    });
  });

  test("a consumer that leaves in the middle leaves no thread behind", async () => {
    await withThreads(async (started) => {
      const cutters = new Cutters(2);
      const paths = Array.from({ length: 50 }, () => scene("street"));
      for await (const result of readCrops(sourcesOf(paths), { context: 0.15, maker: cutters })) {
        expect(result.kind).toBe("crop");
        break;
      }
      await cutters.close();
      expect(started.map(hasEnded)).toEqual([true, true]);
    });
  });
});

describe("threads that judge", () => {
  const KNOWN = { name: "wgsl", device: "webgpu", version: "made up" } as const;
  const FRAME = { window: { left: 0, top: 0, side: 224 }, bounds: { left: 15, top: 15, width: 194, height: 194 } };
  const OPTIONS = { maxSteps: 12, candidates: 3 };

  /**
   * Polygons and masks that follow from a crop's first pixels; all of them are doubted. The crops are of one color, so
   * that they are the same flipped.
   * @param flips whether crops are kept, to be seen flipped
   */
  function madeUp(flips = false): Engine {
    const batchOf = (seeds: readonly number[]): EncodedBatch => ({
      size: seeds.length,
      firstVertexLogits: Float32Array.from({ length: seeds.length * 784 }, (_, at) =>
        Math.sin((at % 784) * 1.7 + seeds[Math.floor(at / 784)]!),
      ),
      maskLogits: Float32Array.from({ length: seeds.length * 784 }, (_, at) =>
        Math.sin((at % 784) / 9 + seeds[Math.floor(at / 784)]!),
      ),
      decode: (firsts) =>
        Promise.resolve(
          firsts.map((first, row): DecodedRow => {
            const next = (by: number): number => (first + by * 37 + seeds[row]! * 11) % 784;
            return { chosen: [next(3), next(9), next(14), 784], logProbability: -1.5 };
          }),
        ),
      step: () => Promise.reject(new Error("not by step")),
      select: (rows) => batchOf(rows.map((row) => seeds[row]!)),
      dispose: () => undefined,
    });
    return {
      ...KNOWN,
      encode(pixels, count) {
        const seeds = Array.from({ length: count }, (_, at) => pixels[(at * pixels.length) / count]!);
        const flipped = (rows: readonly number[]): Promise<EncodedBatch> =>
          Promise.resolve(batchOf(rows.map((row) => seeds[row]!)));
        return Promise.resolve(flips ? { ...batchOf(seeds), flipped } : batchOf(seeds));
      },
      dispose: () => Promise.resolve(),
    };
  }

  const cropsOf = (count: number): Outlines.PixelCrop[] =>
    Array.from({ length: count }, (_, at) => ({
      ...FRAME,
      pixels: sharedCopy(new Uint8Array(224 * 224 * 3).fill(at % 251)),
    }));

  test("give the outlines of one engine's thread, to the last bit, whichever part of a batch they get", async () => {
    const crops = cropsOf(70);
    const stacked = new Uint8Array(70 * 224 * 224 * 3);
    for (const [at, { pixels }] of crops.entries()) stacked.set(pixels, at * pixels.length);
    const alone = await outlines.decodeOutlines(madeUp(), stacked, crops, OPTIONS);
    const two = judges.openJudges(KNOWN, 2, (port) => Promise.resolve(void serveEngine(madeUp(), port)));
    const together = await judges.decodeWith(two)(crops, OPTIONS);
    await Promise.all(two.map(({ thread }) => thread.close()));
    expect(together.outlines).toEqual(alone.outlines);
    expect(new Set(together.outlines.map(({ score }) => score)).size).toBeGreaterThan(10);
  });

  test("give them pixels once where the engine keeps crops and sees them flipped, with the same outlines", async () => {
    const crops = cropsOf(3);
    const outlined: (readonly Outlines.Outline[])[] = [];
    const encoded: number[] = [];
    for (const flips of [false, true]) {
      const engine = madeUp(flips);
      const encode: Engine["encode"] = (pixels, count) => {
        encoded.push(count);
        return engine.encode(pixels, count);
      };
      const one = judges.openJudges(KNOWN, 1, (port) => Promise.resolve(void serveEngine({ ...engine, encode }, port)));
      outlined.push((await judges.decodeWith(one)(crops, OPTIONS)).outlines);
      await one[0]!.thread.close();
    }
    expect(outlined[1]).toEqual(outlined[0]);
    expect(encoded).toEqual([3, 3, 3]); // flipped by the judge, then by the engine
  });

  test("an error of the engine is the asker's, and the judge works on", async () => {
    let isBroken = true;
    const engine = madeUp();
    const breaking: Engine = {
      ...engine,
      encode: (...crops) => (isBroken ? Promise.reject(new Error("the device was lost")) : engine.encode(...crops)),
    };
    const [judge] = judges.openJudges(KNOWN, 1, (port) => Promise.resolve(void serveEngine(breaking, port)));
    const decode = judges.decodeWith([judge!]);
    await expect(decode(cropsOf(1), OPTIONS)).rejects.toThrow("the device was lost");
    isBroken = false;
    expect((await decode(cropsOf(1), OPTIONS)).outlines).toHaveLength(1);
    await judge!.thread.close();
  });

  test("one that dies while the engine is at work fails its batch with an error that names it", async () => {
    await withThreads(async (started) => {
      const hanging: Engine = { ...madeUp(), encode: () => new Promise(() => undefined) };
      const two = judges.openJudges(KNOWN, 2, (port) => Promise.resolve(void serveEngine(hanging, port)));
      await Promise.all(two.map(({ opened }) => opened));
      const batch = expect(judges.decodeWith(two)(cropsOf(1), OPTIONS)).rejects.toThrow(
        /thread 1 of 2 that judge polygons has ended/,
      );
      await started[0]!.terminate();
      await batch;
      await Promise.all(two.map(({ thread }) => thread.close()));
      expect(started.map(hasEnded)).toEqual([true, true]);
    });
  });
});
