/**
 * Copy-paste: an instance, cut out along its true outline, on another picture. Everything happens in the crop's frame,
 * which leaves the sequence to be taught unchanged. The seam is softened by a random width, or the network would learn
 * to look for it. Source: Dwibedi, Misra, Hebert, "Cut, Paste and Learn", ICCV 2017.
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
  /** How often the cut-out's border is averaged with its neighbors: 0 is a hard seam. */
  readonly softness: number;
}

/** Side of the background's window as a part of the instance's. */
const BACKGROUND_SCALE = [0.6, 1.5] as const;
const SOFTNESS_LEVELS = 3;

/** A square of about the instance's size anywhere on the other image; it extends beyond only a smaller image. */
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

export interface CutOut {
  /** Image pixels. */
  readonly ring: Ring;
  /** The one the crop was cut with. */
  readonly window: CropWindow;
  /** As in `Background`. */
  readonly softness: number;
}

/**
 * Replaces what lies outside the ring, in place.
 * @param crop  [224, 224, 3], the instance's
 * @param under [224, 224, 3]
 */
export function pasteOver(crop: Uint8Array, under: Uint8Array, { ring, window, softness }: CutOut): void {
  const scale = CROP_SIZE / window.side;
  const inCrop = ring.map(({ x, y }) => ({ x: (x - window.left) * scale, y: (y - window.top) * scale }));
  let share = transpose(rleToBitmap(rasterizePolygon([inCrop], CROP_SIZE, CROP_SIZE)));
  for (let pass = 0; pass < softness; pass++) share = averageThree(averageThree(share, 1), CROP_SIZE);
  for (let i = 0, at = 0; i < share.length; i++) {
    const own = share[i]!;
    for (const end = at + 3; at < end; at++) crop[at] = crop[at]! * own + under[at]! * (1 - own) + 0.5;
  }
}

/** From column by column to row by row. */
function transpose(columns: Uint8Array): Float32Array {
  const rows = new Float32Array(columns.length);
  for (let x = 0, from = 0; x < CROP_SIZE; x++) {
    for (let to = x; to < rows.length; to += CROP_SIZE) rows[to] = columns[from++]!;
  }
  return rows;
}

/** Mean of each value and those `step` before and after it in memory; zeros lie beyond the ends of the map. */
function averageThree(map: Float32Array, step: number): Float32Array {
  const mean = new Float32Array(map.length);
  for (let i = 0; i < map.length; i++) {
    const before = i >= step ? map[i - step]! : 0;
    const after = i + step < map.length ? map[i + step]! : 0;
    mean[i] = (before + map[i]! + after) / 3;
  }
  return mean;
}
