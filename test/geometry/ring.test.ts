import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  countDistinct,
  orientClockwise,
  polygonBounds,
  removeCollinear,
  removeRepeated,
  ringBounds,
  signedArea,
} from "../../src/geometry/ring.js";
import type { Ring } from "../../src/types.js";
import { anyPolygon, anyRing, anyWholeRing, toRing } from "./arbitraries.js";

const clockwiseOnScreen = toRing([0, 0, 4, 0, 4, 3, 0, 3]);

describe("area and orientation", () => {
  test("a ring that runs right, then down the screen is clockwise and has a positive area", () => {
    expect(signedArea(clockwiseOnScreen)).toBe(12);
    expect(orientClockwise(clockwiseOnScreen)).toBe(clockwiseOnScreen);
  });

  test("reversing a ring flips the sign of its area; so does mirroring it", () => {
    fc.assert(
      fc.property(anyWholeRing, (ring) => {
        const area = signedArea(ring);
        expect(signedArea([...ring].reverse())).toBe(0 - area);
        expect(signedArea(ring.map(({ x, y }) => ({ x: -x, y })))).toBe(0 - area);
      }),
    );
  });

  test("neither the first vertex nor the place changes the area", () => {
    fc.assert(
      fc.property(anyWholeRing, fc.nat(), fc.integer(), (ring, turn, shift) => {
        const at = ring.length === 0 ? 0 : turn % ring.length;
        const moved = [...ring.slice(at), ...ring.slice(0, at)].map(({ x, y }) => ({ x: x + shift, y: y - shift }));
        expect(signedArea(moved)).toBe(signedArea(ring));
      }),
    );
  });

  test("orienting a ring keeps its first vertex and leaves no negative area", () => {
    fc.assert(
      fc.property(anyWholeRing, (ring) => {
        const oriented = orientClockwise(ring);
        expect(signedArea(oriented)).toBe(Math.abs(signedArea(ring)));
        expect(oriented[0]).toEqual(ring[0]);
        expect(oriented.length).toBe(ring.length);
      }),
    );
  });
});

describe("bounds", () => {
  test("touch the outermost vertices", () => {
    expect(ringBounds(toRing([3, -1, 5, 2, 4, 7]))).toEqual({ left: 3, top: -1, width: 2, height: 8 });
    expect(ringBounds(toRing([3, 4]))).toEqual({ left: 3, top: 4, width: 0, height: 0 });
  });

  test("of no vertex are undefined", () => {
    expect(ringBounds([])).toBeUndefined();
    expect(polygonBounds([])).toBeUndefined();
    expect(polygonBounds([[], []])).toBeUndefined();
  });

  test("of a polygon are those of all its vertices in one ring", () => {
    fc.assert(
      fc.property(anyPolygon, (polygon) => {
        expect(polygonBounds(polygon)).toEqual(ringBounds(polygon.flat()));
      }),
    );
  });

  test("of a ring with more vertices than a call takes arguments are found", () => {
    const ring = Array.from({ length: 300_000 }, (_, i) => ({ x: i, y: -i }));
    expect(ringBounds(ring)).toEqual({ left: 0, top: -299_999, width: 299_999, height: 299_999 });
    expect(polygonBounds([ring, ring])).toEqual(ringBounds(ring));
  });
});

