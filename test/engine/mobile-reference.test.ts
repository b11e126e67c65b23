/** models/mobile computes what PyTorch computes. The same for TensorFlow.js: parity-native.test.ts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../../src/model/model.js";
import type { Model } from "../../src/model/model.js";
import { NORMALIZATION, onnxRunner } from "./network-runner.js";
import type { NetworkRunner } from "./network-runner.js";
import { checkedInReference, expectReference, referenceBesideCheckout } from "./reference-vectors.js";

const beside = await referenceBesideCheckout();
let model: Model;
let runner: NetworkRunner;
beforeAll(async () => {
  model = await loadModel("mobile");
  runner = await onnxRunner(model.network, model.weights);
});
afterAll(async () => {
  await runner.close();
});

test("the card normalizes as the reference does", () => {
  expect(model.card.normalization).toEqual(NORMALIZATION);
});

test("onnxruntime reproduces PyTorch on synthetic crops", async () => {
  await expectReference(await checkedInReference(), runner, model.network);
});

test.skipIf(beside === undefined)("onnxruntime reproduces the vectors that came with the first weights", async () => {
  const first = await onnxRunner(model.network, beside!.weights);
  await expectReference(beside!, first, model.network);
  await first.close();
});
