/**
 * The decoder of several threads, as it is built: the same outlines as one engine's, also when batches are in work
 * side by side.
 */
import type { SpawnSyncReturns } from "node:child_process";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as Decoders from "../../src/predict/decoder.js";
import type { BatchDecoder, OutlinedBatch, PixelCrop } from "../../src/predict/outline.js";
import type * as Threads from "../../src/predict/decoder-pool.js";
import type * as Models from "../../src/model/model.js";
import type { Ring } from "../../src/types.js";
import { withThreads } from "../helpers/threads.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { syntheticCrops } from "../engine/network-runner.js";
import { SLOW_MS, useSwiftShader, whyNoWebGpu } from "../swiftshader.js";

const ROOT = join(import.meta.dirname, "..", "..");
const TINY = join(ROOT, "fixtures", "models", "tiny-random");
const built = async <M>(path: string): Promise<M> => (await import(join(ROOT, "dist", path))) as M;

let one: BatchDecoder, two: BatchDecoder, model: Models.Model;
let openDecodeThreads: typeof Threads.openDecodeThreads;
let openBatchDecoder: typeof Decoders.openBatchDecoder;
let loadModel: typeof Models.loadModel;
beforeAll(async () => {
  ({ openDecodeThreads } = await built<typeof Threads>("predict/decoder-pool.js"));
  ({ openBatchDecoder } = await built<typeof Decoders>("predict/decoder.js"));
  ({ loadModel } = await built<typeof Models>("model/model.js"));
  model = await loadModel(TINY);
  ({ decoder: one } = await openBatchDecoder(model, { device: "cpu", threads: 1 }));
  ({ decoder: two } = await openBatchDecoder(model, { device: "cpu", threads: 2 }));
});
afterAll(async () => {
  await Promise.all([one.dispose(), two.dispose()]);
});

const CROPS = syntheticCrops(12);
const CROP_BYTES = 224 * 224 * 3;
/** Every crop is doubted: synthetic ones show no object. */
const OPTIONS = { maxSteps: 12, candidates: 3 };
const FRAME = { window: { left: 0, top: 0, side: 224 }, bounds: { left: 15, top: 15, width: 194, height: 194 } };

const cropsFrom = (start: number, count: number): PixelCrop[] =>
  Array.from({ length: count }, (_, at) => ({
    ...FRAME,
    pixels: CROPS.subarray((start + at) * CROP_BYTES, (start + at + 1) * CROP_BYTES),
  }));

async function decode(decoder: BatchDecoder, count: number, start: number, options = OPTIONS): Promise<OutlinedBatch> {
  return decoder.decode(cropsFrom(start, count), options);
}

test("one and two: threads are only there where more than one core computes", () => {
  expect([one.batchesAtOnce, two.batchesAtOnce]).toEqual([1, 4]);
  expect(two).toMatchObject({ name: one.name, device: one.device, version: one.version });
});

test("one after the other: rings and scores are the one engine's, to the last bit", async () => {
  const { outlines, times } = await decode(two, 5, 1);
  expect(outlines).toEqual((await decode(one, 5, 1)).outlines);
  expect(Math.min(times.encodeMs, times.stepsMs)).toBeGreaterThan(0);
});

test("side by side, more batches than threads: everybody gets what was asked for", async () => {
  const starts = [1, 2, 3, 4, 5, 6];
  const together = await Promise.all(starts.map((start) => decode(two, 2 + (start % 3), start)));
  for (const [at, start] of starts.entries())
    expect(together[at]!.outlines).toEqual((await decode(one, 2 + (start % 3), start)).outlines);
});

/** Threads that Node has started, this one's probe included. */
async function threadsStarted(): Promise<number> {
  const probe = new Worker("", { eval: true });
  const id = probe.threadId;
  await probe.terminate();
  return id;
}

test("a further thread starts when a batch finds the others at work, and no more than there are cores", async () => {
  const before = await threadsStarted();
  const decoder = await openDecodeThreads(model, "cpu", 3);
  for (const start of [1, 2]) await decode(decoder, 1, start);
  expect((await threadsStarted()) - before).toBe(2);
  await Promise.all([1, 2, 3, 4, 5].map((start) => decode(decoder, 1, start)));
  expect((await threadsStarted()) - before).toBe(5);
  await decoder.dispose();
});

/** Threads that are started meanwhile have next to no memory. */
function withoutMemory<T>(work: () => Promise<T>): Promise<T> {
  return withThreads(work, { resourceLimits: { maxOldGenerationSizeMb: 1, maxYoungGenerationSizeMb: 1 } });
}

