/**
 * COCO results list, [{ image_id, category_id, bbox, score }, ...], as detectors write it: it names neither images nor
 * categories.
 *
 * Both come from a COCO file (`--dataset`); image ids that are text and no id of it are taken for file names of its
 * images, with or without folders and extension. Without one, image ids are taken for the names of image files, with or
 * without extension; a number stands for a file name that is this number (139: 000000000139.jpg). Categories are then
 * called "category 3". Source: the COCO results format, https://cocodataset.org/#format-results
 */
import { createHash } from "node:crypto";
import { invalidData, receivedOf } from "../../errors.js";
import type { Category, Id } from "../../types.js";
import type { Dataset } from "../dataset.js";
import type { ImageFinder, Located } from "../find-images.js";
import type { ByteFile } from "../json/byte-file.js";
import { ImageIndex } from "../image-index.js";
import { readingsOf } from "../image-names.js";
import type { AnnotationSource } from "./annotation.js";
import type { AnnotationIndex, ImageTable } from "./columns.js";
import type { CocoIndex } from "./file-index.js";
import { groupAnnotations } from "./groups.js";
import type { ImageSource, PlacedImage } from "./images.js";
import { readRecords, recordedImages } from "./images.js";

/** Images and categories a results list refers to. */
interface Names {
  readonly images: ImageSource;
  readonly positionOf: (id: Id) => number | undefined;
  readonly categories: readonly Category[];
}

/**
 * Closing the data set closes both files.
 * @param dataset index of the COCO file with `images` and `categories`
 * @throws E_DATA when the list holds anything but results, or the COCO file lacks a part
 */
export async function readCocoResults(
  index: CocoIndex,
  dataset: CocoIndex | undefined,
  finder: ImageFinder,
  sizeOf?: AnnotationSource["sizeOf"],
): Promise<Dataset> {
  const { file } = index;
  checkIsResults(index);
  const names =
    dataset === undefined ? await namesFromFiles(index, finder) : await namesFromDataset(index, dataset, finder);
  const source = {
    file: file.path,
    format: "coco-results",
    categories: new Set(names.categories.map((category) => category.id)),
    ...(sizeOf !== undefined && { sizeOf }),
  } as const;
  const groups = groupAnnotations({ ...names, file, index: index.annotations, imageIds: index.imageIds, source });
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

/** An empty list passes: there is nothing to recognize it by, and nothing to do. */
function checkIsResults({ file, annotations, imageIds }: CocoIndex): void {
  if (annotations.count === 0 || imageIds.count > 0) return;
  throw invalidData(
    `${file.path}: expected a COCO results list, [{ image_id, category_id, bbox, score }, ...], ` +
      describeNoImageIds(annotations),
    annotations.unusableImageId === undefined
      ? "Pass detections as COCO results, or boxes as a COCO file."
      : "Write the image ids as text or as smaller numbers.",
  );
}

/** For a list of which nothing names an image that this program could tell from another. */
export function describeNoImageIds({ count, unusableImageId }: AnnotationIndex): string {
  return unusableImageId === undefined
    ? `received a list of ${count} in which nothing has an image_id`
    : `with an image_id that is text or an integer up to 2^53, received ${unusableImageId}`;
}

async function namesFromDataset(index: CocoIndex, dataset: CocoIndex, finder: ImageFinder): Promise<Names> {
  const table = dataset.images.finish(dataset.file.path);
  const names = index.imageIds.all().filter((id) => typeof id === "string" && table.positionOf(id) === undefined);
  const byName = names.length === 0 ? undefined : await positionsByName(dataset.file, table);
  return {
    images: recordedImages(dataset.file, table, finder),
    positionOf: (id) => table.positionOf(id) ?? (typeof id === "string" ? byName?.(id) : undefined),
    categories: dataset.categories(),
  };
}

/** Records read together. */
const RECORDS_AT_ONCE = 1024;

/**
 * @returns a look-up by file name, with or without folders and extension, by the rule that finds image files; undefined
 *   for a name of no image, and for one of several
 */
async function positionsByName(file: ByteFile, table: ImageTable): Promise<(name: string) => number | undefined> {
  const index = new ImageIndex();
  const positions = new Map<string, number | undefined>();
  for (let from = 0; from < table.count; from += RECORDS_AT_ONCE) {
    for (const [i, { image }] of (await readRecords(file, table, from, from + RECORDS_AT_ONCE)).entries()) {
      for (const name of readingsOf(image.fileName).slice(-1)) {
        if (!positions.has(name)) index.add(name);
        positions.set(name, positions.has(name) ? undefined : from + i);
      }
    }
  }
  return (id) => {
    for (const name of readingsOf(id)) {
      const match = index.findName(name) ?? index.findStem(name);
      if (match?.kind === "one") return positions.get(match.path);
    }
    return undefined;
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
    const name = typeof id === "string" && id.trim() !== "" ? id : `category ${id}`;
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
