import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { paintRing, rasterizePolygonPil } from "../../src/geometry/rasterize-pil.js";
import { encodeRleString, rleArea, rleToBitmap } from "../../src/geometry/rle.js";
import { anyPolygon, anyRing, anySide, toRing } from "./arbitraries.js";
import { iouPairs, polygonOf } from "./iou-pairs.js";

describe("Pillow's rule", () => {
  test("fills every checked-in polygon exactly as Pillow does", () => {
    let checked = 0;
    for (const pair of iouPairs) {
      for (const side of [pair.a, pair.b]) {
        const polygon = polygonOf(side);
        if (polygon === undefined) continue;
        checked++;
        expect(
          encodeRleString(rasterizePolygonPil(polygon, pair.height, pair.width)),
          `${pair.why} ${JSON.stringify(side.rings)}`,
        ).toBe(side.pillow);
      }
    }
    expect(checked).toBeGreaterThan(300);
  });

  test.each([
    { ring: [0, 0, 9, 0, 9, 9, 0, 9], area: 100, why: "a square from 0 to 9" },
    { ring: [3.9, 3.9, 5.9, 3.9, 5.9, 5.9, 3.9, 5.9], area: 9, why: "fractions are cut off, not rounded" },
    { ring: [-50, -50, 60, -50, 60, 60, -50, 60], area: 100, why: "a square around the image" },
    { ring: [2, 4, 7, 4], area: 6, why: "two vertices are a line" },
    { ring: [-5, 4, -2, 4], area: 0, why: "a line left of the image" },
    { ring: [12, 4, 15, 4], area: 0, why: "a line right of the image" },
    { ring: [2, -4, 7, -4], area: 0, why: "a line above the image" },
    { ring: [2, 10, 7, 10], area: 0, why: "a line below the image" },
    { ring: [11, 2, 15, 2, 15, 8, 11, 8], area: 0, why: "a square right of the image" },
    { ring: [2, 11, 5, 11, 5, 15, 2, 15], area: 0, why: "a square below the image" },
    { ring: [4, 4], area: 0, why: "one vertex" },
    { ring: [], area: 0, why: "no vertex" },
  ])("$why: $area of 10 x 10 pixels", ({ ring, area }) => {
    expect(rleArea(rasterizePolygonPil([toRing(ring)], 10, 10))).toBe(area);
  });

  test.each([
    {
      height: 135,
      width: 2,
      ring: [0, 0, 0, 0, 2, 0, 0, 4, 3, 250, 3, -72, 3, -87, 3, -110, 3, 106, 0, -29, -2, -6],
      fill: "013X1g2f2^M",
    },
    {
      height: 195,
      width: 2,
      ring: [
        1.5, 73, 0.5, 85.5, 1.5, 11.5, 1, 41.5, 1.5, 117.5, 0.5, 173, 0.5, 173, 1, 134, 1, 134, 2, 22.5, 0, 167.5, 0,
        167.5,
      ],
      fill: "a1U1S1`0Mj29",
    },
  ])(
    "a crossing that single precision lifts to a half leaves its pixel out, as in Pillow: $fill",
    ({ height, width, ring, fill }) => {
      expect(encodeRleString(rasterizePolygonPil([toRing(ring)], height, width))).toBe(fill);
    },
  );

  test("painting labels and filling a mask touch the same pixels", () => {
    fc.assert(
      fc.property(anyPolygon, anySide, anySide, (polygon, height, width) => {
        const labels = new Int32Array(width * height).fill(-1);
        for (const ring of polygon) paintRing({ labels, width, height }, ring, 26001);
        const mask = rleToBitmap(rasterizePolygonPil(polygon, height, width));
        labels.forEach((label, i) => {
          expect(label).toBe(mask[(i % width) * height + Math.floor(i / width)] === 1 ? 26001 : -1);
        });
      }),
    );
  });

  test("a later ring covers an earlier one", () => {
    const labels = new Int32Array(16);
    paintRing({ labels, width: 4, height: 4 }, toRing([0, 0, 2, 0, 2, 2, 0, 2]), 1);
    paintRing({ labels, width: 4, height: 4 }, toRing([1, 1, 3, 1, 3, 3, 1, 3]), 2);
    expect(Array.from(labels)).toEqual([1, 1, 1, 0, 1, 2, 2, 2, 1, 2, 2, 2, 0, 2, 2, 2]);
  });

  test("every vertex inside the image is painted", () => {
    const anyWide = fc.array(fc.record({ x: fc.integer({ min: -9, max: 30 }), y: fc.integer({ min: -9, max: 30 }) }), {
      minLength: 2,
      maxLength: 9,
    });
    fc.assert(
      fc.property(anyWide, (ring) => {
        const labels = new Int32Array(20 * 20);
        paintRing({ labels, width: 20, height: 20 }, ring, 1);
        for (const { x, y } of ring) if (x >= 0 && y >= 0 && x < 20 && y < 20) expect(labels[y * 20 + x]).toBe(1);
      }),
    );
  });

  test("a ring far larger than the image is painted inside it only", () => {
    fc.assert(
      fc.property(anyRing, fc.integer({ min: 1, max: 100_000 }), (ring, scale) => {
        const labels = new Int32Array(12 * 7);
        paintRing(
          { labels, width: 12, height: 7 },
          ring.map(({ x, y }) => ({ x: x * scale, y: y * scale })),
          1,
        );
        expect(labels.every((label) => label === 0 || label === 1)).toBe(true);
      }),
    );
  });
});
