/** The name of an image as tools look for it: below the folder of the images, with slashes. */
import { relative, resolve, sep } from "node:path";
import type { ImageResult, WriteContext } from "./writer.js";

/** @returns the name in the input where the photograph was not found or no folder is known */
export function imageName({ image, path }: ImageResult, { images }: WriteContext): string {
  if (path === undefined || images === undefined) return image.fileName;
  return relative(resolve(images), resolve(path)).replaceAll(sep, "/");
}
