/** Gaussian blur of a crop, in the image library's own threads. */
import sharp from "sharp";
import { CROP_SIZE } from "../geometry/grid.js";
import { CHANNELS } from "./open-image.js";

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
