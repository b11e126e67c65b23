import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { reachSides } from "../../src/predict/reach-sides.js";

const bounds = { left: 10, top: 20, width: 100, height: 60 };
const ringOf = (...points: [number, number][]): { x: number; y: number }[] => points.map(([x, y]) => ({ x, y }));

describe("a polygon that stops short of its box", () => {
  test("reaches each side with its nearest vertex, straight ahead", () => {
    const ring = ringOf([10, 50], [60, 26], [97, 50], [60, 71]);
    expect(reachSides(ring, { bounds }, 0)).toEqual(ringOf([10, 50], [60, 20], [110, 50], [60, 80]));
  });

  test("takes vertices along that are at most half as far again from the side, the nearer the more", () => {
    const ring = ringOf([10, 80], [10, 20], [100, 20], [97.5, 50], [95, 80]);
    expect(reachSides(ring, { bounds }, 0)).toEqual(ringOf([10, 80], [10, 20], [110, 20], [102.5, 50], [95, 80]));
  });

  test("moves both ends of an edge that runs along the side", () => {
    const ring = ringOf([10, 30], [90, 27], [90, 73]);
    expect(reachSides(ring, { bounds }, 0)).toEqual(ringOf([10, 29], [110, 20], [110, 80]));
  });

  test("stays as it is where it reaches none: the box is loose", () => {
    const ring = ringOf([13, 23], [107, 23], [107, 77], [13, 77]);
    expect(reachSides(ring, { bounds }, 2.9)).toEqual(ring);
    expect(reachSides(ring, { bounds }, 3)).toEqual(ringOf([10, 20], [110, 20], [110, 80], [10, 80]));
  });

  test("stays as it is with fewer than three vertices, which are no polygon", () => {
    for (const ring of [[], ringOf([10, 30]), ringOf([10, 30], [50, 50])])
      expect(reachSides(ring, { bounds }, 0)).toEqual(ring);
  });

  test("keeps its vertices and their order, never leaves the box, and reaches every side or none", () => {
    const point = fc.record({ x: fc.integer({ min: 10, max: 110 }), y: fc.integer({ min: 20, max: 80 }) });
    fc.assert(
      fc.property(fc.array(point, { minLength: 3, maxLength: 20 }), (ring) => {
        const reached = reachSides(ring, { bounds }, 5);
        expect(reached).toHaveLength(ring.length);
        for (const { x, y } of reached) expect(x >= 10 && x <= 110 && y >= 20 && y <= 80).toBe(true);
        const gaps = (["x", "y"] as const).flatMap((axis) => {
          const [low, high] = axis === "x" ? [10, 110] : [20, 80];
          const along = ring.map((each) => each[axis]);
          return [Math.min(...along) - low, high - Math.max(...along)];
        });
        if (gaps.every((gap) => gap > 5)) expect(reached).toEqual(ring);
        else if (new Set(ring.map(({ y }) => y)).size > 1) {
          expect(Math.min(...reached.map(({ y }) => y))).toBe(20);
          expect(Math.max(...reached.map(({ y }) => y))).toBe(80);
        }
      }),
    );
  });
});
