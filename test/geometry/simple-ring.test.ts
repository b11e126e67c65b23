import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crossesItself, signedArea } from "../../src/geometry/ring.js";
import { isSimple, makeSimple } from "../../src/geometry/simple-ring.js";
import type { Ring } from "../../src/types.js";

const ringOf = (...points: readonly [number, number][]): Ring => points.map(([x, y]) => ({ x, y }));
const area = (ring: Ring): number => Math.abs(signedArea(ring));
const coordinate = fc.integer({ min: 0, max: 12 });
const anyRing = fc
  .array(fc.record({ x: coordinate, y: coordinate }), { minLength: 3, maxLength: 14 })
  .filter((ring) =>
    ring.some(({ x, y }) => ring.some((b) => ring.some((c) => (b.x - x) * (c.y - y) !== (b.y - y) * (c.x - x)))),
  );

describe("a ring made simple", () => {
  test("neither crosses nor touches itself, whatever it was, and has vertices of the old one only", () => {
    fc.assert(
      fc.property(anyRing, (ring) => {
        const simple = makeSimple(ring, area);
        if (simple.length > 3) expect(isSimple(simple)).toBe(true);
        expect(crossesItself(simple)).toBe(false);
        for (const vertex of simple) expect(ring).toContainEqual(vertex);
      }),
      { numRuns: 500 },
    );
  });

  test("has no edge that goes back over another, also where numbers in hundredths hide that they are on one line", () => {
    const folded = ringOf([14.16, 35], [13.42, 34.26], [14.89, 35.73], [0, 31.19]);
    expect(isSimple(folded)).toBe(false);
    expect(makeSimple(folded, area)).toHaveLength(3);
  });

  test("keeps its edges apart by half of what vertices are rounded to", () => {
    const notch = (y: number): Ring => ringOf([0, 0], [10, 0], [10, 10], [5, y], [0, 10]);
    expect(isSimple(notch(0.006))).toBe(true);
    expect(isSimple(notch(0.004))).toBe(false);
    expect(isSimple(notch(0.004), 0)).toBe(true);
  });

  test("comes back as it is when it was simple", () => {
    const square = ringOf([0, 0], [4, 0], [4, 4], [0, 4]);
    expect(makeSimple(square, area)).toBe(square);
  });

  test.each([
    { why: "a bow is untied without losing a vertex", ring: ringOf([0, 0], [4, 4], [4, 0], [0, 4]), left: 4 },
    { why: "a spike is undone", ring: ringOf([0, 0], [4, 0], [4, 4], [9, 4], [4, 4], [0, 4]), left: 5 },
    { why: "a corner on another edge goes", ring: ringOf([0, 0], [6, 0], [6, 6], [3, 0], [0, 6]), left: 4 },
  ])("$why", ({ ring, left }) => {
    const simple = makeSimple(ring, area);
    expect(isSimple(simple)).toBe(true);
    expect(simple).toHaveLength(left);
  });

  test("of vertices that leave as few contacts, the one goes without which the ring is worth most", () => {
    const ring = ringOf([0, 0], [6, 0], [6, 6], [3, 0], [0, 6]);
    const without = (x: number, y: number): Ring =>
      makeSimple(ring, (other) => (other.some((p) => p.x === x && p.y === y) ? 0 : 1));
    expect(without(3, 0)).not.toContainEqual({ x: 3, y: 0 });
  });

  test("rings of many vertices come back within seconds", () => {
    const star = Array.from({ length: 500 }, (_, i) => ({ x: Math.cos(i * 2.4) * 100, y: Math.sin(i * 2.4) * 100 }));
    const began = performance.now();
    expect(crossesItself(makeSimple(star, area))).toBe(false);
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});
