/** Part of a mask as a bitmap and back, for work that needs pixels and should not pay for the whole image. */
import type { Rle } from "../types.js";

/** Whole pixels of an image; inside it. */
export interface PixelWindow { readonly left: number; readonly top: number; readonly columns: number; readonly rows: number }

/**
 * Mask of height x width pixels that is empty outside the window.
 * @param bitmap columns * rows values, pixel (x, y) at (x - left) * rows + y - top; anything but 0 is mask
 */
export function rleFromWindow(bitmap: Uint8Array, window: PixelWindow, height: number, width: number): Rle {
  const { left, top, columns, rows } = window;
  const counts: number[] = [];
  let start = 0;
  let end = 0;
  // A run of mask is written once the next one starts apart from it, because runs go on from column to column.
  for (let column = 0; column < columns; column++) {
    const base = (left + column) * height + top;
    for (let row = 0; row < rows; row++) {
      if (bitmap[column * rows + row] === 0) continue;
      const at = base + row;
      if (at !== end || counts.length === 0) {
        if (counts.length > 0) counts.push(end - start);
        counts.push(at - end);
        start = at;
      }
      end = at + 1;
    }
  }
  if (counts.length > 0) counts.push(end - start);
  if (end < height * width) counts.push(height * width - end);
  return { height, width, counts: Uint32Array.from(counts) };
}

/** Bitmap of the window, 0 and 1, in the layout of `rleFromWindow`. */
export function windowFromRle(rle: Rle, window: PixelWindow): Uint8Array {
  const { left, top, columns, rows } = window;
  const bitmap = new Uint8Array(columns * rows);
  for (let i = 1, start = rle.counts[0]!; i < rle.counts.length; i += 2) {
    const end = start + rle.counts[i]!;
    const from = Math.max(left, Math.floor(start / rle.height));
    const to = Math.min(left + columns - 1, Math.floor((end - 1) / rle.height));
    for (let column = from; column <= to; column++) {
      const base = column * rle.height;
      const first = Math.max(start - base, top) - top;
      const last = Math.min(end - base, top + rows) - top;
      if (first < last) bitmap.fill(1, (column - left) * rows + first, (column - left) * rows + last);
    }
    start = end + (rle.counts[i + 1] ?? 0);
  }
  return bitmap;
}
