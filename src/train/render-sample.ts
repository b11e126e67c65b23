/** The pixels of one training example, as planned: cut, pasted, mirrored, changed. */
import { blurCrop } from "../crop/blur-crop.js";
import { mirrorPixels } from "../crop/mirror-pixels.js";
import type { DecodedImage } from "../crop/open-image.js";
import { resampleWindow } from "../crop/resample-window.js";
import { CROP_SIZE, type CropWindow } from "../geometry/grid.js";
import type { Ring } from "../types.js";
import { erasePixels, grayPixels, tonePixels, turnOverPixels } from "./alter-pixels.js";
import { pasteOver } from "./paste-instance.js";
import type { PlannedSample } from "./plan-sample.js";

/**
 * @param ring  of the instance, image pixels
 * @param under the image of `sample.background`, where there is one
 * @returns [224, 224, 3] uint8, RGB; a new buffer
 */
export async function renderSample(
  sample: PlannedSample,
  ring: Ring,
  image: DecodedImage,
  under?: DecodedImage,
): Promise<Uint8Array> {
  const { window, background, look } = sample;
  const crop = await cut(image, window, look.detail);
  if (background !== undefined && under !== undefined) {
    pasteOver(crop, await cut(under, background.window, look.detail), ring, window, background.softness);
  }
  if (sample.isMirrored) mirrorPixels(crop);
  if (sample.isTurnedOver) turnOverPixels(crop);
  if (look.tone !== undefined) tonePixels(crop, look.tone);
  if (look.isGray) grayPixels(crop);
  const blurred = look.blur === undefined ? crop : await blurCrop(crop, look.blur);
  if (look.erase !== undefined) erasePixels(blurred, look.erase);
  return blurred;
}

/** @param detail side of a smaller crop that is enlarged again, crop pixels */
async function cut(image: DecodedImage, window: CropWindow, detail = CROP_SIZE): Promise<Uint8Array> {
  const pixels = await resampleWindow(image, window, detail);
  if (detail === CROP_SIZE) return pixels;
  return resampleWindow(
    { path: image.path, width: detail, height: detail, pixels },
    { left: 0, top: 0, side: detail },
    CROP_SIZE,
  );
}
