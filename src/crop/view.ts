/** A part of a photograph as a JPEG for people, in the frame that the boxes are in: box and margin, made smaller. */
import sharp from "sharp";
import type { Box } from "../types.js";
import { CHANNELS } from "./crop.js";
import type { DecodedImage } from "./open-image.js";

/** Part of an image, whole pixels, and the size at which it is shown. */
export interface ImageView {
  readonly x: number;
  readonly y: number;
  /** Pixels shown per image pixel, at most 1. */
  readonly scale: number;
  /** Pixels as shown. */
  readonly width: number;
  readonly height: number;
  /** Image pixels along each side. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
}

/**
 * @param margin added on every side, as a part of the box's sides
 * @param side   longest side as shown, pixels
 */
export function viewAround(
  { left, top, width, height }: Box,
  image: { readonly width: number; readonly height: number },
  { margin, side }: { readonly margin: number; readonly side: number },
): ImageView {
  const within = (value: number, high: number): number => Math.min(high, Math.max(0, value));
  const x = within(Math.floor(left - margin * width), image.width - 1);
  const y = within(Math.floor(top - margin * height), image.height - 1);
  const sourceWidth = Math.max(1, within(Math.ceil(left + (1 + margin) * width), image.width) - x);
  const sourceHeight = Math.max(1, within(Math.ceil(top + (1 + margin) * height), image.height) - y);
  const scale = Math.min(1, side / Math.max(sourceWidth, sourceHeight));
  const shown = (length: number): number => Math.max(1, Math.round(length * scale));
  return { x, y, scale, width: shown(sourceWidth), height: shown(sourceHeight), sourceWidth, sourceHeight };
}

const QUALITY = 88;

export async function encodeView(image: DecodedImage, view: ImageView): Promise<Uint8Array> {
  return sharp(image.pixels, { raw: { width: image.width, height: image.height, channels: CHANNELS } })
    .extract({ left: view.x, top: view.y, width: view.sourceWidth, height: view.sourceHeight })
    .resize(view.width, view.height, { fit: "fill" })
    .jpeg({ quality: QUALITY })
    .toBuffer();
}
