/**
 * Boundary IoU: IoU of the two masks' inner borders, which for large objects tells outlines apart that mask IoU calls equal.
 * Source: Cheng, Girshick, Dollar, Berg, Kirillov: "Boundary IoU", CVPR 2021; border width 2 % of the image's diagonal as there.
 */
import type { Rle } from "../types.js";
import { iouOfRles } from "./iou.js";
import { rleBounds } from "./rle.js";
import { rleFromWindow, windowFromRle } from "./rle-window.js";

/** Width of the border as a part of the image's diagonal. */
const DILATION_RATIO = 0.02;

/**
 * IoU of the pixels of each mask that are within 2 % of the image's diagonal (at least 1 pixel, chessboard distance) of its outside.
 * The border of the image counts as outside. 0 when both masks are empty.
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
  const inner = erodeLines(erodeLines(border, columns, rows, rows, 1, distance), rows, 1, columns, rows, distance);
  for (let i = 0; i < border.length; i++) border[i] = border[i]! & ~inner[i]!;
  return rleFromWindow(border, { left, top, columns, rows }, rle.height, rle.width);
}

/** In pixels; halves go to the even number, as the reference code's rounding does. */
function borderWidth(height: number, width: number): number {
  const exact = DILATION_RATIO * Math.sqrt(height * height + width * width);
  const rounded = Math.round(exact);
  return Math.max(1, exact % 1 === 0.5 ? rounded - (rounded % 2) : rounded);
}

/** Keeps a pixel when all pixels up to `distance` before and after it on its line are set. Line k starts at k * lineStep. */
function erodeLines(
  bitmap: Uint8Array,
  lines: number,
  lineStep: number,
  length: number,
  step: number,
  distance: number,
): Uint8Array {
  const eroded = new Uint8Array(bitmap.length);
  for (let line = 0; line < lines; line++) {
    let run = 0;
    for (let i = 0, at = line * lineStep; i < length; i++, at += step) {
      run = bitmap[at] === 0 ? 0 : run + 1;
      if (run > 2 * distance) eroded[at - distance * step] = 1;
    }
  }
  return eroded;
}
