/** Pixels that a program already has in memory, as the image that crops are cut from. */
import { invalidData, receivedOf } from "../errors.js";
import { CHANNELS } from "./crop.js";
import type { DecodedImage } from "./open-image.js";
import { MAX_IMAGE_PIXELS } from "./open-image.js";

/** Pixels in memory, in rows from the top left. The canvas' `ImageData` is one. */
export interface Pixels {
  /** Pixels, 1 or more; at most 16383 x 16383 in all. */
  readonly width: number;
  readonly height: number;
  /** 8 bits per value, RGB (width * height * 3) or RGBA (width * height * 4); transparency lies on black. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

const WITH_ALPHA = CHANNELS + 1;
const HINT = "Pass width, height and the bytes of RGB or RGBA pixels, row by row.";

/**
 * @param name stands for the path in messages
 * @returns an image that shares the bytes of RGB; RGBA is copied
 * @throws E_DATA when the size is no size, or the bytes do not fit it
 */
export function imageFromPixels(name: string, { width, height, data }: Pixels): DecodedImage {
  for (const [side, value] of Object.entries({ width, height })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw invalidData(`${name}: expected a ${side} of whole pixels, 1 or more, received ${receivedOf(value)}`, HINT);
  }
  const area = width * height;
  if (area > MAX_IMAGE_PIXELS) {
    throw invalidData(
      `${name}: expected at most ${MAX_IMAGE_PIXELS} pixels, received ${width} x ${height} = ${area}`,
      "Cut it into tiles.",
    );
  }
  const given: unknown = data;
  if (!(given instanceof Uint8Array || given instanceof Uint8ClampedArray))
    throw invalidData(`${name}: expected data as a Uint8Array, received ${receivedOf(given)}`, HINT);
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  if (bytes.length === area * CHANNELS) return { path: name, width, height, pixels: bytes };
  if (bytes.length === area * WITH_ALPHA) return { path: name, width, height, pixels: onBlack(bytes, area) };
  throw invalidData(
    `${name}: expected data of length ${area * CHANNELS} (RGB) or ${area * WITH_ALPHA} (RGBA) for ${width} x ${height} pixels, ` +
      `received ${bytes.length}`,
    HINT,
  );
}

function onBlack(rgba: Uint8Array, area: number): Uint8Array {
  const rgb = new Uint8Array(area * CHANNELS);
  for (let from = 0, to = 0; to < rgb.length; from += WITH_ALPHA) {
    const alpha = rgba[from + CHANNELS]! / 255;
    for (let channel = 0; channel < CHANNELS; channel++) rgb[to++] = Math.round(rgba[from + channel]! * alpha);
  }
  return rgb;
}
