import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { intersectionArea, rleArea, unionRle } from "../../src/geometry/rle.js";
import { rasterizePolygon } from "../../src/geometry/rasterize.js";
import { signedArea } from "../../src/geometry/ring.js";
import type { ImagePoint, Ring } from "../../src/types.js";
import { clipRing, joinRings } from "../../src/write/rings.js";

const square = (left: number, top: number, side: number): Ring => [
  { x: left, y: top },
  { x: left + side, y: top },
  { x: left + side, y: top + side },
  { x: left, y: top + side },
];
const reversed = (ring: Ring): Ring => [...ring].reverse();

describe("joining rings", () => {
  test.each([
    { why: "one ring stays as it is", rings: [square(0, 0, 5)], area: 25 },
    { why: "two parts keep their areas", rings: [square(0, 0, 5), square(20, 3, 4)], area: 41 },
    { why: "three parts keep their areas", rings: [square(0, 0, 5), square(20, 3, 4), square(2, 30, 1)], area: 42 },
    { why: "a hole stays a hole", rings: [square(0, 0, 10), reversed(square(3, 3, 2))], area: 96 },
    { why: "a ring without vertices is nothing", rings: [square(0, 0, 5), []], area: 25 },
  ])("$why", ({ rings, area }) => {
    expect(signedArea(joinRings(rings))).toBe(area);
  });

  test("a single ring comes back vertex by vertex", () => {
    expect(joinRings([square(1, 2, 3)])).toEqual(square(1, 2, 3));
  });

  test("no ring is an empty one, and an empty one does not hide the next", () => {
    expect(joinRings([])).toEqual([]);
    expect(signedArea(joinRings([[], square(0, 0, 5)]))).toBe(25);
  });

  test("parts side by side fill the pixels they filled before", () => {
    const parts = [square(2, 2, 6), square(12, 4, 5), square(3, 20, 4)];
    const joined = rasterizePolygon([joinRings(parts)], 30, 30);
    const apart = unionRle(parts.map((ring) => rasterizePolygon([ring], 30, 30)));
    // A bridge of no width may still touch a pixel in the COCO rule.
    expect(intersectionArea(joined, apart)).toBe(rleArea(apart));
    expect(rleArea(joined) - rleArea(apart)).toBeLessThan(3);
  });
});

describe("cutting at the image's border", () => {
  test.each([
    { why: "a ring inside stays as it is", ring: square(2, 2, 5), area: 25 },
    { why: "a ring on the border is inside", ring: square(0, 0, 20), area: 400 },
    { why: "a corner outside is cut off", ring: square(-2, -2, 5), area: 9 },
    { why: "a ring around the image becomes the image", ring: square(-5, -5, 100), area: 400 },
    { why: "what reaches over two borders is cut at both", ring: square(15, 15, 50), area: 25 },
  ])("$why", ({ ring, area }) => {
    expect(signedArea(clipRing(ring, 20, 20)!)).toBeCloseTo(area, 9);
  });

  test.each([
    { why: "a ring outside has no part inside", ring: square(30, 0, 5) },
    { why: "a ring that only touches the border has no area inside", ring: square(-5, 0, 5) },
  ])("$why", ({ ring }) => {
    expect(clipRing(ring, 20, 20)).toBeUndefined();
  });

  const anyRing = fc.array(fc.record({ x: fc.integer({ min: -30, max: 60 }), y: fc.integer({ min: -30, max: 60 }) }), {
    minLength: 3,
    maxLength: 8,
  });

  test("every vertex lies in the image, and points of the image stay inside or outside", () => {
    fc.assert(
      fc.property(anyRing, (ring) => {
        const clipped = clipRing(ring, 25, 20) ?? [];
        for (const { x, y } of clipped) expect(x >= 0 && x <= 25 && y >= 0 && y <= 20).toBe(true);
        for (let x = 0.37; x < 25; x += 3.1) {
          for (let y = 0.61; y < 20; y += 2.3) {
            if (distanceToOutline(ring, { x, y }) > 1e-6)
              expect(isInside(clipped, { x, y })).toBe(isInside(ring, { x, y }));
          }
        }
      }),
    );
  });

  test("a ring that crosses itself stays, also when its halves cancel out", () => {
    const bow = [
      { x: -5, y: 5 },
      { x: 10, y: 15 },
      { x: 10, y: 5 },
      { x: -5, y: 15 },
    ];
    expect(clipRing(bow, 20, 20)).toBeDefined();
  });
});

/** Even-odd rule. */
function isInside(ring: Ring, { x, y }: ImagePoint): boolean {
  return (
    ring.filter((a, i) => {
      const b = ring[(i + 1) % ring.length]!;
      return a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x);
    }).length %
      2 ===
    1
  );
}

function distanceToOutline(ring: Ring, { x, y }: ImagePoint): number {
  return Math.min(
    ...ring.map((a, i) => {
      const b = ring[(i + 1) % ring.length]!;
      const length = (b.x - a.x) ** 2 + (b.y - a.y) ** 2;
      const share =
        length === 0 ? 0 : Math.max(0, Math.min(1, ((x - a.x) * (b.x - a.x) + (y - a.y) * (b.y - a.y)) / length));
      return Math.hypot(x - a.x - share * (b.x - a.x), y - a.y - share * (b.y - a.y));
    }),
  );
}
