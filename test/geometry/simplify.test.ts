import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { signedArea } from "../../src/geometry/ring.js";
import { simplifyRing } from "../../src/geometry/simplify.js";
import type { ImagePoint, Ring } from "../../src/types.js";
import { anyRing, toRing } from "./arbitraries.js";

const anyTolerance = fc.double({ min: 0, max: 50, noNaN: true });

describe("simplifying a ring", () => {
  test("leaves every vertex within the tolerance of the result", () => {
    fc.assert(
      fc.property(anyRing, anyTolerance, (ring, tolerance) => {
        const simple = simplifyRing(ring, tolerance);
        for (const point of ring) expect(distanceToRing(point, simple)).toBeLessThanOrEqual(tolerance + 1e-9);
      }),
      { numRuns: 500 },
    );
  });

  test("keeps some of the vertices in their order, and at least three of a ring that has them", () => {
    fc.assert(
      fc.property(anyRing, anyTolerance, (ring, tolerance) => {
        const simple = simplifyRing(ring, tolerance);
        expect(simple.length).toBeGreaterThanOrEqual(Math.min(3, ring.length));
        let at = 0;
        for (const point of ring) if (point === simple[at]) at++;
        expect(at).toBe(simple.length);
      }),
    );
  });

  test.each([
    {
      ring: [0, 0, 5, 0.4, 10, 0, 10, 10, 0, 10],
      tolerance: 0.5,
      left: [0, 0, 10, 0, 10, 10, 0, 10],
      why: "a bump below the tolerance goes",
    },
    {
      ring: [0, 0, 5, 0.6, 10, 0, 10, 10, 0, 10],
      tolerance: 0.5,
      left: [0, 0, 5, 0.6, 10, 0, 10, 10, 0, 10],
      why: "a bump above it stays",
    },
    {
      ring: [5, 0, 10, 0, 10, 10, 0, 10, 0, 0],
      tolerance: 0,
      left: [10, 0, 10, 10, 0, 10, 0, 0],
      why: "a first vertex in the middle of a side goes",
    },
    {
      ring: [0, 0, 10, 0, 10, 2, 0, 1],
      tolerance: 50,
      left: [0, 0, 10, 0, 10, 2],
      why: "three vertices are left of anything",
    },
    { ring: [0, 0, 2, 0, 4, 0, 3, 0], tolerance: 0, left: [0, 0, 2, 0, 4, 0], why: "a line keeps a third vertex" },
    {
      ring: [0, 0, 4, 0, 3, 0, 2, 0],
      tolerance: 0,
      left: [0, 0, 4, 0, 3, 0],
      why: "likewise when its ends are neighbors",
    },
    { ring: [1, 1, 1, 1, 1, 1, 1, 1], tolerance: 1, left: [1, 1, 1, 1, 1, 1, 1, 1], why: "one place stays as it is" },
    { ring: [0, 0, 1, 0], tolerance: 9, left: [0, 0, 1, 0], why: "two vertices stay as they are" },
    { ring: [], tolerance: 1, left: [], why: "no vertex" },
  ])("$why", ({ ring, tolerance, left }) => {
    expect(simplifyRing(toRing(ring), tolerance)).toEqual(toRing(left));
  });

  test.each([-1, NaN])("a tolerance of %d is a mistake of the program", (tolerance) => {
    expect(() => simplifyRing(toRing([0, 0, 9, 0, 9, 9, 0, 9]), tolerance)).toThrow(RangeError);
  });

  test("a comb of fifty thousand vertices, which splits one by one, does not overflow the stack", () => {
    const comb = Array.from({ length: 50_000 }, (_, i) => ({ x: i, y: i % 2 === 0 ? 0 : 1 }));
    const circle = Array.from({ length: 50_000 }, (_, i) => ({
      x: 1000 * Math.cos(i / 7957.75),
      y: 1000 * Math.sin(i / 7957.75),
    }));
    expect(simplifyRing(comb, 1.5).length).toBe(3);
    const simple = simplifyRing(circle, 0.5);
    expect(simple.length).toBeLessThan(200);
    expect(signedArea(simple) / signedArea(circle)).toBeCloseTo(1, 2);
  });
});

function distanceToRing(point: ImagePoint, ring: Ring): number {
  return Math.min(...ring.map((a, i) => distanceToSegment(point, a, ring[(i + 1) % ring.length]!)));
}

function distanceToSegment(p: ImagePoint, a: ImagePoint, b: ImagePoint): number {
  const length = Math.hypot(b.x - a.x, b.y - a.y);
  if (length === 0) return Math.hypot(p.x - a.x, p.y - a.y);
  const along = ((p.x - a.x) * (b.x - a.x) + (p.y - a.y) * (b.y - a.y)) / length;
  if (along <= 0) return Math.hypot(p.x - a.x, p.y - a.y);
  if (along >= length) return Math.hypot(p.x - b.x, p.y - b.y);
  return Math.abs((p.x - a.x) * (b.y - a.y) - (p.y - a.y) * (b.x - a.x)) / length;
}
