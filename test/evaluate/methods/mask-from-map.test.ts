import { expect, test } from "vitest";
import { maskFromArea, maskFromMap } from "../../../src/evaluate/methods/mask-from-map.js";
import { rleArea, rleBounds } from "../../../src/geometry/rle.js";

const SIZE = { width: 100, height: 60 };
/** 4 x 4 cells, the left half sure to be object. */
const LEFT_HALF = Float32Array.from({ length: 16 }, (_, cell) => (cell % 4 < 2 ? 1 : 0));

test("a map is cut at one half between the centers of its cells", () => {
  const crop = { window: { left: 10, top: 10, side: 40 }, bounds: { left: 10, top: 10, width: 40, height: 40 } };
  const result = maskFromMap(LEFT_HALF, crop, SIZE);
  // The map crosses one half in the middle, where pixel 30 begins.
  expect(result.kind === "mask" && rleBounds(result.mask)).toEqual({ left: 10, top: 10, width: 20, height: 40 });
  expect(result.kind === "mask" && rleArea(result.mask)).toBe(800);
});

test("nothing outside the box is in the mask, whatever the map says there", () => {
  const crop = { window: { left: 10, top: 10, side: 40 }, bounds: { left: 15, top: 20, width: 10, height: 5 } };
  const result = maskFromMap(new Float32Array(16).fill(1), crop, SIZE);
  expect(result.kind === "mask" && rleBounds(result.mask)).toEqual({ left: 15, top: 20, width: 10, height: 5 });
});

test("a window that leaves the image gives the part on the image", () => {
  const crop = { window: { left: 80, top: -20, side: 60 }, bounds: { left: 85, top: 0, width: 15, height: 30 } };
  const result = maskFromMap(new Float32Array(16).fill(0.9), crop, SIZE);
  expect(result.kind === "mask" && rleBounds(result.mask)).toEqual({ left: 85, top: 0, width: 15, height: 30 });
});

test("a map may be stretched; one without a likely pixel fails", () => {
  const box = { left: 0, top: 0, width: 20, height: 50 };
  const result = maskFromArea(LEFT_HALF, box, box, SIZE);
  expect(result.kind === "mask" && rleBounds(result.mask)).toEqual({ left: 0, top: 0, width: 10, height: 50 });
  expect(maskFromArea(new Float32Array(16).fill(0.4), box, box, SIZE)).toEqual({
    kind: "failed",
    reason: "polygon-empty",
  });
});
