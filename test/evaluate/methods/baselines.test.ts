import fc from "fast-check";
import { expect, test } from "vitest";
import type { ShapeBaseline } from "../../../src/evaluate/methods/baselines.js";
import { gridCeiling, outlinesOf, shapeBaseline } from "../../../src/evaluate/methods/baselines.js";
import type { MaskResult, Method, SubjectImage } from "../../../src/evaluate/methods/method.js";
import { squareWindow } from "../../../src/geometry/box.js";
import { iouOfRles, rasterizeTruth } from "../../../src/geometry/iou.js";
import { cellsToRing } from "../../../src/geometry/quantize.js";
import { polygonBounds } from "../../../src/geometry/ring.js";
import { rleArea, rleFromBitmap } from "../../../src/geometry/rle.js";
import type { Box, Truth } from "../../../src/types.js";

const WIDTH = 300;
const HEIGHT = 200;

async function maskOf(method: Method, box: Box, truth?: Truth): Promise<MaskResult> {
  const instance = {
    ordinal: 0,
    annotationId: 1,
    imageId: 1,
    categoryId: 1,
    box,
    raw: {},
    ...(truth !== undefined && { truth }),
  };
  const image: SubjectImage = {
    image: { id: 1, fileName: "a.jpg", raw: {} },
    location: { kind: "failed", failure: { reason: "image-missing", message: "" } },
    width: WIDTH,
    height: HEIGHT,
    instances: [instance],
    excludedIds: new Set(),
    crowds: [],
  };
  const [result] = await method.masksOf(image);
  return result!;
}

const areaOf = (result: MaskResult): number => (result.kind === "mask" ? rleArea(result.mask) : NaN);

test.each<{ name: ShapeBaseline; area: number; tolerance: number }>([
  { name: "box", area: 80 * 40, tolerance: 0 },
  { name: "square", area: 80 * 80, tolerance: 0 },
  { name: "ellipse", area: Math.PI * 40 * 20, tolerance: 10 },
])("$name around a box of 80 x 40 covers $area px", async ({ name, area, tolerance }) => {
  const result = await maskOf(shapeBaseline(name, "coco"), { left: 100, top: 80, width: 80, height: 40 });
  expect(Math.abs(areaOf(result) - area)).toBeLessThanOrEqual(tolerance);
});

test("what reaches over the image is cut there; a box beside the image, or of impossible size, fails as data", async () => {
  expect(areaOf(await maskOf(shapeBaseline("box", "coco"), { left: -50, top: -50, width: 100, height: 100 }))).toBe(
    2500,
  );
  for (const name of ["box", "square", "ellipse"] as const) {
    expect((await maskOf(shapeBaseline(name, "coco"), { left: 1000, top: 1000, width: 10, height: 10 })).kind).toBe(
      "failed",
    );
    expect((await maskOf(shapeBaseline(name, "coco"), { left: -1e300, top: 0, width: 1, height: 1 })).kind).toBe(
      "failed",
    );
  }
});

test("a truth with its corners on the centers of cells goes through the grid unchanged", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0, 0.15), async (context) => {
      const window = squareWindow({ left: 60, top: 40, width: 112, height: 112 }, context);
      const cells = [
        { col: 2, row: 2 },
        { col: 25, row: 3 },
        { col: 24, row: 25 },
        { col: 3, row: 20 },
      ];
      const truth: Truth = { kind: "polygon", polygon: [cellsToRing(cells, window)] };
      const result = await maskOf(gridCeiling(context, "coco"), { left: 60, top: 40, width: 112, height: 112 }, truth);
      expect(result.kind === "mask" && iouOfRles(result.mask, rasterizeTruth(truth, HEIGHT, WIDTH))).toBe(1);
    }),
    { numRuns: 2 },
  );
});

test("an ellipse loses about a twentieth of its IoU to the grid, and a truth smaller than a cell all of it", async () => {
  const box = { left: 50, top: 30, width: 150, height: 120 };
  const outline = Array.from({ length: 60 }, (_, i) => ({
    x: 125 + 75 * Math.cos((i * Math.PI) / 30),
    y: 90 + 60 * Math.sin((i * Math.PI) / 30),
  }));
  const truth: Truth = { kind: "polygon", polygon: [outline] };
  const result = await maskOf(gridCeiling(0.15, "coco"), box, truth);
  const iou = result.kind === "mask" ? iouOfRles(result.mask, rasterizeTruth(truth, HEIGHT, WIDTH)) : 0;
  expect(iou).toBeGreaterThan(0.93);
  expect(iou).toBeLessThan(0.99);
  const dot: Truth = {
    kind: "polygon",
    polygon: [
      [
        { x: 97, y: 85 },
        { x: 98, y: 85 },
        { x: 98, y: 86 },
      ],
    ],
  };
  expect((await maskOf(gridCeiling(0.15, "coco"), box, dot)).kind).toBe("failed");
});

test("of a mask the outlines of its parts go through the grid, not those of its holes", () => {
  const bitmap = new Uint8Array(10 * 10);
  for (let x = 1; x < 9; x++)
    for (let y = 1; y < 9; y++) if (!(x > 3 && x < 6 && y > 3 && y < 6)) bitmap[x * 10 + y] = 1;
  const outlines = outlinesOf({ kind: "rle", rle: rleFromBitmap(bitmap, 10, 10) });
  expect(outlines).toHaveLength(1);
  expect(polygonBounds(outlines)).toEqual({ left: 1, top: 1, width: 8, height: 8 });
});
