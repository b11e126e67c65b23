import { describe, expect, test } from "vitest";
import { count } from "../../src/count.js";
import type { Crop } from "../../src/crop/crop.js";
import { cellToIndex } from "../../src/geometry/grid.js";
import { simplifyRing } from "../../src/geometry/simplify.js";
import { predictBatch } from "../../src/predict/predict.js";
import type { Instance } from "../../src/types.js";
import { recites } from "./reciting-engine.js";

const instance: Instance = {
  ordinal: 4,
  annotationId: "b-17",
  imageId: 1,
  categoryId: 1,
  box: { left: 0, top: 0, width: 200, height: 200 },
  raw: {},
};
const crop: Crop = {
  instance,
  pixels: new Uint8Array(224 * 224 * 3),
  window: { left: 0, top: 0, side: 280 },
  bounds: { left: 0, top: 0, width: 640, height: 480 },
  clipped: false,
  imageWidth: 640,
  imageHeight: 480,
};
const cells = (...pairs: [number, number][]): number[] => pairs.map(([col, row]) => cellToIndex({ col, row }));
const L_SHAPE = cells([2, 2], [10, 2], [10, 10], [20, 10], [20, 20], [2, 20]);

describe("a sequence that is no polygon", () => {
  test.each([
    { sequence: cells([3, 3]), distinct: 1, steps: 1, why: "ends at once" },
    { sequence: cells([3, 3], [9, 9]), distinct: 2, steps: 2, why: "is a line" },
    { sequence: cells([3, 3], [9, 9], [3, 3], [9, 9], [3, 3]), distinct: 2, steps: 5, why: "goes to and fro" },
  ])(
    "is a failed instance that names itself, what was expected, received and to be done: one that $why",
    async ({ sequence, distinct, steps }) => {
      const { predictions } = await predictBatch(recites(sequence), [crop], {
        maxSteps: 71,
        candidates: 3,
        simplify: 0,
      });
      expect(predictions).toEqual([
        {
          kind: "failed",
          crop,
          failure: {
            reason: "too-few-vertices",
            message: `annotation b-17: expected a sequence with at least 3 distinct vertices, received ${distinct} after ${count(steps, "step")}; draw this one by hand, or try a larger --context`,
          },
        },
      ]);
    },
  );

  test("does not touch its neighbors in the batch", async () => {
    const { predictions } = await predictBatch(recites(L_SHAPE, cells([3, 3]), L_SHAPE), [crop, crop, crop], {
      maxSteps: 71,
      candidates: 3,
      simplify: 0,
    });
    expect(predictions.map(({ kind }) => kind)).toEqual(["polygon", "failed", "polygon"]);
  });

  test("also when the step limit cut it", async () => {
    const { predictions } = await predictBatch(recites(L_SHAPE), [crop], { maxSteps: 1, candidates: 3, simplify: 0 });
    expect(predictions[0]).toMatchObject({ kind: "failed", failure: { reason: "too-few-vertices" } });
  });
});

describe("a polygon", () => {
  test("has one vertex per cell, a score near 1 when the network is sure, and says that it ended", async () => {
    const { predictions } = await predictBatch(recites(L_SHAPE), [crop], { maxSteps: 71, candidates: 3, simplify: 0 });
    expect(predictions[0]).toMatchObject({ kind: "polygon", ended: true, ring: { length: 6 } });
    if (predictions[0]!.kind === "polygon") expect(predictions[0]!.score).toBeGreaterThan(0.999);
  });

  test("that reaches the step limit without end-of-sequence says so", async () => {
    const { predictions } = await predictBatch(recites(L_SHAPE), [crop], { maxSteps: 5, candidates: 3, simplify: 0 });
    expect(predictions[0]).toMatchObject({ kind: "polygon", ended: false, ring: { length: 6 } });
    const ended = await predictBatch(recites(L_SHAPE), [crop], { maxSteps: 6, candidates: 3, simplify: 0 });
    expect(ended.predictions[0]).toMatchObject({ kind: "polygon", ended: true });
  });

  test("is simplified in image pixels when asked for, and never below three vertices", async () => {
    const wavy = cells([2, 2], [6, 3], [10, 2], [14, 3], [20, 2], [20, 20], [2, 20]);
    const [plain, simple, coarse] = await Promise.all(
      [0, 12, 1000].map(async (simplify) => {
        const { predictions } = await predictBatch(recites(wavy), [crop], { maxSteps: 71, candidates: 3, simplify });
        const [prediction] = predictions;
        if (prediction?.kind !== "polygon") throw new Error("expected a polygon");
        return prediction.ring;
      }),
    );
    expect(plain).toHaveLength(7);
    expect(simple).toEqual(simplifyRing(plain!, 12));
    expect(simple!.length).toBeLessThan(7);
    expect(coarse!.length).toBeGreaterThanOrEqual(3);
  });
});

test("no crops give no predictions", async () => {
  const { predictions } = await predictBatch(recites(), [], { maxSteps: 71, candidates: 3, simplify: 0 });
  expect(predictions).toEqual([]);
});
