/**
 * From a map of a crop to a mask of the image. The map is read bilinearly between the centers of its cells, at the
 * centers of the image's pixels. A pixel is in the mask from a probability of one half, and only inside the box: every
 * mask method knows the box, as the polygons do.
 */
import type { CropFrame } from "../../crop/crop.js";
import type { Box } from "../../types.js";
import { rleArea } from "../../geometry/rle.js";
import { rleFromWindow } from "../../geometry/rle-window.js";
import type { MaskResult } from "./method.js";
import type { ImageSize } from "./read-prediction.js";

/** Probability from which on a pixel belongs to the mask: as the papers cut. */
const CUT = 0.5;

/** For the report: how masks are made of maps. */
export const MASK_WORDS = "cut at one half inside the box";

/** @param logits any numbers @returns probabilities, 0..1 */
export function probabilitiesOf(logits: Float32Array): Float32Array {
  return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
}

/** @param map probabilities of the crop, side * side, row-major */
export function maskFromMap(map: Float32Array, { window, bounds }: CropFrame, size: ImageSize): MaskResult {
  const { left, top, side } = window;
  return maskFromArea(map, { left, top, width: side, height: side }, bounds, size);
}

/**
 * @param map    side * side, row-major, stretched over the area
 * @param bounds no pixel outside of it is in the mask
 */
export function maskFromArea(map: Float32Array, area: Box, bounds: Box, { width, height }: ImageSize): MaskResult {
  const side = Math.sqrt(map.length);
  const [left, right] = centersWithin(bounds.left, bounds.width, width);
  const [top, bottom] = centersWithin(bounds.top, bounds.height, height);
  const [columns, rows] = [right - left, bottom - top];
  const down = Array.from({ length: rows }, (_, y) => between(((top + y + 0.5 - area.top) / area.height) * side, side));
  const bitmap = new Uint8Array(columns * rows);
  for (let x = 0; x < columns; x++) {
    const [column, u] = between(((left + x + 0.5 - area.left) / area.width) * side, side);
    for (let y = 0; y < rows; y++) {
      const [row, v] = down[y]!;
      const at = row * side + column;
      const above = map[at]! * (1 - u) + map[at + 1]! * u;
      const below = map[at + side]! * (1 - u) + map[at + side + 1]! * u;
      if (above * (1 - v) + below * v >= CUT) bitmap[x * rows + y] = 1;
    }
  }
  const mask = rleFromWindow(bitmap, { left, top, columns, rows }, height, width);
  return rleArea(mask) > 0 ? { kind: "mask", mask } : { kind: "failed", reason: "polygon-empty" };
}

/** First pixel whose center lies in a range, and the first one after it; at least one pixel. */
function centersWithin(from: number, length: number, size: number): readonly [first: number, end: number] {
  const first = Math.min(size - 1, Math.max(0, Math.ceil(from - 0.5)));
  return [first, Math.min(size, Math.max(first + 1, Math.ceil(from + length - 0.5)))];
}

/** The cell whose center lies before a position in cells, and how far on it is toward the next; beyond the outer centers the map goes on. */
export function between(position: number, side: number): readonly [cell: number, part: number] {
  const from = Math.min(side - 1, Math.max(0, position - 0.5));
  const cell = Math.min(side - 2, Math.floor(from));
  return [cell, from - cell];
}
