/** Parts of a mask that hang together, and masks without their small ones. Source of the rule: the released Cityscapes protocol of Polygon-RNN++. */
import { rleFromWindow, windowFromRle } from "../geometry/rle-window.js";
import { rleBounds } from "../geometry/rle.js";
import type { Rle } from "../types.js";

/**
 * The mask without the parts of fewer than `minArea` pixels; pixels that touch at a corner hang together.
 * Allocates the mask's bounds, not the image.
 */
export function dropSmallParts(mask: Rle, minArea: number): Rle {
  const bounds = rleBounds(mask);
  if (bounds === undefined || minArea <= 1) return mask;
  const window = { left: bounds.left, top: bounds.top, columns: bounds.width, rows: bounds.height };
  const bitmap = windowFromRle(mask, window);
  const pending = new Int32Array(bitmap.length);
  let dropped = false;
  for (let start = 0; start < bitmap.length; start++) {
    if (bitmap[start] !== UNSEEN) continue;
    const size = collectPart(bitmap, window.columns, window.rows, start, pending);
    if (size >= minArea) continue;
    dropped = true;
    for (let i = 0; i < size; i++) bitmap[pending[i]!] = 0;
  }
  if (!dropped) return mask;
  for (let i = 0; i < bitmap.length; i++) if (bitmap[i] === SEEN) bitmap[i] = 1;
  return rleFromWindow(bitmap, window, mask.height, mask.width);
}

const UNSEEN = 1;
const SEEN = 2;

/** Marks the part around `start` as seen and writes its pixels into `pixels`. @returns their number */
function collectPart(bitmap: Uint8Array, columns: number, rows: number, start: number, pixels: Int32Array): number {
  let found = 0;
  bitmap[start] = SEEN;
  pixels[found++] = start;
  for (let next = 0; next < found; next++) {
    const column = Math.floor(pixels[next]! / rows);
    const row = pixels[next]! % rows;
    for (let x = Math.max(0, column - 1); x <= Math.min(columns - 1, column + 1); x++) {
      for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
        const at = x * rows + y;
        if (bitmap[at] !== UNSEEN) continue;
        bitmap[at] = SEEN;
        pixels[found++] = at;
      }
    }
  }
  return found;
}
