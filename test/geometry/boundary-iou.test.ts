import fc from "fast-check";
import { expect, test } from "vitest";
import { boundaryIou } from "../../src/geometry/iou.js";
import { fillPolygon, iouOfRles, rasterizeTruth } from "../../src/geometry/iou.js";
import { rleArea, rleFromBitmap } from "../../src/geometry/rle.js";
import { anyMasks, toRing } from "./arbitraries.js";
import { iouPairs, polygonOf, truthOf } from "./iou-pairs.js";

test("boundary IoU equals OpenCV's erosion to 1e-9 for every checked-in pair", () => {
  for (const pair of iouPairs) {
    const prediction = fillPolygon(polygonOf(pair.a)!, pair.height, pair.width, "coco");
    const truth = rasterizeTruth(truthOf(pair.b, pair), pair.height, pair.width);
    expect(Math.abs(boundaryIou(prediction, truth) - pair.boundaryIou), pair.why).toBeLessThan(1e-9);
  }
});

test("it is 1 with itself for any mask with a pixel, symmetric, and 0 for two empty masks", () => {
  fc.assert(
    fc.property(anyMasks, ([a, b]) => {
      expect(boundaryIou(a!, a!)).toBe(rleArea(a!) > 0 ? 1 : 0);
      expect(boundaryIou(a!, b!)).toBe(boundaryIou(b!, a!));
    }),
  );
});

test("a dent that hardly changes the IoU of a large square shows in its boundary IoU", () => {
  const plain = fillPolygon([toRing([10, 10, 190, 10, 190, 190, 10, 190])], 200, 200, "coco");
  const dented = fillPolygon(
    [toRing([10, 10, 90, 10, 100, 30, 110, 10, 190, 10, 190, 190, 10, 190])],
    200,
    200,
    "coco",
  );
  expect(iouOfRles(dented, plain)).toBeGreaterThan(0.99);
  expect(boundaryIou(dented, plain)).toBeLessThan(0.95);
});

test("the border of the image counts as outside: of a full mask, the frame is compared", () => {
  const full = rleFromBitmap(new Uint8Array(60 * 80).fill(1), 60, 80);
  const frame = new Uint8Array(60 * 80).fill(1);
  for (let x = 2; x < 78; x++) frame.fill(0, x * 60 + 2, x * 60 + 58);
  expect(boundaryIou(full, rleFromBitmap(frame, 60, 80))).toBe(1);
});