describe("vertices that carry no shape", () => {
  test.each([
    { ring: [1, 1, 1, 1, 2, 2], left: [1, 1, 2, 2], why: "one after the other" },
    { ring: [1, 1, 2, 2, 3, 1, 1, 1], left: [1, 1, 2, 2, 3, 1], why: "first repeated at the end" },
    { ring: [1, 1, 2, 2, 1, 1], left: [1, 1, 2, 2], why: "there and back" },
    { ring: [1, 1, 1, 1, 1, 1], left: [1, 1], why: "all in one place" },
    { ring: [], left: [], why: "no vertex" },
  ])("repeated vertices go: $why", ({ ring, left }) => {
    expect(removeRepeated(toRing(ring))).toEqual(toRing(left));
  });

  test.each([
    { ring: [0, 0, 1, 0, 2, 0, 2, 2, 0, 2], left: [0, 0, 2, 0, 2, 2, 0, 2], why: "in the middle of a side" },
    { ring: [1, 0, 2, 0, 2, 2, 0, 2, 0, 0], left: [2, 0, 2, 2, 0, 2, 0, 0], why: "at the seam, first" },
    { ring: [2, 0, 2, 2, 0, 2, 0, 0, 1, 0], left: [2, 0, 2, 2, 0, 2, 0, 0], why: "at the seam, last" },
    { ring: [0, 0, 4, 0, 9, 0, 4, 0, 4, 4, 0, 4], left: [0, 0, 4, 0, 4, 4, 0, 4], why: "a spike that folds back" },
    {
      ring: [4, 0, 4, 4, 0, 4, 0, 0, 4, 0, 9, 0],
      left: [4, 0, 4, 4, 0, 4, 0, 0],
      why: "a spike at the end of the list",
    },
    { ring: [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], left: [2, 2, 3, 3, 4, 4], why: "a line keeps three" },
    { ring: [0, 0, 2, 0, 1, 0], left: [0, 0, 2, 0, 1, 0], why: "three in line stay" },
    { ring: [0, 0, 2, 1, 0, 0, 2, 1], left: [2, 1, 0, 0], why: "a line there and back keeps its ends" },
    { ring: [5, 5, 5, 5], left: [5, 5], why: "one place" },
  ])("vertices in line go: $why", ({ ring, left }) => {
    expect(removeCollinear(toRing(ring))).toEqual(toRing(left));
  });

  test("going on from the neighbors finds the same vertices as starting over after every removal", () => {
    const fewPlaces = fc.array(fc.record({ x: fc.integer({ min: 0, max: 3 }), y: fc.integer({ min: 0, max: 3 }) }), {
      maxLength: 25,
    });
    fc.assert(
      fc.property(fewPlaces, (ring) => {
        expect(removeCollinear(ring)).toEqual(removeStartingOver(ring));
      }),
      { numRuns: 1000 },
    );
  });

  test("the area stays", () => {
    fc.assert(
      fc.property(anyWholeRing, (ring) => {
        expect(signedArea(removeRepeated(ring))).toBe(signedArea(ring));
        expect(signedArea(removeCollinear(ring))).toBe(signedArea(ring));
      }),
    );
  });

  test("a fold of a hundred thousand vertices at the seam is undone in one go", () => {
    const way = Array.from({ length: 100_000 }, (_, i) => ({ x: i, y: i * i }));
    expect(removeCollinear([...way].reverse().concat(way)).length).toBe(2);
  });

  test("distinct vertices are counted by place", () => {
    fc.assert(
      fc.property(anyRing, (ring) => {
        expect(countDistinct([...ring, ...ring])).toBe(countDistinct(ring));
        expect(countDistinct(ring)).toBeLessThanOrEqual(ring.length);
      }),
    );
    expect(
      countDistinct([
        { x: 0, y: 1 },
        { x: -0, y: 1 },
        { x: 1, y: 0 },
      ]),
    ).toBe(2);
  });
});

/** As the quantization of the authors' released code does it. */
function removeStartingOver(ring: Ring): Ring {
  const points = [...removeRepeated(ring)];
  for (let i = 0; i < points.length && points.length > 3;) {
    const a = points.at(i - 1)!,
      b = points[i]!,
      c = points[(i + 1) % points.length]!;
    if ((b.x - a.x) * (c.y - b.y) === (b.y - a.y) * (c.x - b.x)) {
      points.splice(i, 1);
      i = 0;
    } else {
      i++;
    }
  }
  return removeRepeated(points);
}
