/** Several steps in one call give what single steps give, on real engines with real crops. */
import * as tf from "@tensorflow/tfjs";
import { wasmTensorFlow } from "../helpers/tensorflow-wasm.js";
import { beforeAll, expect, test } from "vitest";
import { decodeGreedy } from "../../src/predict/decode.js";
import { stackPixels } from "../../src/crop/crop.js";
import type { Decoding, Engine } from "../../src/engine/engine.js";
import { loadModel } from "../../src/model/model.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import { openTfjsEngine } from "../../src/engine/tfjs/engine.js";
import { realCrops } from "./real-crops.js";

type Sequence = Awaited<ReturnType<typeof decodeGreedy>>["sequences"][number];
const LIMITS = [1, 5, 24];

let pixels: Uint8Array;
let count: number;
beforeAll(async () => {
  const crops = await realCrops(40, 2);
  [pixels, count] = [stackPixels(crops), crops.length];
});

async function onnx(name: string, stepsAtOnce?: number): Promise<Engine> {
  return openOnnxEngine(await loadModel(name), {
    device: "cpu",
    ...(stepsAtOnce !== undefined && { stepsAtOnce }),
  });
}

/** Of single steps, for each limit; made once per model. */
const expected = new Map<string, ReturnType<typeof drawSingly>>();

async function drawSingly(name: string): Promise<ReadonlyMap<number, readonly Sequence[]>> {
  const single = await onnx(name);
  const drawn = new Map<number, readonly Sequence[]>();
  for (const maxSteps of LIMITS) drawn.set(maxSteps, (await decodeGreedy(single, pixels, count, maxSteps)).sequences);
  await single.dispose();
  return drawn;
}

/** The engine, counting its calls and the batches it still holds. */
function watched(engine: Engine): { engine: Engine; calls: number[]; held: () => number } {
  const calls: number[] = [];
  let held = 0;
  const watch = (decoding: Decoding): Decoding => {
    held++;
    return {
      size: decoding.size,
      firstVertexLogits: decoding.firstVertexLogits,
      step: () => {
        throw new Error("one step was asked for");
      },
      steps: (input) => {
        calls.push(decoding.size);
        return decoding.steps!(input);
      },
      select: (rows) => watch(decoding.select(rows)),
      dispose: () => {
        held--;
        decoding.dispose();
      },
    };
  };
  return {
    engine: {
      ...engine,
      encode: async (all, size) => watch(await engine.encode(all, size)),
      dispose: () => engine.dispose(),
    },
    calls,
    held: () => held,
  };
}

test.each([
  { name: "tiny-random", stepsAtOnce: 2 },
  { name: "tiny-random", stepsAtOnce: 7 },
  { name: "tiny-random", stepsAtOnce: 26 },
  { name: "mobile", stepsAtOnce: 4 },
])(
  "$stepsAtOnce steps in one call of $name give what single steps give, for any step limit",
  async ({ name, stepsAtOnce }) => {
    const several = watched(await onnx(name, stepsAtOnce));
    if (!expected.has(name)) expected.set(name, drawSingly(name));
    const singly = await expected.get(name)!;
    for (const maxSteps of LIMITS) {
      several.calls.length = 0;
      const { sequences } = await decodeGreedy(several.engine, pixels, count, maxSteps);
      expect(sequences).toEqual(singly.get(maxSteps));
      expect(several.calls).toHaveLength(Math.ceil(Math.max(...sequences.map(({ steps }) => steps)) / stepsAtOnce));
      expect(several.held()).toBe(0);
    }
    if (stepsAtOnce < 10) expect(several.calls.at(-1)).toBeLessThan(count); // ended polygons leave
    await several.engine.dispose();
  },
);

test("TensorFlow.js predicts the same with several steps in one call, and leaves no tensor behind", async () => {
  await wasmTensorFlow();
  const model = await loadModel("tiny-random");
  const open = (stepsAtOnce: number): Engine =>
    openTfjsEngine(tf, model, {
      device: "cpu",
      version: "plain JavaScript",
      stepsAtOnce,
    });
  const [single, several] = [open(1), open(3)];
  const few = 2;
  const expected = await decodeGreedy(single, pixels.subarray(0, few * 224 * 224 * 3), few, 8);
  await decodeGreedy(several, pixels.subarray(0, few * 224 * 224 * 3), few, 3); // the vertex table stays from here on
  const before = tf.memory().numTensors;
  const { sequences } = await decodeGreedy(several, pixels.subarray(0, few * 224 * 224 * 3), few, 8);
  expect(tf.memory().numTensors).toBe(before);
  expect(sequences.map(({ cells }) => cells)).toEqual(expected.sequences.map(({ cells }) => cells));
  expect(sequences.map(({ steps, ended }) => ({ steps, ended }))).toEqual(
    expected.sequences.map(({ steps, ended }) => ({ steps, ended })),
  );
  sequences.forEach(({ logProbability }, at) => {
    expect(Math.abs(logProbability - expected.sequences[at]!.logProbability)).toBeLessThan(1e-4);
  });
  await single.dispose();
  await several.dispose();
});

test("a CPU takes one step at a time unless told otherwise", async () => {
  const engine = await onnx("tiny-random");
  const decoding = await engine.encode(pixels.subarray(0, 224 * 224 * 3), 1);
  expect(decoding.steps).toBeUndefined();
  decoding.dispose();
  await engine.dispose();
});

test("an error in the middle frees every batch", async () => {
  const { engine, held } = watched(await onnx("tiny-random", 2));
  let calls = 0;
  const failing: Engine = {
    ...engine,
    async encode(all, size) {
      const failAtThird = (decoding: Decoding): Decoding => ({
        ...decoding,
        steps: (input) => (++calls === 3 ? Promise.reject(new Error("the device is gone")) : decoding.steps!(input)),
        select: (rows) => failAtThird(decoding.select(rows)),
      });
      return failAtThird(await engine.encode(all, size));
    },
  };
  await expect(decodeGreedy(failing, pixels, count, 30)).rejects.toThrow("the device is gone");
  expect(held()).toBe(0);
  await engine.dispose();
});
