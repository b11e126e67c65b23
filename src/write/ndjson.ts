/** The stream of `--out -`: one COCO annotation per line, as in annotations.json, in input order. */
import { toCocoAnnotation } from "./coco-annotation.js";
import type { CategoryNames, ImageResult, ResultItem } from "./writer.js";

/**
 * @param result the image the item belongs to
 * @returns one line without its line break, or undefined when the item has no polygon to write
 */
export function toNdjsonLine(item: ResultItem, result: ImageResult, names: CategoryNames): string | undefined {
  const annotation = toCocoAnnotation(item, result, names);
  return annotation === undefined ? undefined : JSON.stringify(annotation);
}
