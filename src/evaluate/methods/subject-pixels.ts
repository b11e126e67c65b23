/** Pixels of an image of the truth, for methods that look at them. */
import type { DecodedImage } from "../../crop/open-image.js";
import { decodeImage, openImage } from "../../crop/open-image.js";
import type { MaskResult, SubjectImage } from "./method.js";

export type FailedMask = MaskResult & { readonly kind: "failed" };

/** The pixels, or the failure of all instances of the image. */
export async function decodeSubject({
  image,
  location,
  width,
  height,
  instances,
}: SubjectImage): Promise<DecodedImage | FailedMask> {
  const fail = (message: string): FailedMask => ({ kind: "failed", reason: "image-unreadable", message });
  if (instances.length === 0) return fail("no instance");
  if (location.kind === "failed") return fail(location.failure.message);
  const opened = await openImage(location.path, { ...image, width, height }, location.root);
  if (opened.kind === "failed") return fail(opened.failure.message);
  const decoded = await decodeImage(opened.image);
  return decoded.kind === "failed" ? fail(decoded.failure.message) : decoded.image;
}
