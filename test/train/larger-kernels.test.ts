/** A network with larger kernels starts where the one with smaller kernels stood. */
import { expect, test } from "vitest";
import { loadModel } from "../../src/model/model.js";
import { networkToTrain, startWeights } from "../../src/train/start-weights.js";
import { onnxRunner } from "../engine/network-runner.js";
import { zeroState } from "../engine/parity-cases.js";

const VERTICES = { first: Int32Array.of(300), previous: Int32Array.of(310), beforePrevious: Int32Array.of(300) };

test("kernels of 5 begin as those of 3 with zeros around: the same logits", async () => {
  const small = await loadModel("tiny-random");
  const large = await networkToTrain({ model: small.folder, kernel: 5 });
  const start = await startWeights(large, { init: small.folder, seed: 0 });
  expect(start.description).toContain("2 kernels of them with zeros around");
  const hoisted = Float32Array.from({ length: large.network.hoistedChannels * 784 }, (_, at) => Math.sin(at));
  const logits: Float32Array[] = [];
  for (const { network, weights } of [small, { ...large, weights: start.weights }]) {
    const runner = await onnxRunner(network, weights, "step");
    const one = await runner.step(hoisted, VERTICES, zeroState(network, 1));
    logits.push((await runner.step(hoisted, VERTICES, one.state)).logits);
    await runner.close();
  }
  logits[0]!.forEach((value, at) => {
    expect(logits[1]![at]!).toBeCloseTo(value, 4);
  });
});

test.each([
  { why: "vgg16 has one cell", choice: { model: "vgg16", cell: "jordan" as const }, says: "received vgg16" },
  { why: "an even kernel", choice: { model: "mobile", kernel: 4 }, says: "kernel: expected 3, 5, 7 but received 4" },
])("a choice is refused as one of use: $why", async ({ choice, says }) => {
  await expect(networkToTrain(choice)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining(says) as string,
  });
});
