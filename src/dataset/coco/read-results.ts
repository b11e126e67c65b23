/**
 * COCO results list, [{ image_id, category_id, bbox, score }, ...], as detectors write it: it names neither images nor
 * categories.
 *
 * Both come from a COCO file (`--dataset`). Without one, image ids are taken for the names of image files, with or
 * without extension, numbers for names that are this number (139: 000000000139.jpg), and categories are called
 * "category 3". Source: the COCO results format, https://cocodataset.org/#format-results
 */
import { createHash } from "node:crypto";
import { invalidData, receivedOf } from "../../errors.js";
import type { Category, Id } from "../../types.js";
import type { Dataset } from "../dataset.js";
import type { ImageFinder, Located } from "../find-images.js";
import type { AnnotationSource } from "./annotation.js";
import type { CocoIndex } from "./file-index.js";
import { groupAnnotations } from "./groups.js";
import type { ImageSource, PlacedImage } from "./images.js";
import { recordedImages } from "./images.js";

/** Images and categories a results list refers to. */
interface Names {
  readonly images: ImageSource;
  readonly positionOf: (id: Id) => number | undefined;
  readonly categories: readonly Category[];
}

/**
 * Closing the data set closes both files.
 * @param dataset index of the COCO file with `images` and `categories`
 * @throws E_DATA when the list holds something else than results, or the COCO file lacks a part
 */
export async function readCocoResults(
  index: CocoIndex,
  dataset: CocoIndex | undefined,
  finder: ImageFinder,
  sizeOf?: AnnotationSource["sizeOf"],
): Promise<Dataset> {
  const { file } = index;
  checkIsResults(index);
  const names = dataset === undefined ? await namesFromFiles(index, finder) : namesFromDataset(dataset, finder);
  const source = {
    file: file.path,
    format: "coco-results",
    categories: new Set(names.categories.map((category) => category.id)),
    ...(sizeOf !== undefined && { sizeOf }),
  } as const;
  const groups = groupAnnotations(file, index.annotations, index.imageIds, names.images, names.positionOf, source);
  return {
    format: "coco-results",
    source: file.path,
    categories: names.categories,
    header: dataset?.header ?? {},
    imageCount: names.images.count,
    annotationCount: groups.annotationCount,
    sha256: dataset === undefined ? index.outline.sha256 : hashOf(index.outline.sha256, dataset.outline.sha256),
    groups: () => groups.walk(),
    imageKey: (fileName) => finder.keyOf(fileName),
    async close() {
      await Promise.all([file.close(), dataset?.file.close()]);
    },
  };
}

/** An empty list has nothing to recognize it by, and nothing to do. */
function checkIsResults({ file, annotations, imageIds }: CocoIndex): void {
  if (annotations.count === 0 || imageIds.count > 0) return;
  throw invalidData(
    `${file.path}: expected a COCO results list, [{ image_id, category_id, bbox, score }, ...], received a list of ${annotations.count} in which nothing has an image_id`,
    "Pass detections as COCO results, or boxes as a COCO file.",
  );
}

function namesFromDataset(dataset: CocoIndex, finder: ImageFinder): Names {
  const table = dataset.images.finish(dataset.file.path);
  return {
    images: recordedImages(dataset.file, table, finder),
    positionOf: (id) => table.positionOf(id),
    categories: dataset.categories(),
  };
}

/** One image per id of the list, in order of first appearance. */
async function namesFromFiles(index: CocoIndex, finder: ImageFinder): Promise<Names> {
  const placed: PlacedImage[] = [];
  const positions = new Map<Id, number>();
  for (const id of index.imageIds.all()) {
    const located = await locateId(id, finder);
    const fileName = located.kind === "file" ? located.name : String(id);
    positions.set(
      id,
      placed.push({ image: { id, fileName, raw: { id, file_name: fileName } }, location: located }) - 1,
    );
  }
  const categories = index.categoryIds.all().map((id): Category => {
    const name = `category ${id}`;
    return { id, name, raw: { id, name } };
  });
  const images: ImageSource = { count: placed.length, load: (from, to) => Promise.resolve(placed.slice(from, to)) };
  return { images, positionOf: (id) => positions.get(id), categories };
}

async function locateId(id: Id, finder: ImageFinder): Promise<Located> {
  if (typeof id === "number") return withAdvice(await finder.locateNumber(id), id);
  const named = await finder.locate(id);
  if (named.kind === "file" || named.failure.reason !== "image-missing") return named;
  return withAdvice(await finder.locateStem(id), id);
}

function withAdvice(located: Located, id: Id): Located {
  if (located.kind === "file") return located;
  const { reason, message } = located.failure;
  return {
    kind: "failed",
    failure: {
      reason,
      message: `${message} Or name the COCO file image_id ${receivedOf(id)} belongs to with --dataset.`,
    },
  };
}

function hashOf(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}
