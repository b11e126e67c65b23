/**
 * Changes of a finished crop, in place: turned over, toned, gray, partly painted over. Crops are [224, 224, 3] uint8,
 * RGB.
 */
import sharp from "sharp";
import { CROP_SIZE } from "../geometry/grid.js";
import type { Look } from "../train/data/augmentation.js";
import { CHANNELS } from "./open-image.js";

const ROW = CROP_SIZE * 3;

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

/* Crops in the mirror. */

/** Exchanges left and right, in place. @param crops [any, 224, 224, 3] uint8 */
export function flipPixels(crops: Uint8Array): void {
  for (let start = 0; start < crops.length; start += ROW) {
    for (let a = start, b = start + ROW - 3; a < b; a += 3, b -= 3) {
      for (let channel = 0; channel < 3; channel++) {
        const kept = crops[a + channel]!;
        crops[a + channel] = crops[b + channel]!;
        crops[b + channel] = kept;
      }
    }
  }
}

/* Gaussian blur of a crop, in the image library's own threads. */

/**
 * @param pixels [224, 224, 3] uint8
 * @param sigma  pixels, 0.3 to 1000
 * @returns a new buffer
 */
export async function blurCrop(pixels: Uint8Array, sigma: number): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width: CROP_SIZE, height: CROP_SIZE, channels: CHANNELS } })
    .blur(sigma)
    .raw()
    .toBuffer();
}
