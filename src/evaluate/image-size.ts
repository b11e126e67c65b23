/** Size of an image for rasterizing: the annotation file's, else a mask's, else the image's own header. Pixels are never decoded for it. */
import { openImage } from "../crop/open-image.js";
import type { ImageGroup } from "../dataset/dataset.js";
import { invalidData, receivedOf } from "../errors.js";
import { MAX_MASK_PIXELS } from "../geometry/rle.js";
import type { Exclusion } from "./prepare-truth.js";
import type { ImageSize } from "./read-prediction.js";

export type SizeResult =
  { readonly kind: "size"; readonly size: ImageSize } | ({ readonly kind: "unknown" } & Exclusion);

/**
 * @param hasImages whether an image folder was given
 * @returns `unknown` when the image is missing or broken: its instances are excluded with that reason
 * @throws E_DATA when the truth says no size and there is no folder to look in
 */
export async function sizeOfImage(
  { image, location, entries }: ImageGroup,
  truth: string,
  hasImages: boolean,
): Promise<SizeResult> {
  const { width, height } = image;
  if (width !== undefined && height !== undefined) return checked({ width, height });
  for (const entry of entries) {
    if (entry.kind === "instance" && entry.instance.truth?.kind === "rle") return checked(entry.instance.truth.rle);
  }
  if (!hasImages && image.fileName !== "") {
    throw invalidData(
      `${truth}: image ${receivedOf(image.id)} (${receivedOf(image.fileName)}): expected width and height, received none: masks need the image's size`,
      "Name the image folder with --images, or add width and height to the images of the truth.",
    );
  }
  if (location.kind === "failed") return unknown(location.failure.message);
  const opened = await openImage(location.path, image, location.root);
  return opened.kind === "failed" ? unknown(opened.failure.message) : checked(opened.image);
}

function checked({ width, height }: ImageSize): SizeResult {
  if (width * height <= MAX_MASK_PIXELS) return { kind: "size", size: { width, height } };
  return {
    kind: "unknown",
    reason: "image-too-large",
    message: `expected at most ${MAX_MASK_PIXELS} pixels, received ${width} x ${height}`,
  };
}

function unknown(message: string): SizeResult {
  return { kind: "unknown", reason: "image-size-unknown", message };
}
