/**
 * Intersection over union of masks, polygons and boxes, and boundary IoU; computed on runs. Two empty masks have IoU 0,
 * as in pycocotools: finding nothing where there was nothing is no hit. No function here returns NaN.
 */
import { invalidData } from "../errors.js";
import type { Box, Polygon, Rle, Truth } from "../types.js";
import { rasterizePolygonPil } from "./rasterize-pil.js";
import { rasterizePolygon } from "./rasterize.js";
import { rleFromWindow, windowFromRle } from "./rle-window.js";
import { intersectionArea, rleArea, rleBounds } from "./rle.js";

/**
 * How a polygon becomes a mask: COCO's own rule (pycocotools), or Pillow's ImageDraw.polygon, which also fills the
 * outline. It changes the IoU of small instances by a fifth, so reports name it.
 */
export type Rasterizer = "coco" | "pil";

/**
 * Intersection / union; against a crowd, intersection / area of the prediction. 0 where the divisor is 0.
 * @throws RangeError with masks of different sizes
 */
export function iouOfRles(prediction: Rle, truth: Rle, isCrowd = false): number {
  const intersection = intersectionArea(prediction, truth);
  if (intersection === 0) return 0;
  const area = rleArea(prediction);
  return intersection / (isCrowd ? area : area + rleArea(truth) - intersection);
}

/**
 * IoU of a polygon with the ground truth.
 * @param size pixels of the image
 * @throws E_DATA as `rasterizeTruth`, or when the polygon's coordinates are no pixels
 */
export function iouWithTruth(
  polygon: Polygon,
  truth: Truth,
  { height, width }: { readonly height: number; readonly width: number },
  rule: Rasterizer = "coco",
): number {
  return iouOfRles(fillPolygon(polygon, height, width, rule), rasterizeTruth(truth, height, width, rule));
}

/** The polygon as a mask. @throws E_DATA as the rule's rasterizer */
export function fillPolygon(polygon: Polygon, height: number, width: number, rule: Rasterizer): Rle {
  return rule === "coco" ? rasterizePolygon(polygon, height, width) : rasterizePolygonPil(polygon, height, width);
}

/**
 * Ground truth as a mask of the image's size. A mask from the file stays as it is, whatever the rule.
 * @throws E_DATA when a mask from the file has another size than the image
 */
export function rasterizeTruth(truth: Truth, height: number, width: number, rule: Rasterizer = "coco"): Rle {
  if (truth.kind === "polygon") return fillPolygon(truth.polygon, height, width, rule);
  const { rle } = truth;
  if (rle.height !== height || rle.width !== width) {
    throw invalidData(
      `ground truth mask: expected the image's size ${width} x ${height}, received ${rle.width} x ${rle.height}`,
      "Check that the annotation belongs to this image.",
    );
  }
  return rle;
}

/** IoU of two boxes as areas of the plane, no pixels involved; 0 where neither has an area. */
export function boxIou(a: Box, b: Box): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const intersection = width * height;
  return intersection / (a.width * a.height + b.width * b.height - intersection);
}

/** Width of the border of boundary IoU, as a part of the image's diagonal; as in the source. */
const BORDER_RATIO = 0.02;

/**
 * Boundary IoU: that of the pixels of each mask within 2 % of the image's diagonal (at least 1 pixel, chessboard
 * distance) of its outside. For large objects it tells outlines apart that mask IoU calls equal. The border of the
 * image counts as outside. 0 when both masks are empty. Source: Cheng, Girshick, Dollar, Berg, Kirillov: "Boundary
 * IoU", CVPR 2021.
 * @throws RangeError with masks of different sizes
 */
export function boundaryIou(prediction: Rle, truth: Rle): number {
  return iouOfRles(innerBorder(prediction), innerBorder(truth));
}

/** The part of a mask that boundary IoU compares; for callers that compare one mask with several. */
export function innerBorder(rle: Rle): Rle {
  const bounds = rleBounds(rle);
  if (bounds === undefined) return rle;
  const { left, top, width: columns, height: rows } = bounds;
  const distance = borderWidth(rle.height, rle.width);
  const border = windowFromRle(rle, { left, top, columns, rows });
  // Outside its bounds the mask is empty, so eroding inside the bounds alone is exact.
  const downColumns = { count: columns, start: rows, length: rows, step: 1 };
  const alongRows = { count: rows, start: 1, length: columns, step: rows };
  const inner = erodeLines(erodeLines(border, downColumns, distance), alongRows, distance);
  for (let i = 0; i < border.length; i++) border[i] = border[i]! & ~inner[i]!;
  return rleFromWindow(border, { left, top, columns, rows }, rle.height, rle.width);
}

/** In pixels; halves go to the even number, as the reference code's rounding does. */
function borderWidth(height: number, width: number): number {
  const exact = BORDER_RATIO * Math.sqrt(height * height + width * width);
  const rounded = Math.round(exact);
  return Math.max(1, exact % 1 === 0.5 ? rounded - (rounded % 2) : rounded);
}

/** Lines of a bitmap: line k starts at k * start, and its pixels are `step` apart. */
interface Lines {
  readonly count: number;
  readonly start: number;
  readonly length: number;
  readonly step: number;
}

/** Keeps a pixel when all pixels up to `distance` before and after it on its line are set. */
function erodeLines(bitmap: Uint8Array, { count, start, length, step }: Lines, distance: number): Uint8Array {
  const eroded = new Uint8Array(bitmap.length);
  for (let line = 0; line < count; line++) {
    let run = 0;
    for (let i = 0, at = line * start; i < length; i++, at += step) {
      run = bitmap[at] === 0 ? 0 : run + 1;
      if (run > 2 * distance) eroded[at - distance * step] = 1;
    }
  }
  return eroded;
}
