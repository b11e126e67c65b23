/**
 * COCO instances file: images in file order, each with its annotations in file order, read by byte range as they are
 * needed. Source: the COCO data format, https://cocodataset.org/#format-data
 */
import type { Dataset } from "../dataset.js";
import type { ImageFinder } from "../find-images.js";
import type { AnnotationSource } from "./annotation.js";
import type { CocoIndex } from "./file-index.js";
import { groupAnnotations } from "./groups.js";
import { recordedImages } from "./images.js";

/** Closing the data set closes the file. @throws E_DATA for unusable image records or categories */
export function readCoco(index: CocoIndex, finder: ImageFinder, sizeOf?: AnnotationSource["sizeOf"]): Dataset {
  const { file, imageIds } = index;
  const table = index.images.finish(file.path);
  const categories = index.categories();
  const images = recordedImages(file, table, finder);
  const known = new Set(categories.map((category) => category.id));
  const groups = groupAnnotations({
    file,
    index: index.annotations,
    imageIds,
    images,
    positionOf: (id) => table.positionOf(id),
    source: { file: file.path, format: "coco", categories: known, ...(sizeOf !== undefined && { sizeOf }) },
  });
  return {
    format: "coco",
    source: file.path,
    categories,
    header: index.header,
    imageCount: table.count,
    annotationCount: groups.annotationCount,
    sha256: index.outline.sha256,
    groups: (parts) => groups.walk(parts),
    imageKey: (fileName) => finder.keyOf(fileName),
    close: () => file.close(),
  };
}
