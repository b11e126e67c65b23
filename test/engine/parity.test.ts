/**
 * Both engines on the same weights: onnxruntime on the CPU against TensorFlow.js in plain JavaScript, which is slow, so
 * only on small networks. parity-native.test.ts does the same with libtensorflow for the full ones.
 */
import * as tf from "@tensorflow/tfjs";
import { wasmTensorFlow } from "../helpers/tensorflow-wasm.js";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ArchitectureOptions } from "../../src/network/polygon-rnn.js";
import { describeNetwork } from "../../src/network/build.js";
import { decodeGreedy } from "../../src/predict/decode.js";
import { loadModel } from "../../src/model/model.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import { openTfjsEngine } from "../../src/engine/tfjs/engine.js";
import { onnxRunner, randomWeights, syntheticCrops, tfjsRunner } from "./network-runner.js";
import type { NetworkRunner, Weights } from "./network-runner.js";
import { expectSameNetwork, expectSameStep } from "./parity-cases.js";

beforeAll(async () => {
  await wasmTensorFlow();
});

const open: NetworkRunner[] = [];
afterEach(async () => {
  for (const runner of open.splice(0)) await runner.close();
});

/** Both engines on one network. */
async function both(
  options: ArchitectureOptions,
  weights: Weights,
  parts: "both" | "step" = "both",
): Promise<[NetworkRunner, NetworkRunner]> {
  const network = describeNetwork(options);
  open.push(await onnxRunner(network, weights, parts), tfjsRunner(tf, network, weights));
  return [open[0]!, open[1]!];
}

const TINY = { name: "tiny", widths: [5, 3], features: 7, rank: 4, peepholes: false } as const;
const SMALL_MOBILE = { name: "mobile", widths: [6, 4], features: 8, skip: 4, rank: 8, peepholes: false } as const;
const VGG16 = { name: "vgg16", widths: [16, 16], peepholes: false } as const;

describe("image side and steps agree", () => {
  test.each([
    { why: "the test model's own weights", options: undefined, crops: 2, steps: 12 },
    { why: "odd widths", options: TINY, crops: 2, steps: 4 },
    { why: "peepholes", options: { ...TINY, peepholes: true }, crops: 2, steps: 4 },
    { why: "kernels of 5", options: { ...TINY, kernel: 5 as const }, crops: 1, steps: 3 },
    { why: "kernels of 7", options: { ...TINY, kernel: 7 as const }, crops: 1, steps: 2 },
    { why: "dilated kernels", options: { ...TINY, dilation: 2 }, crops: 1, steps: 3 },
    { why: "a GRU", options: { ...TINY, cell: "convgru" as const }, crops: 2, steps: 4 },
    { why: "an Elman cell", options: { ...TINY, cell: "elman" as const }, crops: 2, steps: 4 },
    { why: "a Jordan cell", options: { ...TINY, cell: "jordan" as const }, crops: 2, steps: 4 },
    {
      why: "a dilated GRU of 5",
      options: { ...TINY, cell: "convgru" as const, kernel: 5 as const, dilation: 3 },
      crops: 1,
      steps: 2,
    },
    { why: "a refined mask", options: { ...TINY, refine: true }, crops: 2, steps: 1 },
    { why: "the whole MobileNetV2 backbone, a thin decoder", options: SMALL_MOBILE, crops: 1, steps: 3 },
  ])("$why", async ({ options, crops, steps }) => {
    const model = await loadModel("tiny-random");
    const architecture = options ?? model.card.architecture;
    const network = describeNetwork(architecture);
    const [a, b] = await both(architecture, options === undefined ? model.weights : randomWeights(network, "parity"));
    await expectSameNetwork(a, b, network, crops, steps);
  });
});

describe("a step from any state agrees", () => {
  test.each([
    { why: "mobile", options: { ...SMALL_MOBILE, widths: [24, 16], rank: 128 } as const },
    { why: "mobile with peepholes", options: { ...SMALL_MOBILE, peepholes: true } },
    { why: "vgg16", options: VGG16 },
    { why: "vgg16 with peepholes", options: { ...VGG16, peepholes: true } },
  ])("$why", async ({ options }) => {
    const network = describeNetwork(options);
    // Backbones are left out: the step does not use them, and two VGG-16 take seconds to make up.
    const shapes = new Map([...network.weightShapes].filter(([name]) => name.startsWith("decoder.")));
    const [a, b] = await both(options, randomWeights({ ...network, weightShapes: shapes }, "parity"), "step");
    await expectSameStep(a, b, network);
  });
});

test("both engines predict the same sequences to their end", async () => {
  const model = await loadModel("tiny-random");
  const pixels = syntheticCrops(3);
  const onnx = await openOnnxEngine(model, { device: "cpu" });
  const tfjs = openTfjsEngine(tf, model, { device: "cpu", version: "plain JavaScript" });
  const [a, b] = [await decodeGreedy(onnx, pixels, 3, 30), await decodeGreedy(tfjs, pixels, 3, 30)];
  await onnx.dispose();
  await tfjs.dispose();
  expect(a.sequences.map(({ cells, ended }) => ({ cells, ended }))).toEqual(
    b.sequences.map(({ cells, ended }) => ({ cells, ended })),
  );
  expect(a.sequences.some(({ ended }) => ended)).toBe(true);
  a.sequences.forEach(({ logProbability }, at) => {
    expect(logProbability).toBeCloseTo(b.sequences[at]!.logProbability, 3);
  });
});
