/**
 * What can be seen of overlapping outlines. They are painted in order, later over earlier, by the rule the Cityscapes
 * tools fill with (geometry/rasterize-pil.ts). What is left of each is its visible part, possibly in several pieces.
 */
import type { LabeledPixels } from "../../geometry/rasterize-pil.js";
import { paintRing } from "../../geometry/rasterize-pil.js";
import type { PixelWindow } from "../../geometry/rle-window.js";
import { rleFromWindow } from "../../geometry/rle-window.js";
import type { Box, Ring, Rle } from "../../types.js";

/** Largest image that is painted, pixels; painting takes four bytes for each. */
export const MAX_PAINTED_PIXELS = 2 ** 26;

export interface VisiblePart {
  /** Whole pixels: right = left + width is the first column without a pixel. */
  readonly box: Box;
  readonly mask: Rle;
}

interface Outline {
  readonly ring: Ring;
  /** False for outlines that only cover others. */
  readonly isWanted: boolean;
}

/**
 * @param width pixels of the image, likewise `height`; together at most MAX_PAINTED_PIXELS
 * @returns one per outline; undefined where nothing is visible, or the outline is not wanted
 */
export function findVisibleParts(
  outlines: readonly Outline[],
  width: number,
  height: number,
): (VisiblePart | undefined)[] {
  const painted = { labels: new Int32Array(width * height), width, height };
  outlines.forEach(({ ring }, i) => {
    paintRing(painted, ring, i + 1);
  });
  const windows = findWindows(painted, outlines.length);
  return outlines.map(({ isWanted }, i) => {
    const window = windows[i];
    if (!isWanted || window === undefined) return undefined;
    const box = { left: window.left, top: window.top, width: window.columns, height: window.rows };
    return { box, mask: maskOf(painted, window, i + 1) };
  });
}

/** Bounds of every label from 1 to `count`; undefined for a label that is nowhere. */
function findWindows({ labels, width }: LabeledPixels, count: number): (PixelWindow | undefined)[] {
  const left = new Int32Array(count + 1).fill(width);
  const right = new Int32Array(count + 1).fill(-1);
  const top = new Int32Array(count + 1).fill(-1);
  const bottom = new Int32Array(count + 1);
  for (let at = 0, row = 0; at < labels.length; row++) {
    for (let column = 0; column < width; column++, at++) {
      const value = labels[at]!;
      if (column < left[value]!) left[value] = column;
      if (column > right[value]!) right[value] = column;
      if (top[value] === -1) top[value] = row;
      bottom[value] = row;
    }
  }
  return Array.from({ length: count }, (_, i) => {
    const value = i + 1;
    if (right[value] === -1) return undefined;
    return {
      left: left[value]!,
      top: top[value]!,
      columns: right[value]! - left[value]! + 1,
      rows: bottom[value]! - top[value]! + 1,
    };
  });
}

function maskOf({ labels, width, height }: LabeledPixels, window: PixelWindow, label: number): Rle {
  const { left, top, columns, rows } = window;
  const bitmap = new Uint8Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    const start = (top + row) * width + left;
    for (let column = 0; column < columns; column++)
      if (labels[start + column] === label) bitmap[column * rows + row] = 1;
  }
  return rleFromWindow(bitmap, window, height, width);
}
