/** Part of a mask to a bitmap and back, for work that needs pixels but not those of the whole image. */
import type { Rle } from "../types.js";

/** A part of an image in whole pixels, inside it. */
export interface PixelWindow {
  readonly left: number;
  readonly top: number;
  readonly columns: number;
  readonly rows: number;
}

/**
 * Mask of height x width pixels that is empty outside the window.
 * @param bitmap 0 and 1, columns * rows values, pixel (x, y) at (x - left) * rows + y - top
 */
export function rleFromWindow(bitmap: Uint8Array, window: PixelWindow, height: number, width: number): Rle {
  const { left, top, rows } = window;
  const counts: number[] = [];
  let start = 0;
  let end = 0;
  for (let first = bitmap.indexOf(1); first >= 0;) {
    const past = endOfRun(bitmap, first);
    for (let from = first; from < past;) {
      const column = Math.floor(from / rows);
      const to = Math.min(past, (column + 1) * rows);
      const at = (left + column) * height + top + from - column * rows;
      // A run is written when the next one starts apart from it, because runs continue from column to column.
      if (at !== end || counts.length === 0) {
        if (counts.length > 0) counts.push(end - start);
        counts.push(at - end);
        start = at;
      }
      end = at + to - from;
      from = to;
    }
    first = bitmap.indexOf(1, past);
  }
  if (counts.length > 0) counts.push(end - start);
  if (end < height * width) counts.push(height * width - end);
  return { height, width, counts: Uint32Array.from(counts) };
}

function endOfRun(bitmap: Uint8Array, from: number): number {
  const zero = bitmap.indexOf(0, from);
  return zero < 0 ? bitmap.length : zero;
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
