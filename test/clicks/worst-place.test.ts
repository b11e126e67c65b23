import fc from "fast-check";
import { expect, test } from "vitest";
import type { PinnedRing, TrueOutline } from "../../src/clicks/worst-place.js";
import { correct, onImage, worstPlace } from "../../src/clicks/worst-place.js";
import { inserted, moved, removed } from "../../src/review/page/edit.js";
import type { Ring } from "../../src/types.js";
import { anyOutline, SIDE } from "./arbitraries.js";

const SIZE = { imageWidth: SIDE, imageHeight: SIDE };
const ringOf = (...points: readonly (readonly [number, number])[]): Ring => points.map(([x, y]) => ({ x, y }));
const outline = (ring: Ring, metric: TrueOutline["metric"] = "chessboard"): TrueOutline => ({
  ring: ring.map((point) => onImage(point, SIZE)),
  cellPx: 10,
  ...SIZE,
  metric,
});
const SQUARE = ringOf([100, 100], [200, 100], [200, 200], [100, 200]);
const rings = fc.tuple(anyOutline, anyOutline, fc.constantFrom("chessboard" as const, "manhattan" as const));

/** Corrects until nothing is further off than that many cells. */
function finish(start: Ring, truth: TrueOutline, threshold: number): { shape: PinnedRing; clicks: number } {
  let shape: PinnedRing = { ring: start.map((point) => onImage(point, SIZE)), pins: [] };
  for (let clicks = 0; clicks < 200; clicks++) {
    const worst = worstPlace(shape, truth);
    if (worst === undefined || worst.distance <= threshold) return { shape, clicks };
    shape = correct(shape, worst);
  }
  throw new Error("the annotator does not come to an end");
}

test("a vertex that is off moves to the closest place of the true outline, and is pinned", () => {
  const ring = ringOf([100, 100], [150, 60], [200, 100], [200, 200], [100, 200]);
  const worst = worstPlace({ ring, pins: [] }, outline(SQUARE))!;
  expect(worst).toEqual({ kind: "move", at: 1, to: { x: 150, y: 100 }, distance: 4 });
  expect(correct({ ring, pins: [3] }, worst)).toEqual({ ring: ring.with(1, { x: 150, y: 100 }), pins: [1, 3] });
});

test("a corner that was cut off gets a vertex on the edge that cuts it", () => {
  const ring = ringOf([100, 100], [160, 100], [200, 140], [200, 200], [100, 200]);
  const worst = worstPlace({ ring, pins: [3] }, outline(SQUARE))!;
  expect(worst).toEqual({ kind: "add", at: 2, to: { x: 200, y: 100 }, distance: 2 });
  expect(correct({ ring, pins: [3] }, worst).pins).toEqual([2, 4]);
});

test("a vertex beside one that is right already is deleted", () => {
  const ring = ringOf([60, 60], [100, 100], [200, 100], [200, 200], [100, 200]);
  const worst = worstPlace({ ring, pins: [1, 3] }, outline(SQUARE))!;
  expect(worst).toEqual({ kind: "delete", at: 0, to: { x: 100, y: 100 }, distance: 4 });
  expect(correct({ ring, pins: [1, 3] }, worst)).toEqual({ ring: ring.slice(1), pins: [0, 2] });
});

test("of the true outline and itself nothing is to be corrected", () => {
  fc.assert(
    fc.property(rings, ([ring, , metric]) => {
      const truth = outline(ring, metric);
      expect(worstPlace({ ring: truth.ring, pins: [] }, truth)).toBeUndefined();
    }),
  );
});

test("corrections come to an end: at most a click per vertex of both, and then all lies within T", () => {
  fc.assert(
    fc.property(rings, fc.constantFrom(0, 1, 2), ([drawn, ring, metric], threshold) => {
      const truth = outline(ring, metric);
      const { shape, clicks } = finish(drawn, truth, threshold);
      expect(clicks).toBeLessThanOrEqual(drawn.length + ring.length);
      expect(shape.pins.length).toBeLessThanOrEqual(clicks);
      expect(worstPlace(shape, truth)?.distance ?? 0).toBeLessThanOrEqual(threshold);
    }),
    { numRuns: 60 },
  );
});

test("a stricter annotator does first what a lenient one does", () => {
  fc.assert(
    fc.property(rings, ([drawn, ring, metric]) => {
      const truth = outline(ring, metric);
      expect(finish(drawn, truth, 1).clicks).toBeGreaterThanOrEqual(finish(drawn, truth, 3).clicks);
    }),
    { numRuns: 30 },
  );
});

test("a correction leaves the ring that the page leaves after the same move", () => {
  fc.assert(
    fc.property(rings, fc.nat(5), ([drawn, ring, metric], pin) => {
      const shape = { ring: drawn, pins: [pin % drawn.length] };
      const worst = worstPlace(shape, outline(ring, metric));
      fc.pre(worst !== undefined);
      const { kind, at, to } = worst;
      const page = { ...shape, box: [0, 0, 1, 1] as const, categoryId: 1 };
      const change = { move: moved, add: inserted, delete: () => removed(page, at) }[kind];
      expect(correct(shape, worst)).toEqual(change(page, at, to));
    }),
  );
});
