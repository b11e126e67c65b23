/**
 * Changes of the pixels of finished crops: flips, tone, gray, erased squares; in place, on [224, 224, 3] uint8,
 * RGB. Threads that predict flip crops: nothing here loads the image library.
 */
import { CROP_SIZE } from "../geometry/grid.js";
import { CHANNELS } from "./crop.js";

/** What happens to the pixels of one crop after it is cut; which of it is for train/ to sample. */
export interface Look {
  /** Side the crop is reduced to before it is enlarged again, crop pixels; absent: full detail. */
  readonly detail?: number;
  readonly tone?: {
    readonly contrast: number;
    readonly brightness: number;
    readonly gains: readonly [number, number, number];
  };
  readonly isGray: boolean;
  /** Sigma in crop pixels. */
  readonly blur?: number;
  /** Crop pixels; may reach over the crop's border. `value` 0..255. */
  readonly erase?: { readonly left: number; readonly top: number; readonly side: number; readonly value: number };
}

/** Values in a row of a crop. */
const ROW = CROP_SIZE * CHANNELS;

/** Exchanges left and right. @param crops one or more, [any, 224, 224, 3] */
export function flipPixels(crops: Uint8Array): void {
  for (let start = 0; start < crops.length; start += ROW) {
    for (let a = start, b = start + ROW - 3; a < b; a += 3, b -= 3) {
      const [red, green, blue] = [crops[a]!, crops[a + 1]!, crops[a + 2]!];
      crops[a] = crops[b]!;
      crops[a + 1] = crops[b + 1]!;
      crops[a + 2] = crops[b + 2]!;
      crops[b] = red;
      crops[b + 1] = green;
      crops[b + 2] = blue;
    }
  }
}

/** Exchanges top and bottom. */
export function flipPixelsVertically(crop: Uint8Array): void {
  for (let a = 0, b = crop.length - ROW; a < b; a += ROW, b -= ROW) {
    const kept = crop.slice(a, a + ROW);
    crop.copyWithin(a, b, b + ROW);
    crop.set(kept, b);
  }
}

/** value -> ((value - 128) * contrast + 128 + brightness) * gain, rounded and clamped. */
export function tonePixels(crop: Uint8Array, { contrast, brightness, gains }: NonNullable<Look["tone"]>): void {
  const tableOf = (gain: number): Uint8ClampedArray =>
    Uint8ClampedArray.from({ length: 256 }, (_, value) => ((value - 128) * contrast + 128 + brightness) * gain);
  const [red, green, blue] = [tableOf(gains[0]), tableOf(gains[1]), tableOf(gains[2])];
  for (let at = 0; at < crop.length; at += CHANNELS) {
    crop[at] = red[crop[at]!]!;
    crop[at + 1] = green[crop[at + 1]!]!;
    crop[at + 2] = blue[crop[at + 2]!]!;
  }
}

/** Puts the mean of the channels into each of them. */
export function grayPixels(crop: Uint8Array): void {
  for (let at = 0; at < crop.length; at += CHANNELS) {
    const mean = Math.round((crop[at]! + crop[at + 1]! + crop[at + 2]!) / 3);
    crop[at] = crop[at + 1] = crop[at + 2] = mean;
  }
}

/** Paints a square, or what of it lies on the crop. */
export function erasePixels(crop: Uint8Array, { left, top, side, value }: NonNullable<Look["erase"]>): void {
  const right = Math.min(CROP_SIZE, left + side);
  const bottom = Math.min(CROP_SIZE, top + side);
  for (let y = top; y < bottom; y++) crop.fill(value, y * ROW + left * CHANNELS, y * ROW + right * CHANNELS);
}
