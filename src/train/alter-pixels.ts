/** Changes of a finished crop, in place: turned over, toned, gray, partly painted over. Crops are [224, 224, 3] uint8, RGB. */
import { CROP_SIZE } from "../geometry/grid.js";
import type { Look } from "./augmentation.js";

const ROW = CROP_SIZE * 3;

/** Exchanges top and bottom. */
export function turnOverPixels(crop: Uint8Array): void {
  for (let a = 0, b = crop.length - ROW; a < b; a += ROW, b -= ROW) {
    const kept = crop.slice(a, a + ROW);
    crop.copyWithin(a, b, b + ROW);
    crop.set(kept, b);
  }
}

/** value -> ((value - 128) * contrast + 128 + brightness) * gain, rounded and clamped. */
export function tonePixels(crop: Uint8Array, { contrast, brightness, gains }: NonNullable<Look["tone"]>): void {
  const tables = gains.map((gain) =>
    Uint8ClampedArray.from({ length: 256 }, (_, value) => ((value - 128) * contrast + 128 + brightness) * gain),
  );
  const [red, green, blue] = tables as [Uint8ClampedArray, Uint8ClampedArray, Uint8ClampedArray];
  for (let at = 0; at < crop.length; at += 3) {
    crop[at] = red[crop[at]!]!;
    crop[at + 1] = green[crop[at + 1]!]!;
    crop[at + 2] = blue[crop[at + 2]!]!;
  }
}

/** The mean of the channels in each of them. */
export function grayPixels(crop: Uint8Array): void {
  for (let at = 0; at < crop.length; at += 3) {
    const mean = Math.round((crop[at]! + crop[at + 1]! + crop[at + 2]!) / 3);
    crop[at] = crop[at + 1] = crop[at + 2] = mean;
  }
}

/** Paints a square, or what of it lies on the crop. */
export function erasePixels(crop: Uint8Array, { left, top, side, value }: NonNullable<Look["erase"]>): void {
  const right = Math.min(CROP_SIZE, left + side),
    bottom = Math.min(CROP_SIZE, top + side);
  for (let y = top; y < bottom; y++) crop.fill(value, y * ROW + left * 3, y * ROW + right * 3);
}
