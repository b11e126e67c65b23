/** Polygons of a network with a refined mask: which map judges, what is written, and what older networks keep. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import { crossesItself } from "../../src/geometry/ring.js";
import { isSimple } from "../../src/geometry/simple-ring.js";
import { describeNetwork } from "../../src/network/build.js";
import { decodeBest } from "../../src/predict/candidates.js";
import { expectedIoUOfRing } from "../../src/predict/mask-agreement.js";
import { decodeOutlines } from "../../src/predict/outline.js";
import { stackPixels } from "../../src/crop/crop.js";
import { predictBatch } from "../../src/predict/predict.js";
import { NORMALIZATION, randomWeights } from "../engine/network-runner.js";
import { realCrops } from "./real-crops.js";

const network = describeNetwork({
  name: "tiny",
  widths: [5, 3],
  features: 7,
  rank: 4,
  peepholes: false,
  refine: true,
});
const OPTIONS = { maxSteps: 20, candidates: 3 };

let engine: Engine;
let crops: Awaited<ReturnType<typeof realCrops>>;
beforeAll(async () => {
  const weights = randomWeights(network, "refined");
  engine = await openOnnxEngine({ network, weights, normalization: NORMALIZATION }, { device: "cpu" });
  crops = (await realCrops(2, 4)).slice(0, 6);
});
afterAll(async () => {
  await engine.dispose();
});

describe("with a refined mask", () => {
  test("polygons are judged by it: 112 x 112 cells for each crop", async () => {
    const { sequences } = await decodeBest(engine, stackPixels(crops), crops, OPTIONS);
    for (const { maskLogits } of sequences) expect(maskLogits).toHaveLength(112 * 112);
  });

  test("the score is the expected IoU of the ring that is written; no ring crosses or touches itself", async () => {
    const { sequences } = await decodeBest(engine, stackPixels(crops), crops, OPTIONS);
    const { outlines } = await decodeOutlines(engine, stackPixels(crops), crops, OPTIONS);
    outlines.forEach(({ ring, distinct, score }, at) => {
      if (distinct < 3) return;
      expect(score).toBeCloseTo(expectedIoUOfRing(ring, crops[at]!, sequences[at]!.maskLogits!));
      expect(isSimple(ring)).toBe(true);
    });
    expect(outlines.some(({ distinct }) => distinct >= 3)).toBe(true);
  });

  test("--simplify keeps rings that do not cross themselves", async () => {
    for (const simplify of [1, 5, 20]) {
      const { predictions } = await predictBatch(engine, crops, { ...OPTIONS, simplify });
      for (const each of predictions) if (each.kind === "polygon") expect(crossesItself(each.ring)).toBe(false);
    }
  });

  test("sure from 0 on, every crop has one polygon; from 1 on, more are tried and the best is no worse", async () => {
    const scores = async (sure: number): Promise<number[]> =>
      (await decodeBest(engine, stackPixels(crops), crops, { ...OPTIONS, sure })).sequences.map(
        ({ isFlipped, expectedIoU }) => (isFlipped ? 2 : expectedIoU!),
      );
    const [once, often] = [await scores(0), await scores(1)];
    expect(once.some((score) => score === 2)).toBe(false);
    expect(often).not.toEqual(once);
  });
});
