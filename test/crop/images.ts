/** What the crop tests share: the fixture folder, boxes, and how far two pictures are apart. */
import { join } from "node:path";
import type { DecodedImage } from "../../src/crop/open-image.js";
import { decodeImage, openImage } from "../../src/crop/open-image.js";
import type { Box, Instance } from "../../src/types.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
export const scene = (name: string): string => join(FIXTURES, "images", `${name}.jpg`);
export const hostile = (name: string): string => join(FIXTURES, "hostile", name);

export function instanceOf(ordinal: number, box: Box): Instance {
  return { ordinal, annotationId: ordinal + 1, imageId: 1, categoryId: 3, box, raw: {} };
}

/** Opens and decodes; fails the test when that fails. */
export async function decode(path: string, size: { width?: number; height?: number } = {}): Promise<DecodedImage> {
  const opened = await openImage(path, size);
  if (opened.kind === "failed") throw new Error(opened.failure.message);
  const decoded = await decodeImage(opened.image);
  if (decoded.kind === "failed") throw new Error(decoded.failure.message);
  return decoded.image;
}

/** Peak signal-to-noise ratio of two buffers of bytes, dB; Infinity when they are equal. */
export function psnr(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) throw new Error(`${a.length} bytes against ${b.length}`);
  const squares = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
  return 10 * Math.log10(255 ** 2 / (squares / a.length));
}

/** An image whose pixel (x, y) is [x, y, 200] modulo 251: every pixel says where it comes from. */
export function mapImage(width: number, height: number): DecodedImage {
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      pixels[at++] = x % 251;
      pixels[at++] = y % 251;
      pixels[at++] = 200;
    }
  }
  return { path: "map", width, height, pixels };
}

/** A horizontal and a vertical ramp from 0 to 250 over the image's width and height. */
export function rampImage(width: number, height: number): DecodedImage {
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      pixels[at++] = Math.round(((x + 0.5) / width) * 250);
      pixels[at++] = Math.round(((y + 0.5) / height) * 250);
      pixels[at++] = 200;
    }
  }
  return { path: "ramp", width, height, pixels };
}
