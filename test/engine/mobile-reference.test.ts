/** models/mobile computes what PyTorch computes. The same for TensorFlow.js: parity-native.test.ts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../../src/model/model.js";
import { DEFAULT_ARCHITECTURES, describeNetwork } from "../../src/network/build.js";
import type { Model } from "../../src/model/model.js";
import { NORMALIZATION, onnxRunner } from "./network-runner.js";
import type { NetworkRunner } from "./network-runner.js";
import { checkedInReference, expectReference, referenceBesideCheckout } from "./reference-vectors.js";

const first = await referenceBesideCheckout("first");
const refined = await referenceBesideCheckout("refined");
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

test.skipIf(first === undefined)("a network without a refined mask still computes what it did", async () => {
  const { name, widths, features, skip, rank, peepholes } = DEFAULT_ARCHITECTURES.mobile;
  const network = describeNetwork({ name, widths, features, skip, rank, peepholes });
  const older = await onnxRunner(network, first!.weights);
  await expectReference(first!, older, network);
  await older.close();
});

test.skipIf(refined === undefined)("onnxruntime reproduces the vectors that came with the weights", async () => {
  expect(refined!.names).toContain("fineMask");
  await expectReference(refined!, runner, model.network);
});
