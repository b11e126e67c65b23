/** What the crop stage gives: pixels for the network, and where they lie in the image. */
import type { CropWindow } from "../geometry/grid.js";
import { CROP_SIZE } from "../geometry/grid.js";
import type { Box, Failure, Instance } from "../types.js";

/** Channels of a decoded image: RGB. */
export const CHANNELS = 3;

/** Bytes of one crop, [224, 224, 3]. */
export const CROP_BYTES = CROP_SIZE * CROP_SIZE * CHANNELS;

/** Where a crop and its box lie, image pixels. */
export interface CropFrame {
  readonly window: CropWindow;
  /** The part of the box that lies on the image; the polygon stays within. */
  readonly bounds: Box;
}

export interface Crop extends CropFrame {
  readonly instance: Instance;
  /** [224, 224, 3] uint8, RGB, 0..255; zero where the window leaves the image. */
  readonly pixels: Uint8Array;
  /** True when the box reached over the image's border and was cut there. */
  readonly clipped: boolean;
  /** Size of the image as displayed, pixels. */
  readonly imageWidth: number;
  readonly imageHeight: number;
}

/** One instance after cropping: a crop, or the reason why there is none. */
export type CropResult =
  | { readonly kind: "crop"; readonly crop: Crop }
  | { readonly kind: "failed"; readonly instance: Instance; readonly failure: Failure };

/** Pixels of all crops, [crops.length, 224, 224, 3] uint8. */
export function stackPixels(crops: readonly Pick<Crop, "pixels">[]): Uint8Array {
  const stacked = new Uint8Array(crops.length * CROP_BYTES); // [B, 224, 224, 3]
  crops.forEach(({ pixels }, at) => {
    stacked.set(pixels, at * CROP_BYTES);
  });
  return stacked;
}
