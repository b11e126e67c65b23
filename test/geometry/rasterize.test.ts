import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rasterizePolygon } from "../../src/geometry/rasterize.js";
import { encodeRleString, rleArea, rleFromBitmap, unionRle } from "../../src/geometry/rle.js";
import type { Ring, Rle } from "../../src/types.js";
import { anyPoint, anyPolygon, anyRing, anySide, toRing } from "./arbitraries.js";
import { iouPairs, polygonOf } from "./iou-pairs.js";

describe("the COCO rule", () => {
  test("fills every checked-in polygon exactly as pycocotools does", () => {
    for (const pair of iouPairs) {
      for (const side of [pair.a, pair.b]) {
        const polygon = polygonOf(side);
        if (polygon === undefined) continue;
        expect(
          encodeRleString(rasterizePolygon(polygon, pair.height, pair.width)),
          `${pair.why} ${JSON.stringify(side.rings)}`,
        ).toBe(side.fill);
      }
    }
  });

  test("agrees with a slow version that traces every lattice point", () => {
    fc.assert(
      fc.property(anyRing, anySide, anySide, (ring, height, width) => {
        expect(rasterizePolygon([ring], height, width)).toEqual(traceSlowly(ring, height, width));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    { ring: [0, 0, 9, 0, 9, 9, 0, 9], area: 81, why: "a square from 0 to 9" },
    { ring: [0, 0, 10, 0, 10, 10, 0, 10], area: 100, why: "the whole image" },
    { ring: [-50, -50, 60, -50, 60, 60, -50, 60], area: 100, why: "a square around the image" },
    { ring: [-9, 2, -3, 2, -3, 8], area: 0, why: "left of the image" },
    { ring: [2, 12, 8, 12, 8, 20], area: 0, why: "below the image" },
    { ring: [2, 2, 8, 8], area: 0, why: "two vertices" },
    { ring: [3, 3], area: 0, why: "one vertex" },
    { ring: [], area: 0, why: "no vertex" },
    { ring: [-4e8, -4e8, 4e8, -4e8, 4e8, 4e8, -4e8, 4e8], area: 100, why: "as far out as is accepted" },
  ])("$why fills $area of 10 x 10 pixels", ({ ring, area }) => {
    expect(rleArea(rasterizePolygon([toRing(ring)], 10, 10))).toBe(area);
  });

  test("a polygon is the union of its rings, and none is empty", () => {
    expect(Array.from(rasterizePolygon([], 4, 5).counts)).toEqual([20]);
    fc.assert(
      fc.property(fc.array(anyRing, { minLength: 1, maxLength: 4 }), anySide, anySide, (polygon, height, width) => {
        const each = polygon.map((ring) => rasterizePolygon([ring], height, width));
        expect(rasterizePolygon(polygon, height, width)).toEqual(unionRle(each));
      }),
    );
  });

  test("the fill depends neither on the first vertex nor on the direction where no vertex sits on a half", () => {
    // A steep edge and its reverse round halves to different sides, in pycocotools as well: whole coordinates have
    // none.
    const anyWhole = fc.record({ x: fc.integer({ min: -5, max: 30 }), y: fc.integer({ min: -5, max: 30 }) });
    fc.assert(
      fc.property(fc.array(anyWhole, { minLength: 1, maxLength: 8 }), fc.nat(), (ring, turn) => {
        const at = turn % ring.length;
        const filled = rasterizePolygon([ring], 20, 24);
        expect(rasterizePolygon([[...ring.slice(at), ...ring.slice(0, at)]], 20, 24)).toEqual(filled);
        expect(rasterizePolygon([[...ring].reverse()], 20, 24)).toEqual(filled);
      }),
    );
  });

  test("the runs of any polygon sum to the image", () => {
    fc.assert(
      fc.property(anyPolygon, anySide, anySide, (polygon, height, width) => {
        const { counts } = rasterizePolygon(polygon, height, width);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(height * width);
        expect(counts.subarray(1).includes(0)).toBe(false);
      }),
    );
  });

  test.each([
    { x: NaN, y: 0 },
    { x: 0, y: Infinity },
    { x: -1e300, y: 0 },
    { x: 0, y: 4.1e8 },
  ])("a vertex at ($x, $y) is refused as data", (vertex) => {
    fc.assert(
      fc.property(anyPoint, (point) => {
        expect(() => rasterizePolygon([[point, vertex]], 5, 5)).toThrow(`received (${vertex.x}, ${vertex.y})`);
      }),
      { numRuns: 5 },
    );
  });

  test("a ring that would need gigabytes of passings is refused before they are allocated", () => {
    const ring = Array.from({ length: 20_000 }, (_, i) => ({ x: i % 2 === 0 ? 0 : 16_384, y: 0 }));
    expect(() => rasterizePolygon([ring], 16_384, 16_384)).toThrow(
      "at most 134217728 image columns, received one of 20000 vertices",
    );
  });
});

/**
 * The rule as pycocotools states it: every point of the scaled outline in order, then a toggle for each change of
 * column.
 */
function traceSlowly(ring: Ring, height: number, width: number): Rle {
  const lattice = ring.map(({ x, y }) => ({ x: Math.trunc(5 * x + 0.5), y: Math.trunc(5 * y + 0.5) }));
  const trace: { u: number; v: number }[] = [];
  lattice.forEach((start, i) => {
    trace.push(...traceEdge(start, lattice[(i + 1) % lattice.length]!));
  });
  const toggles = new Uint8Array(height * width + 1);
  for (let j = 1; j < trace.length; j++) {
    const a = trace[j - 1]!,
      b = trace[j]!;
    if (a.u === b.u) continue;
    const x = ((b.u < a.u ? b.u : b.u - 1) + 0.5) / 5 - 0.5;
    if (!Number.isInteger(x) || x < 0 || x > width - 1) continue;
    const y = Math.ceil(Math.min(height, Math.max(0, (Math.min(a.v, b.v) + 0.5) / 5 - 0.5)));
    const at = x * height + y;
    toggles[at] = 1 - toggles[at]!;
  }
  const filled = new Uint8Array(height * width);
  for (let i = 0, inside = 0; i < filled.length; i++) {
    inside ^= toggles[i]!;
    filled[i] = inside;
  }
  return rleFromBitmap(filled, height, width);
}

function traceEdge(from: { x: number; y: number }, to: { x: number; y: number }): { u: number; v: number }[] {
  const dx = Math.abs(to.x - from.x),
    dy = Math.abs(to.y - from.y);
  const flip = dx >= dy ? from.x > to.x : from.y > to.y;
  const [a, b] = flip ? [to, from] : [from, to];
  const steps = Math.max(dx, dy);
  const points = Array.from({ length: steps + 1 }, (_, t) =>
    dx >= dy
      ? { u: a.x + t, v: steps === 0 ? a.y : Math.trunc(a.y + ((b.y - a.y) / dx) * t + 0.5) }
      : { u: Math.trunc(a.x + ((b.x - a.x) / dy) * t + 0.5), v: a.y + t },
  );
  return flip ? points.reverse() : points;
}
