/** A part of a photograph as a small JPEG, for a report to show; in the frame the boxes are in. */
import sharp from "sharp";
import { squareWindow } from "../geometry/box.js";
import type { CropWindow } from "../geometry/grid.js";
import type { Box, Failure, ImageRecord } from "../types.js";
import { CHANNELS, decodeImage, openImage } from "./open-image.js";
import { resampleWindow } from "./resample-window.js";

export interface Picture {
  /** Part of the image that is shown; image pixels. */
  readonly window: CropWindow;
  readonly jpeg: Uint8Array;
}

/**
 * @param context share of the box's long side that is shown around it
 * @param size    side of the picture, pixels
 */
export async function cutPicture(
  path: string,
  record: Pick<ImageRecord, "width" | "height">,
  box: Box,
  context: number,
  size: number,
): Promise<Picture | Failure> {
  const opened = await openImage(path, record);
  if (opened.kind === "failed") return opened.failure;
  const decoded = await decodeImage(opened.image);
  if (decoded.kind === "failed") return decoded.failure;
  const window = squareWindow(box, context);
  const pixels = await resampleWindow(decoded.image, window, size);
  const jpeg = await sharp(pixels, { raw: { width: size, height: size, channels: CHANNELS } })
    .jpeg({ quality: 80 })
    .toBuffer();
  return { window, jpeg };
}

/* Pixels as a small JPEG, for a page to show. */

const QUALITY = 80;

/** @param pixels [side, side, 3] uint8 RGB */
export async function encodeJpeg(pixels: Uint8Array, side: number): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: QUALITY })
    .toBuffer();
}
