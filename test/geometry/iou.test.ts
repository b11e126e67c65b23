import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boxIou, fillPolygon, iouOfRles, iouWithTruth, rasterizeTruth } from "../../src/geometry/iou.js";
import { emptyRle, intersectionArea, rleArea, unionRle } from "../../src/geometry/rle.js";
import type { Box } from "../../src/types.js";
import { anyBox, anyMasks, anyPolygon, anySide, toRing } from "./arbitraries.js";
import { iouPairs, polygonOf, truthOf } from "./iou-pairs.js";

const square = (left: number, top: number, side: number) => [
  toRing([left, top, left + side, top, left + side, top + side, left, top + side]),
];
const box = (left: number, top: number, width: number, height: number): Box => ({ left, top, width, height });

describe("IoU of masks", () => {
  test("equals pycocotools' to 1e-9 for every checked-in pair, crowds included", () => {
    expect(iouPairs.length).toBeGreaterThanOrEqual(240);
    expect(iouPairs.filter((pair) => pair.crowd).length).toBeGreaterThan(20);
    for (const pair of iouPairs) {
      const { height, width, crowd, iou, why } = pair;
      const polygon = polygonOf(pair.a)!;
      const truth = truthOf(pair.b, pair);
      const prediction = fillPolygon(polygon, height, width, "coco");
      const target = rasterizeTruth(truth, height, width);
      expect(rleArea(prediction), why).toBe(pair.a.area);
      expect(rleArea(target), why).toBe(pair.b.area);
      expect(Math.abs(iouOfRles(prediction, target, crowd) - iou), why).toBeLessThan(1e-9);
      if (!crowd) expect(Math.abs(iouWithTruth(polygon, truth, { height, width }) - iou), why).toBeLessThan(1e-9);
    }
  });

  test("is 1 with itself for any mask with a pixel, and 0 for none", () => {
    fc.assert(
      fc.property(anyMasks, ([mask]) => {
        expect(iouOfRles(mask!, mask!)).toBe(rleArea(mask!) > 0 ? 1 : 0);
        expect(iouOfRles(mask!, mask!, true)).toBe(rleArea(mask!) > 0 ? 1 : 0);
      }),
    );
  });

  test("is symmetric, between 0 and 1, and intersection over union", () => {
    fc.assert(
      fc.property(anyMasks, ([a, b]) => {
        const iou = iouOfRles(a!, b!);
        expect(iouOfRles(b!, a!)).toBe(iou);
        expect(iou >= 0 && iou <= 1).toBe(true);
        expect(iou).toBe(intersectionArea(a!, b!) / Math.max(1, rleArea(unionRle([a!, b!]))));
      }),
    );
  });

  test("against a crowd only the prediction's own area counts", () => {
    fc.assert(
      fc.property(anyMasks, ([a, b]) => {
        expect(iouOfRles(a!, unionRle([a!, b!]), true)).toBe(rleArea(a!) > 0 ? 1 : 0);
        expect(iouOfRles(a!, b!, true)).toBeGreaterThanOrEqual(iouOfRles(a!, b!));
      }),
    );
  });

  test("nothing against nothing is 0, as in pycocotools", () => {
    expect(iouOfRles(emptyRle(3, 3), emptyRle(3, 3))).toBe(0);
    expect(iouOfRles(emptyRle(3, 3), emptyRle(3, 3), true)).toBe(0);
    expect(iouWithTruth([], { kind: "polygon", polygon: [] }, { height: 3, width: 3 })).toBe(0);
  });

  test("is a number from 0 to 1 for any two polygons by either rule", () => {
    fc.assert(
      fc.property(
        anyPolygon,
        anyPolygon,
        anySide,
        anySide,
        fc.constantFrom("coco" as const, "pil" as const),
        (a, b, height, width, rule) => {
          const iou = iouWithTruth(a, { kind: "polygon", polygon: b }, { height, width }, rule);
          expect(iou >= 0 && iou <= 1).toBe(true);
        },
      ),
    );
  });

  test("depends on the rule that fills the polygons", () => {
    const truth = { kind: "polygon", polygon: square(2, 2, 4) } as const;
    expect(iouWithTruth(square(2, 2, 2), truth, { height: 10, width: 10 })).toBe(4 / 16);
    expect(iouWithTruth(square(2, 2, 2), truth, { height: 10, width: 10 }, "pil")).toBe(9 / 25);
  });

  test("a mask from the file is the truth whatever the rule, and must have the image's size", () => {
    const rle = fillPolygon(square(2, 2, 4), 10, 12, "coco");
    expect(rasterizeTruth({ kind: "rle", rle }, 10, 12, "pil")).toBe(rle);
    expect(() => iouWithTruth(square(2, 2, 4), { kind: "rle", rle }, { height: 12, width: 10 })).toThrow(
      "ground truth mask: expected the image's size 10 x 12, received 12 x 10",
    );
  });
});

describe("IoU of boxes", () => {
  test.each([
    { a: box(0, 0, 4, 4), b: box(2, 0, 4, 4), iou: 8 / 24, why: "half of each" },
    { a: box(0, 0, 4, 4), b: box(1, 1, 2, 2), iou: 4 / 16, why: "one in the other" },
    { a: box(0, 0, 4, 4), b: box(4, 0, 4, 4), iou: 0, why: "side by side" },
    { a: box(0, 0, 4, 4), b: box(0, 9, 4, 4), iou: 0, why: "one below the other" },
    { a: box(1, 1, 0, 0), b: box(1, 1, 0, 0), iou: 0, why: "no area at all" },
  ])("$why: $iou", ({ a, b, iou }) => {
    expect(boxIou(a, b)).toBe(iou);
    expect(boxIou(b, a)).toBe(iou);
  });

  test("is symmetric, and 1 with itself", () => {
    fc.assert(
      fc.property(anyBox, anyBox, (a, b) => {
        expect(boxIou(a, b)).toBeCloseTo(boxIou(b, a), 12);
        expect(boxIou(a, a)).toBeCloseTo(1, 9);
      }),
    );
  });
});
