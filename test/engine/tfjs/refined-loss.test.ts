/** Training teaches the refined mask: its loss and a gradient that can be worked out by hand. */
import { expect, test } from "vitest";
import { describeNetwork } from "../../../src/network/build.js";
import { FIGURES } from "../../../src/engine/tfjs/losses.js";
import { trainingTensorFlow } from "../../helpers/tensorflow-training.js";
import { NORMALIZATION, tfjsRunner } from "../network-runner.js";
import { hashedWeights, NETWORKS, openReferenceTrainer, referenceBatch } from "../training-reference.js";

const OPTIONS = { ...NETWORKS.tiny, refine: true } as const;

const { tf } = await trainingTensorFlow();

test("the last bias of the refined mask learns the mean of probability less share inside the outline", async () => {
  const batch = {
    ...referenceBatch(),
    fineMask: Float32Array.from({ length: 2 * 112 * 112 }, (_, at) => (at % 5) / 4),
  };
  const runner = tfjsRunner(tf, describeNetwork(OPTIONS), hashedWeights(OPTIONS));
  const logits = (await runner.encode(batch.crops, batch.size)).get("fineMask")!;
  await runner.close();
  expect(NORMALIZATION.std[0]).toBe(127.5); // both normalize alike
  let [slope, loss] = [0, 0];
  logits.forEach((logit, at) => {
    slope += (1 / (1 + Math.exp(-logit)) - batch.fineMask[at]!) / logits.length;
    loss += ((1 - batch.fineMask[at]!) * logit + Math.log1p(Math.exp(-logit))) / logits.length;
  });
  const trainer = openReferenceTrainer(tf, OPTIONS);
  try {
    const { figures, gradients } = await trainer.gradients(batch);
    expect(figures[FIGURES.indexOf("fineMask")]).toBeCloseTo(loss, 4);
    expect(gradients.get("refine.out.bias")!.values[0]).toBeCloseTo(slope, 5);
    for (const name of ["refine.features", "refine.c4", "refine.c2", "refine.join_56"])
      expect(
        gradients.get(`${name}.weight`)!.values.some((value) => value !== 0),
        name,
      ).toBe(true);
  } finally {
    trainer.dispose();
  }
});
