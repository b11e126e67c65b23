import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromNamedPixels, toNamedPixels } from "../../src/geometry/pixel-outline.js";
import { rasterizePolygonPil } from "../../src/geometry/rasterize-pil.js";
import { rasterizePolygon } from "../../src/geometry/rasterize.js";
import { rleArea, rleBounds } from "../../src/geometry/rle.js";
import { ringBounds } from "../../src/geometry/ring.js";
import type { Ring } from "../../src/types.js";
import { iouOfRles } from "../../src/geometry/iou.js";

const WIDTH = 220,
  HEIGHT = 200;
const byCoco = (ring: Ring) => rasterizePolygon([ring], HEIGHT, WIDTH);
const byPillow = (ring: Ring) => rasterizePolygonPil([ring], HEIGHT, WIDTH);
const ringOf = (...points: readonly (readonly [number, number])[]): Ring => points.map(([x, y]) => ({ x, y }));

/** Shapes as people and networks draw them: around a center, in and out. */
const anyShape = fc
  .tuple(
    fc.record({ x: fc.double({ min: 80, max: 120, noNaN: true }), y: fc.double({ min: 80, max: 110, noNaN: true }) }),
    fc.array(fc.double({ min: 12, max: 75, noNaN: true }), { minLength: 4, maxLength: 30 }),
  )
  .map(([center, radii]): Ring =>
    radii.map((radius, i) => {
      const angle = (2 * Math.PI * i) / radii.length;
      return {
        x: Math.round((center.x + radius * Math.cos(angle)) * 100) / 100,
        y: Math.round((center.y + radius * Math.sin(angle)) * 100) / 100,
      };
    }),
  );
const anyRing = fc
  .array(
    fc.record({ x: fc.double({ min: 0, max: 60, noNaN: true }), y: fc.double({ min: 0, max: 60, noNaN: true }) }),
    { minLength: 1, maxLength: 12 },
  )
  .map((ring): Ring => ring);

describe("outlines that name pixels", () => {
  test("a box of whole pixels names its first and its last ones", () => {
    expect(toNamedPixels(ringOf([40, 24], [121, 24], [121, 97], [40, 97]))).toEqual(
      ringOf([40, 24], [120, 24], [120, 96], [40, 96]),
    );
  });

  test("filled by Pillow they have the area that the ring has by COCO's rule, and nearly its pixels", () => {
    fc.assert(
      fc.property(anyShape, (ring) => {
        const mask = byCoco(ring);
        const filled = byPillow(toNamedPixels(ring));
        expect(Math.abs(rleArea(filled) / rleArea(mask) - 1)).toBeLessThan(0.01);
        expect(iouOfRles(filled, mask)).toBeGreaterThan(0.85);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test("never lie outside the pixels that the ring touches, crossing, flat and tiny rings included", () => {
    fc.assert(
      fc.property(anyRing, (ring) => {
        const named = toNamedPixels(ring);
        expect(named).toHaveLength(ring.length);
        const bounds = ringBounds(ring)!;
        for (const { x, y } of named) {
          expect(Number.isInteger(x) && Number.isInteger(y)).toBe(true);
          expect(x).toBeGreaterThanOrEqual(Math.floor(bounds.left));
          expect(y).toBeGreaterThanOrEqual(Math.floor(bounds.top));
          expect(x).toBeLessThanOrEqual(Math.max(Math.ceil(bounds.left + bounds.width) - 1, Math.floor(bounds.left)));
          expect(y).toBeLessThanOrEqual(Math.max(Math.ceil(bounds.top + bounds.height) - 1, Math.floor(bounds.top)));
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    { why: "wound the other way round", ring: ringOf([40, 97], [121, 97], [121, 24], [40, 24]) },
    { why: "with vertices twice", ring: ringOf([40, 24], [121, 24], [121, 24], [121, 97], [40, 97], [40, 97]) },
    { why: "closed", ring: ringOf([40, 24], [121, 24], [121, 97], [40, 97], [40, 24]) },
  ])("a box $why fills the same pixels", ({ ring }) => {
    expect(rleBounds(byPillow(toNamedPixels(ring)))).toEqual({ left: 40, top: 24, width: 81, height: 73 });
  });

  test("a ring a pixel wide names that pixel's column", () => {
    const filled = byPillow(toNamedPixels(ringOf([10, 5], [11, 5], [11, 30], [10, 30])));
    expect(rleBounds(filled)).toEqual({ left: 10, top: 5, width: 1, height: 25 });
  });

  test("an outline that costs too much to fill is rounded at once", () => {
    const ring = Array.from({ length: 20_000 }, (_, i) => ({ x: (i * 7919) % 2000, y: (i * 104_729) % 2000 }));
    const started = performance.now();
    expect(toNamedPixels(ring)).toHaveLength(20_000);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe("outlines that named pixels", () => {
  test("a box is as wide as its pixels are", () => {
    expect(fromNamedPixels(ringOf([40, 24], [120, 24], [120, 96], [40, 96]))).toEqual([
      ringOf([40, 24], [121, 24], [121, 97], [40, 97]),
    ]);
  });

  test("filled by COCO's rule they have the area that Pillow fills", () => {
    fc.assert(
      fc.property(fc.oneof(anyShape, anyRing), (ring) => {
        const mask = byPillow(ring);
        const polygon = fromNamedPixels(ring);
        const filled = rasterizePolygon(polygon, HEIGHT, WIDTH);
        expect(Math.abs(rleArea(filled) - rleArea(mask))).toBeLessThanOrEqual(0.01 * rleArea(mask));
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  test.each([
    { why: "a line", ring: ringOf([10, 5], [10, 30], [10, 5]), area: 26 },
    { why: "a single pixel", ring: ringOf([10, 5], [10, 5], [10, 5]), area: 1 },
    { why: "a slanted line", ring: ringOf([10, 5], [40, 30], [10, 5]), area: undefined },
  ])("$why keeps its pixels", ({ ring, area }) => {
    const filled = rasterizePolygon(fromNamedPixels(ring), HEIGHT, WIDTH);
    expect(rleArea(filled)).toBe(area ?? rleArea(byPillow(ring)));
  });

  test("there and back, a shape stays within a pixel", () => {
    fc.assert(
      fc.property(anyShape, (ring) => {
        const named = toNamedPixels(ring);
        const again = fromNamedPixels(named);
        expect(iouOfRles(rasterizePolygon(again, HEIGHT, WIDTH), byPillow(named))).toBeGreaterThan(0.85);
      }),
      { numRuns: 30, seed: 2 },
    );
  });
});
