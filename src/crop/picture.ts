/** Small JPEGs for reports and pages: a part of a photograph, in the frame the boxes are in, or pixels at hand. */
import sharp from "sharp";
import { squareWindow } from "../geometry/box.js";
import type { CropWindow } from "../geometry/grid.js";
import type { Box, Failure, ImageRecord } from "../types.js";
import { CHANNELS } from "./crop.js";
import { decodeImage, openImage } from "./open-image.js";
import { resampleWindow } from "./resample-window.js";

const QUALITY = 80;

export interface Picture {
  /** Part of the image that is shown; image pixels. */
  readonly window: CropWindow;
  readonly jpeg: Uint8Array;
}

export interface PictureFormat {
  /** Margin around the box, as a part of its long side. */
  readonly context: number;
  /** Pixels along a side. */
  readonly size: number;
}

/**
 * @param path   the image
 * @param record what the annotation file claims of it, as in `openImage`
 * @param box    what is shown; image pixels
 */
export async function cutPicture(
  path: string,
  record: Pick<ImageRecord, "width" | "height">,
  box: Box,
  { context, size }: PictureFormat,
): Promise<Picture | Failure> {
  const opened = await openImage(path, record);
  if (opened.kind === "failed") return opened.failure;
  const decoded = await decodeImage(opened.image);
  if (decoded.kind === "failed") return decoded.failure;
  const window = squareWindow(box, context);
  return { window, jpeg: await encodeJpeg(await resampleWindow(decoded.image, window, size), size) };
}

/** @param pixels [side, side, 3] uint8 RGB */
export async function encodeJpeg(pixels: Uint8Array, side: number): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width: side, height: side, channels: CHANNELS } })
    .jpeg({ quality: QUALITY })
    .toBuffer();
}
