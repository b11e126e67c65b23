/**
 * A square window of an image, at any size, zero outside the image. Pixel centers lie at half pixels, so that the crop
 * and the polygon share one frame at every scale.
 *
 * Three ways to the same picture:
 * - enlarging: bilinear, here. libvips moves its result by half an output pixel to the right and down, and no option of
 *   sharp's resize moves it back.
 * - reducing: sharp's linear kernel, widened by the scale, so that no image pixel is skipped.
 * - reducing a window too large to be copied: the same on the part inside the image, then placed on the nearest crop
 *   pixel.
 *
 * A network trained on the crops of OpenCV's warpAffine predicts as well on these; both are compared in
 * bench/README.md.
 */
import sharp from "sharp";
import type { CropWindow } from "../geometry/grid.js";
import { CROP_SIZE } from "../geometry/grid.js";
import { CHANNELS } from "./crop.js";
import type { DecodedImage } from "./open-image.js";

/** Largest window that is copied, pixels along a side: 12 MB, about nine image pixels per crop pixel and axis. */
const MAX_COPIED_SIDE = 2048;

/**
 * @param size side of the result, pixels
 * @returns [size, size, 3] uint8, RGB, 0..255; a new buffer
 */
export async function resampleWindow(image: DecodedImage, window: CropWindow, size: number): Promise<Uint8Array> {
  const { x0, x1, y0, y1 } = insidePart(image, window);
  if (x0 >= x1 || y0 >= y1) return new Uint8Array(size * size * CHANNELS);
  if (window.side > MAX_COPIED_SIDE) return reduceLargeWindow(image, window, size);
  const square = copyWindow(image, window);
  return window.side > size ? reduceSquare(square, window.side, size) : enlargeSquare(square, window.side, size);
}

/** Copies the window's rows into a zeroed square. @returns [side, side, 3] */
function copyWindow(image: DecodedImage, { left, top, side }: CropWindow): Uint8Array {
  const square = new Uint8Array(side * side * CHANNELS);
  const { x0, x1, y0, y1 } = insidePart(image, { left, top, side });
  for (let y = y0; y < y1; y++) {
    const row = image.pixels.subarray((y * image.width + x0) * CHANNELS, (y * image.width + x1) * CHANNELS);
    square.set(row, ((y - top) * side + x0 - left) * CHANNELS);
  }
  return square;
}

/** Part of the window inside the image, image pixels; x1 and y1 are exclusive. */
function insidePart(
  { width, height }: DecodedImage,
  { left, top, side }: CropWindow,
): { x0: number; x1: number; y0: number; y1: number } {
  return {
    x0: Math.max(0, left),
    x1: Math.min(width, left + side),
    y0: Math.max(0, top),
    y1: Math.min(height, top + side),
  };
}

async function reduceSquare(square: Uint8Array, side: number, size: number): Promise<Uint8Array> {
  return sharp(square, { raw: { width: side, height: side, channels: CHANNELS } })
    .resize(size, size, { kernel: "linear", fit: "fill" })
    .raw()
    .toBuffer();
}

/** Bilinear; the border pixels reach outward. @returns [size, size, 3] */
function enlargeSquare(square: Uint8Array, side: number, size: number): Uint8Array {
  const { before, after, weight } = bilinearTable(side, size);
  const out = new Uint8Array(size * size * CHANNELS);
  const width = size * CHANNELS;
  const widened = (y: number, row: Float64Array): void => {
    for (let x = 0, at = 0; x < size; x++) {
      const left = (y * side + before[x]!) * 3;
      const right = (y * side + after[x]!) * 3;
      const u = weight[x]!;
      row[at++] = square[left]! * (1 - u) + square[right]! * u;
      row[at++] = square[left + 1]! * (1 - u) + square[right + 1]! * u;
      row[at++] = square[left + 2]! * (1 - u) + square[right + 2]! * u;
    }
  };
  // Each source row is widened once, for the output rows on both its sides.
  let [upper, lower] = [new Float64Array(width), new Float64Array(width)];
  let [inUpper, inLower] = [-1, -1];
  for (let y = 0, at = 0; y < size; y++) {
    const [top, bottom, v] = [before[y]!, after[y]!, weight[y]!];
    if (top === inLower) [upper, inUpper, lower, inLower] = [lower, inLower, upper, inUpper];
    if (top !== inUpper) widened(top, upper);
    if (bottom !== inLower) widened(bottom, lower);
    [inUpper, inLower] = [top, bottom];
    // Plus a half, because storing truncates.
    for (let x = 0; x < width; x++) out[at++] = upper[x]! * (1 - v) + lower[x]! * v + 0.5;
  }
  return out;
}

/** For each output pixel the two source pixels around its center, and the weight of the second. */
function bilinearTable(side: number, size: number): { before: Int32Array; after: Int32Array; weight: Float64Array } {
  const [before, after] = [new Int32Array(size), new Int32Array(size)];
  const weight = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const at = Math.min(side - 1, Math.max(0, ((i + 0.5) * side) / size - 0.5));
    before[i] = Math.floor(at);
    after[i] = Math.min(side - 1, before[i]! + 1);
    weight[i] = at - before[i]!;
  }
  return { before, after, weight };
}

/**
 * Copies nothing: sharp reads the image's own buffer. The part inside the image is off by half a crop pixel at most.
 */
async function reduceLargeWindow(image: DecodedImage, window: CropWindow, size: number): Promise<Uint8Array> {
  const { x0, x1, y0, y1 } = insidePart(image, window);
  const place = (position: number, origin: number): number => Math.round(((position - origin) * size) / window.side);
  const [left, top] = [place(x0, window.left), place(y0, window.top)];
  const width = Math.max(1, place(x1, window.left) - left);
  const height = Math.max(1, place(y1, window.top) - top);
  const reduced = await sharp(image.pixels, {
    raw: { width: image.width, height: image.height, channels: CHANNELS },
    limitInputPixels: false,
  })
    .extract({ left: x0, top: y0, width: x1 - x0, height: y1 - y0 })
    .resize(width, height, { kernel: "linear", fit: "fill" })
    .raw()
    .toBuffer();
  const out = new Uint8Array(size * size * CHANNELS);
  // A sliver at the very edge rounds to one pixel that may lie just past the crop; it is pushed back in.
  const [atX, atY] = [Math.min(left, size - width), Math.min(top, size - height)];
  for (let y = 0; y < height; y++) {
    out.set(reduced.subarray(y * width * CHANNELS, (y + 1) * width * CHANNELS), ((atY + y) * size + atX) * CHANNELS);
  }
  return out;
}

/**
 * Gaussian blur of a finished crop, in the image library's own threads.
 * @param sigma pixels, 0.3 to 1000
 * @returns     a new buffer
 */
export async function blurPixels(crop: Uint8Array, sigma: number): Promise<Uint8Array> {
  return sharp(crop, { raw: { width: CROP_SIZE, height: CROP_SIZE, channels: CHANNELS } })
    .blur(sigma)
    .raw()
    .toBuffer();
}