test("a further thread that cannot start is said, and leaves its batch to the others", async () => {
  const decoder = await openDecodeThreads(model, "cpu", 3);
  const warnings: string[] = [];
  const note = ({ message }: Error): number => warnings.push(message);
  process.on("warning", note);
  const starts = [1, 2, 3, 4, 5];
  const batches = await withoutMemory(() => Promise.all(starts.map((start) => decode(decoder, 2, start))));
  for (const [at, start] of starts.entries())
    expect(batches[at]!.outlines).toEqual((await decode(one, 2, start)).outlines);
  process.off("warning", note);
  expect(warnings.length).toBeGreaterThan(0);
  for (const warning of warnings) expect(warning).toMatch(/could not start, the others go on: .*memory/);
  await decoder.dispose();
});

test("an error in a thread is the asker's, and the thread works on", async () => {
  await expect(Promise.all([1, 2, 3].map(() => two.decode([], OPTIONS)))).rejects.toThrow();
  expect((await decode(two, 2, 1)).outlines).toEqual((await decode(one, 2, 1)).outlines);
});

test("a network that does not run there is refused when the decoder is opened", async () => {
  const [name, { shape, values }] = [...model.weights].find(([, { shape: dims }]) => dims.length === 4)!;
  const misshapen = new Map([...model.weights, [name, { shape: [shape[0]! + 1, ...shape.slice(1)], values }]]);
  await expect(openDecodeThreads({ ...model, weights: misshapen }, "cpu", 2)).rejects.toThrow(/dimensions/);
});

test("whoever waits when the decoder is disposed hears of it; asking later too; disposing twice is fine", async () => {
  const decoder = await openDecodeThreads(model, "cpu", 2);
  const late = expect(
    Promise.all([decode(decoder, 8, 1), decode(decoder, 8, 1), decode(decoder, 8, 1)]),
  ).rejects.toThrow("the decoder was disposed");
  await decoder.dispose();
  await late;
  await expect(decode(decoder, 2, 1)).rejects.toThrow("disposed");
  await decoder.dispose();
});

describe.skipIf(whyNoWebGpu !== undefined)("a process on WebGPU", () => {
  const starts = [1, 4];
  /** With two candidates a crop that is doubted is also encoded flipped. */
  const batches = [1, 2].map((candidates) => ({ maxSteps: 4, candidates }));
  let ended: SpawnSyncReturns<string>;
  beforeAll(() => {
    useSwiftShader();
    const crops = join(temporaryFolder(), "crops");
    writeFileSync(crops, Buffer.concat(starts.flatMap((start) => cropsFrom(start, 1).map(({ pixels }) => pixels))));
    const words = [join(import.meta.dirname, "webgpu-child.mjs"), TINY, crops, JSON.stringify(batches)];
    ended = spawnSync(process.execPath, words, { encoding: "utf8" });
  }, SLOW_MS);

  test("has one thread, and batches that fill its slots: the same polygons as on the CPU", async () => {
    const { rings, ...opened } = JSON.parse(ended.stdout) as { rings: Ring[] };
    expect(opened).toEqual({ name: "wgsl", device: "webgpu", batchesAtOnce: 3 });
    const expected: Ring[] = [];
    for (const [at, start] of starts.entries())
      expected.push(...(await decode(one, 1, start, batches[at])).outlines.map(({ ring }) => ring));
    expect(rings.map((ring) => ring.length)).toEqual(expected.map((ring) => ring.length));
    rings.flat().forEach(({ x, y }, at) => {
      const point = expected.flat()[at]!;
      expect(Math.hypot(x - point.x, y - point.y)).toBeLessThan(0.1); // image pixels; a cell has 8
    });
  });

  test(
    "that has disposed of its kernels ends at once, and does not wait for their thread",
    async () => {
      const listeners = process.listenerCount("exit");
      const { decoder } = await openBatchDecoder(model, { device: "webgpu", threads: 1 });
      expect(process.listenerCount("exit")).toBeGreaterThan(listeners);
      await decoder.dispose();
      expect(process.listenerCount("exit")).toBe(listeners);
    },
    SLOW_MS,
  );

  /** Without care Node ends the thread inside a call of Dawn, which aborts the process. */
  test("that ends in the middle of a batch ends with its own exit code, and quietly", () => {
    const { status, signal, stderr } = ended;
    expect({ status, signal, stderr }).toEqual({ status: 3, signal: null, stderr: "" });
  });
});
