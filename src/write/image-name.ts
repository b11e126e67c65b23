/** The name of an image as tools look for it: below the folder of the images, with slashes. */
import { relative, resolve, sep } from "node:path";
import type { ImageResult, WriteContext } from "./writer.js";

/**
 * @returns the name in the input where the photograph was not found or no folder is known; and for photographs that were
 *   listed or named one by one, as they lie below nothing that was given
 */
export function imageName({ image, path }: ImageResult, { images }: WriteContext): string {
  if (path === undefined || images === undefined) return image.fileName;
  const way = relative(resolve(images), resolve(path));
  return way === "" || way.startsWith(`..${sep}`) ? image.fileName : way.replaceAll(sep, "/");
}
