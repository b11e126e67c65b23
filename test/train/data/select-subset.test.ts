import fc from "fast-check";
import { expect, test } from "vitest";
import { selectSubset } from "../../../src/train/data/truth.js";
import type { TruthInstance, TruthSet } from "../../../src/train/data/truth.js";

function setOf(count: number): TruthSet {
  const instances = Array.from({ length: count }, (_, ordinal): TruthInstance => ({
    ordinal,
    annotationId: ordinal,
    categoryId: 1,
    image: 0,
    source: 0,
    box: { left: 0, top: 0, width: 1, height: 1 },
    points: new Float32Array(6),
  }));
  return { instances, images: [], sources: ["all"], dropped: new Map() };
}
const ordinals = (set: TruthSet): number[] => set.instances.map(({ ordinal }) => ordinal);

test("a subset has the size asked for, in input order, and lies in every larger one of the same seed", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 80 }),
      fc.integer({ min: 1, max: 80 }),
      fc.string(),
      (count, a, b, seed) => {
        const set = setOf(count);
        const small = ordinals(selectSubset(set, Math.min(a, b), seed)),
          large = ordinals(selectSubset(set, Math.max(a, b), seed));
        expect(small.length).toBe(Math.min(a, b, count));
        expect(small).toEqual(small.toSorted((one, other) => one - other));
        for (const ordinal of small) expect(large).toContain(ordinal);
      },
    ),
  );
});

test("another seed chooses others", () => {
  const set = setOf(1000);
  expect(ordinals(selectSubset(set, 20, 1))).not.toEqual(ordinals(selectSubset(set, 20, 2)));
});
