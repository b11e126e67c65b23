/** The engine of several threads, as it is built: the same numbers as one thread's, also when batches are in work side by side. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type * as Devices from "../../src/runtime/devices.js";
import type { Decoding, Engine } from "../../src/runtime/engine.js";
import type * as Models from "../../src/runtime/model.js";
import type * as Threaded from "../../src/runtime/threaded-engine.js";
import { syntheticCrops } from "../runtime/network-runner.js";

const ROOT = join(import.meta.dirname, "..", "..");
const built = async <M>(path: string): Promise<M> => (await import(join(ROOT, "dist", path))) as M;

let one: Engine, two: Engine, model: Models.Model;
let openThreadedEngine: typeof Threaded.openThreadedEngine;
beforeAll(async () => {
  ({ openThreadedEngine } = await built<typeof Threaded>("runtime/threaded-engine.js"));
  const { openEngine } = await built<typeof Devices>("runtime/devices.js");
  const { loadModel } = await built<typeof Models>("runtime/model.js");
  model = await loadModel("mobile");
  ({ engine: one } = await openEngine(model, { device: "cpu", threads: 1 }));
  ({ engine: two } = await openEngine(model, { device: "cpu", threads: 2, manyBatches: true }));
});
afterAll(async () => { await Promise.all([one.dispose(), two.dispose()]); });

const CROPS = syntheticCrops(12);
const CROP_BYTES = 224 * 224 * 3;

const sameEverywhere = (cell: number, size: number): Int32Array => new Int32Array(size).fill(cell);

/** Encodes, steps, takes rows, steps again: everything that a batch gives on its way. */
async function course(engine: Engine, count: number, start: number): Promise<Float32Array[]> {
  const encoded = await engine.encode(CROPS.subarray(start * CROP_BYTES, (start + count) * CROP_BYTES), count);
  const chosen = encoded.select([count - 1, 0]);
  const step = (decoding: Decoding, previous: number): Promise<Float32Array> => decoding.step({
    first: sameEverywhere(300, decoding.size), previous: sameEverywhere(previous, decoding.size), beforePrevious: sameEverywhere(784, decoding.size),
  });
  const given = [encoded.firstVertexLogits, encoded.maskLogits!, chosen.firstVertexLogits, await step(chosen, 301), await step(chosen, 340), await step(encoded, 10)];
  chosen.dispose();
  encoded.dispose();
  return given;
}

test("one after the other: every number is the one thread's, to the last bit", async () => {
  expect(await course(two, 5, 1)).toEqual(await course(one, 5, 1));
});

test("side by side, more batches than threads: nobody gets another one's numbers", async () => {
  const starts = [1, 2, 3, 4, 5, 6, 7];
  const together = await Promise.all(starts.map((start) => course(two, 2 + (start % 3), start)));
  for (const [at, start] of starts.entries()) expect(together[at]).toEqual(await course(one, 2 + (start % 3), start));
  expect(two.batchesAtOnce).toBe(4);
});

test("an error in a thread is the asker's, and the thread works on", async () => {
  await expect(two.encode(new Uint8Array(10), 2)).rejects.toThrow();
  expect(await course(two, 2, 1)).toEqual(await course(one, 2, 1));
});

test("a model that does not run there is refused when the engine is opened", async () => {
  const { network, weights, card: { normalization } } = model;
  const [name, { shape, values }] = [...weights].find(([, { shape: dims }]) => dims.length === 4)!;
  const misshapen = new Map([...weights, [name, { shape: [shape[0]! + 1, ...shape.slice(1)], values }]]);
  await expect(openThreadedEngine(network, misshapen, normalization, 2)).rejects.toThrow(/dimensions/);
});

test("whoever waits when the engine is disposed hears of it; asking later too; disposing twice is fine", async () => {
  const engine = await openThreadedEngine(model.network, model.weights, model.card.normalization, 2);
  const encoded = await engine.encode(syntheticCrops(2), 2);
  const late = engine.encode(syntheticCrops(8), 8);
  const heard = expect(late).rejects.toThrow("the engine was disposed");
  await engine.dispose();
  await heard;
  await expect(encoded.step({ first: sameEverywhere(1, 2), previous: sameEverywhere(1, 2), beforePrevious: sameEverywhere(1, 2) })).rejects.toThrow("disposed");
  encoded.dispose();
  await engine.dispose();
});
