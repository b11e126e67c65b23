/**
 * Copy-paste: an instance, cut out along its true outline, on another picture. Everything is done in the crop's frame,
 * so that the sequence to be taught is the same as without. The seam is softened by a random width, or the network
 * would learn to look for it. Source: Dwibedi, Misra, Hebert, "Cut, Paste and Learn", ICCV 2017.
 */
import type { CropWindow } from "../../geometry/grid.js";
import { CROP_SIZE } from "../../geometry/grid.js";
import { rasterizePolygon } from "../../geometry/rasterize.js";
import { rleToBitmap } from "../../geometry/rle.js";
import type { Random } from "../../random.js";
import type { Ring } from "../../types.js";

export interface Background {
  /** Position in `TruthSet.images`. */
  readonly image: number;
  readonly window: CropWindow;
  /** Times the cut-out's border is averaged with its neighbors: 0 is a hard seam. */
  readonly softness: number;
}

/** Side of the background's window as a part of the instance's. */
const BACKGROUND_SCALE = [0.6, 1.5] as const;
const SOFTNESS_LEVELS = 3;

/**
 * A square of about the instance's size anywhere on the other image; it reaches over the image only where that is
 * smaller.
 */
export function sampleBackground(
  image: number,
  size: { readonly width: number; readonly height: number },
  side: number,
  random: Random,
): Background {
  const wanted = Math.max(1, Math.round(side * random.between(...BACKGROUND_SCALE)));
  const own = Math.min(wanted, Math.max(size.width, size.height));
  const place = (length: number): number =>
    Math.round(length > own ? random.between(0, length - own) : (length - own) / 2) + 0;
  return {
    image,
    window: { left: place(size.width), top: place(size.height), side: own },
    softness: random.integer(SOFTNESS_LEVELS),
  };
}

/**
 * @param crop  [224, 224, 3], the instance's; outside its ring it becomes the background, in place
 * @param under [224, 224, 3]
 * @param ring  image pixels; `window` is the one the crop was cut with
 */
export function pasteOver(crop: Uint8Array, under: Uint8Array, ring: Ring, window: CropWindow, softness: number): void {
  const scale = CROP_SIZE / window.side;
  const inCrop = ring.map(({ x, y }) => ({ x: (x - window.left) * scale, y: (y - window.top) * scale }));
  let share = transpose(rleToBitmap(rasterizePolygon([inCrop], CROP_SIZE, CROP_SIZE)));
  for (let pass = 0; pass < softness; pass++) share = averageThree(averageThree(share, 1), CROP_SIZE);
  for (let i = 0, at = 0; i < share.length; i++) {
    const own = share[i]!;
    for (const end = at + 3; at < end; at++) crop[at] = crop[at]! * own + under[at]! * (1 - own) + 0.5;
  }
}

/** Column by column to row by row. */
function transpose(columns: Uint8Array): Float32Array {
  const rows = new Float32Array(columns.length);
  for (let x = 0, from = 0; x < CROP_SIZE; x++) {
    for (let to = x; to < rows.length; to += CROP_SIZE) rows[to] = columns[from++]!;
  }
  return rows;
}

/** Mean of each value with the ones `step` before and after it in memory; beyond the ends of the map lie zeros. */
function averageThree(map: Float32Array, step: number): Float32Array {
  const mean = new Float32Array(map.length);
  for (let i = 0; i < map.length; i++) {
    const before = i >= step ? map[i - step]! : 0,
      after = i + step < map.length ? map[i + step]! : 0;
    mean[i] = (before + map[i]! + after) / 3;
  }
  return mean;
}
