/**
 * Cuts the square crop around one box out of a decoded image: clip the box, frame it (geometry/box.ts), cut the window, resample.
 * Source of the crop: Castrejon et al., CVPR 2017 (224 x 224, zero outside the image).
 */
import { clipBox, squareWindow } from "../geometry/box.js";
import type { CropWindow } from "../geometry/grid.js";
import type { Instance } from "../types.js";
import { CROP_SIZE, type CropResult } from "./crop.js";
import type { DecodedImage } from "./open-image.js";
import { resampleWindow } from "./resample-window.js";

/**
 * @param context extra part of the long side, 0.15 for 15 %
 * @returns the crop, or `box-outside` when the box does not touch the image
 */
export async function cutCrop(image: DecodedImage, instance: Instance, context: number): Promise<CropResult> {
  const clipped = clipBox(instance.box, image.width, image.height);
  if (clipped.kind === "outside") {
    const { left, top, width, height } = instance.box;
    const message = `${image.path}, annotation ${instance.annotationId}: expected a box on the image of ${image.width} x ${image.height} pixels, received [${left}, ${top}, ${width}, ${height}], which lies outside. Check that box and image belong together and that the box is [left, top, width, height].`;
    return { kind: "failed", instance, failure: { reason: "box-outside", message } };
  }
  const window: CropWindow = squareWindow(clipped.box, context);
  const pixels = await resampleWindow(image, window, CROP_SIZE);
  return {
    kind: "crop",
    crop: {
      instance,
      pixels,
      window,
      bounds: clipped.box,
      clipped: clipped.kind === "clipped",
      imageWidth: image.width,
      imageHeight: image.height,
    },
  };
}
