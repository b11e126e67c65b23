/** Pixels as a small JPEG, for a page to show. */
import sharp from "sharp";

const QUALITY = 80;

/** @param pixels [side, side, 3] uint8 RGB */
export async function encodeJpeg(pixels: Uint8Array, side: number): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: QUALITY })
    .toBuffer();
}
