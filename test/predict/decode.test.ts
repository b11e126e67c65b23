/**
 * The decode loop on real engines with real crops: a polygon belongs to its crop alone. The loop's own rules are in
 * decode-loop.test.ts.
 */
import * as tf from "@tensorflow/tfjs";
import { wasmTensorFlow } from "../helpers/tensorflow-wasm.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Crop } from "../../src/crop/crop.js";
import { MAX_STEPS } from "../../src/predict/options.js";
import type { Prediction } from "../../src/predict/predict.js";
import type { BestSequence } from "../../src/predict/candidates.js";
import { decodeBest } from "../../src/predict/candidates.js";
import { stackPixels } from "../../src/crop/crop.js";
import { predictBatch } from "../../src/predict/predict.js";
import type { Engine } from "../../src/engine/engine.js";
import type { Model } from "../../src/model/model.js";
import { loadModel } from "../../src/model/model.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import { openTfjsEngine } from "../../src/engine/tfjs/engine.js";
import { realCrops } from "./real-crops.js";

let model: Model;
let crops: readonly Crop[];
beforeAll(async () => {
  model = await loadModel("tiny-random");
  crops = await realCrops(5, 4);
});

/** Predicts a list of crops in batches of the given size, the last one smaller. */
async function predict(
  engine: Engine,
  list: readonly Crop[],
  batchSize: number,
  maxSteps = MAX_STEPS,
  candidates = 3,
): Promise<Prediction[]> {
  const predictions: Prediction[] = [];
  for (let start = 0; start < list.length; start += batchSize) {
    predictions.push(
      ...(await predictBatch(engine, list.slice(start, start + batchSize), { maxSteps, candidates, simplify: 0 }))
        .predictions,
    );
  }
  return predictions;
}

/** Vertices and reasons have to be identical; scores may differ by how a library adds up. */
function expectSame(actual: Prediction, expected: Prediction): void {
  if (actual.kind === "failed" || expected.kind === "failed") {
    expect(actual).toEqual(expected);
    return;
  }
  const { score, ...rest } = actual;
  const { score: expectedScore, ...expectedRest } = expected;
  expect(rest).toEqual(expectedRest);
  expect(Math.abs(score - expectedScore)).toBeLessThan(1e-5);
}

describe.each([
  {
    engineName: "onnxruntime",
    open: () => openOnnxEngine(model, { device: "cpu" }),
    every: 1,
    maxSteps: 16,
    numRuns: 8,
    copies: 6,
  },
  {
    // Plain JavaScript: slow, so few crops and short polygons.
    engineName: "TensorFlow.js",
    every: 7,
    maxSteps: 6,
    numRuns: 1,
    copies: 3,
    open: async () => {
      await wasmTensorFlow();
      return openTfjsEngine(tf, model, {
        device: "cpu",
        version: "plain JavaScript",
      });
    },
  },
])("on $engineName", ({ open, every, maxSteps, numRuns, copies }) => {
  let engine: Engine;
  let alone: readonly Prediction[];
  let some: readonly Crop[];
  beforeAll(async () => {
    engine = await open();
    some = crops.filter((_, i) => i % every === 0);
    alone = await predict(engine, some, 1, maxSteps);
  });
  afterAll(async () => {
    await engine.dispose();
  });

  test("the sample has what the property is about: short, long and cut sequences, so that batches shrink", () => {
    const polygons = alone.flatMap((prediction) => (prediction.kind === "polygon" ? [prediction] : []));
    expect(new Set(polygons.map(({ ring }) => ring.length)).size).toBeGreaterThan(some.length / 3);
    expect(polygons.some(({ ended }) => ended)).toBe(true);
    expect(polygons.some(({ ended }) => !ended)).toBe(true);
  });

  test("a polygon depends neither on the batch size nor on the order nor on what else is in the batch", async () => {
    const someOfThem = fc.shuffledSubarray(
      Array.from({ length: some.length }, (_, i) => i),
      { minLength: 1 },
    );
    await fc.assert(
      fc.asyncProperty(someOfThem, fc.integer({ min: 1, max: 40 }), async (chosen, batchSize) => {
        const predictions = await predict(
          engine,
          chosen.map((i) => some[i]!),
          batchSize,
          maxSteps,
        );
        predictions.forEach((prediction, at) => {
          expectSame(prediction, alone[chosen[at]!]!);
        });
      }),
      { numRuns },
    );
  });

  test("the same crop many times in one batch gives the same every time", async () => {
    for (const prediction of await predict(
      engine,
      Array.from({ length: copies }, () => some[2]!),
      copies,
      maxSteps,
    ))
      expectSame(prediction, alone[2]!);
  });
});

describe("at the step limit", () => {
  let engine: Engine;
  let long: readonly BestSequence[];
  /** The cells that were decoded: vertices move, and may change their order, when a polygon goes on. */
  const sequencesOf = async (maxSteps: number): Promise<readonly BestSequence[]> =>
    (await decodeBest(engine, stackPixels(crops), crops, { maxSteps, candidates: 1 })).sequences;
  beforeAll(async () => {
    engine = await openOnnxEngine(model, { device: "cpu" });
    long = await sequencesOf(90);
  });
  afterAll(async () => {
    await engine.dispose();
  });

  test.each([3, 10, MAX_STEPS])(
    "of %i, a polygon has at most one vertex per step and the first, and is the beginning of what it would have become",
    async (maxSteps) => {
      const sequences = await sequencesOf(maxSteps);
      expect(sequences.some(({ ended }) => !ended)).toBe(true);
      for (const [at, { cells, ended }] of sequences.entries()) {
        const longer = long[at]!.cells;
        expect(cells.length).toBeLessThanOrEqual(maxSteps + 1);
        expect(cells).toEqual(ended ? longer : longer.slice(0, cells.length));
      }
    },
  );
});

test("finished instances leave the batch: the steps an engine is asked for shrink as polygons end", async () => {
  const onnx = await openOnnxEngine(model, { device: "cpu" });
  const sizes: number[] = [];
  const counting: Engine = { ...onnx, encode: async (pixels, count) => counted(await onnx.encode(pixels, count)) };
  const counted = (decoding: Awaited<ReturnType<Engine["encode"]>>): typeof decoding => ({
    size: decoding.size,
    firstVertexLogits: decoding.firstVertexLogits,
    step: (input) => {
      sizes.push(decoding.size);
      return decoding.step(input);
    },
    select: (rows) => counted(decoding.select(rows)),
    dispose: () => {
      decoding.dispose();
    },
  });
  await predict(counting, crops, crops.length);
  await onnx.dispose();
  expect(sizes[0]).toBe(crops.length);
  expect([...sizes].sort((a, b) => b - a)).toEqual(sizes);
  expect(sizes.at(-1)).toBeLessThan(crops.length * 0.75);
});
