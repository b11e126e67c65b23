/**
 * TensorFlow.js over libtensorflow against onnxruntime and PyTorch, on the full networks. Needs @tensorflow/tfjs-node
 * (or the package that POLYRNN_TFJS_NODE points to) with its native library; skipped with the reason where there is
 * none. In a file of its own: a second TensorFlow.js in one process overwrites the kernels of the first.
 */
import { afterEach, describe, expect, test } from "vitest";
import { describeNetwork } from "../../src/network/build.js";
import { decodeGreedy } from "../../src/predict/decode.js";
import { loadModel } from "../../src/model/model.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import { openTfjsEngine } from "../../src/engine/tfjs/engine.js";
import { loadTfjs } from "../../src/engine/tfjs/load.js";
import { weightsOutOfReach } from "./gradient-reach.js";
import { onnxRunner, randomWeights, syntheticCrops, tfjsRunner } from "./network-runner.js";
import type { NetworkRunner } from "./network-runner.js";
import { expectSameNetwork } from "./parity-cases.js";
import { checkedInReference, expectReference, referenceBesideCheckout } from "./reference-vectors.js";

const loaded = loadTfjs("cpu");
if (!("tf" in loaded)) {
  console.log(
    `native TensorFlow.js tests skipped: ${loaded.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`).join("; ")}`,
  );
}
const beside = await referenceBesideCheckout("refined");

const PEEPHOLES = { name: "mobile", widths: [24, 16], features: 128, skip: 64, rank: 128, peepholes: true } as const;
/** Made once: some twenty million numbers. */
const paper = describeNetwork({ name: "vgg16", widths: [16, 16], peepholes: true });
const paperWeights = "tf" in loaded ? randomWeights(paper, "paper") : undefined;

const open: NetworkRunner[] = [];
afterEach(async () => {
  for (const runner of open.splice(0)) await runner.close();
});

describe.skipIf(!("tf" in loaded))("native TensorFlow.js", () => {
  const { tf } = loaded as Extract<typeof loaded, { tf: unknown }>;

  test("reproduces PyTorch for mobile on synthetic crops", async () => {
    const { network, weights } = await loadModel("mobile");
    open.push(tfjsRunner(tf, network, weights));
    await expectReference(await checkedInReference(), open[0]!, network);
  });

  test.skipIf(beside === undefined)("reproduces the vectors that came with the weights", async () => {
    const { network } = await loadModel("mobile");
    open.push(tfjsRunner(tf, network, beside!.weights));
    await expectReference(beside!, open[0]!, network);
  });

  test.each([
    { why: "mobile with its weights", options: undefined },
    { why: "mobile with peepholes", options: PEEPHOLES },
  ])("computes what onnxruntime computes: $why", async ({ options }) => {
    const model = await loadModel("mobile");
    const network = options === undefined ? model.network : describeNetwork(options);
    const weights = options === undefined ? model.weights : randomWeights(network, "parity");
    open.push(await onnxRunner(network, weights), tfjsRunner(tf, network, weights));
    await expectSameNetwork(open[0]!, open[1]!, network, 2, 3);
  });

  // Rows of a batch are mobile's business: a crop of this network is a second of processor time.
  test("computes what onnxruntime computes: vgg16 with peepholes", async () => {
    open.push(await onnxRunner(paper, paperWeights!), tfjsRunner(tf, paper, paperWeights!));
    await expectSameNetwork(open[0]!, open[1]!, paper, 1, 3);
  });

  test("the gradient reaches every weight of mobile", () => {
    const network = describeNetwork(PEEPHOLES);
    expect(weightsOutOfReach(tf, network, randomWeights(network, "gradient"))).toEqual([]);
  });

  test("the gradient reaches every weight of vgg16", () => {
    expect(weightsOutOfReach(tf, paper, paperWeights!)).toEqual([]);
  });

  test("predicts the same polygons with mobile, and frees every tensor", async () => {
    const model = await loadModel("mobile");
    const pixels = syntheticCrops(4);
    const before = tf.memory().numTensors;
    const tfjs = openTfjsEngine(tf, model, { device: "cpu", version: "" });
    const predicted = await decodeGreedy(tfjs, pixels, 4, 71);
    await tfjs.dispose();
    expect(tf.memory().numTensors).toBe(before);
    const onnx = await openOnnxEngine(model, { device: "cpu" });
    const expected = await decodeGreedy(onnx, pixels, 4, 71);
    await onnx.dispose();
    expect(predicted.sequences.map(({ cells }) => cells)).toEqual(expected.sequences.map(({ cells }) => cells));
    expect(predicted.sequences.every(({ ended }) => ended)).toBe(true);
  });
});
