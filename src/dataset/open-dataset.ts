/** Opens a data set: recognizes the format from what the box file or folder holds, and finds the images. */
import { count } from "../count.js";
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { invalidData, isAbsent, missingInput, reasonOf, receivedOf, usageError } from "../errors.js";
import { recognize, RECOGNIZED_BYTES } from "../files/recognize.js";
import { withoutRunOutputs } from "../files/run-layout.js";
import type { JsonValue } from "../types.js";
import type { CityscapesFormat } from "./cityscapes/dataset.js";
import { CITYSCAPES_ENDING, COARSE_ENDING, openCityscapes } from "./cityscapes/dataset.js";
import type { AnnotationSource } from "./coco/annotation.js";
import type { CocoIndex } from "./coco/file-index.js";
import { indexCoco } from "./coco/file-index.js";
import { readCoco } from "./coco/read-coco.js";
import { readCocoResults } from "./coco/read-results.js";
import type { Dataset, OpenDatasetOptions } from "./dataset.js";
import type { ForeignReader } from "./foreign/dataset.js";
import { openForeign } from "./foreign/dataset.js";
import type * as Formats from "./foreign/open.js";
import { PEEKED_BYTES, startOf } from "./foreign/format.js";
import { isLines } from "./foreign/ndjson.js";
import type { ImageFinder, Located } from "./find-images.js";
import { findImages } from "./find-images.js";
import { nameKey } from "./image-names.js";
import type { ByteFile } from "./json/byte-file.js";
import { openByteFile } from "./json/byte-file.js";
import { walkFolder } from "./walk-folder.js";

const LOOKED_FOR =
  "a COCO file (lists images, annotations and categories), " +
  "a COCO results list ([{ image_id, category_id, bbox, score }, ...]), " +
  "a Cityscapes file (imgWidth, imgHeight, objects with polygon or bboxVis), " +
  "or boxes of YOLO, Pascal VOC, KITTI, CVAT, LabelMe, Label Studio, CSV or lines of JSON";
const EXPORT_HINT = "Export the boxes in one of these formats, or pass another file.";

/**
 * @throws E_MISSING when boxes, images or the `--dataset` file are not there or cannot be read; E_DATA when the format
 *   is not recognized or the file is damaged as a whole; E_USAGE when `dataset` is given with boxes that name their
 *   images themselves; the signal's reason once it is aborted
 */
export async function openDataset(options: OpenDatasetOptions): Promise<Dataset> {
  const { boxes } = options;
  const found = await stat(boxes).catch((error: unknown) => {
    throw missingInput(
      `${boxes}: expected a box file or a folder of them, ` +
        `received ${isAbsent(error) ? "no such file" : reasonOf(error)}`,
      "Check the spelling and the folder the command runs in.",
      error,
    );
  });
  options.signal?.throwIfAborted();
  const finder = options.images === undefined ? NO_IMAGES : await findImages(options.images);
  options.signal?.throwIfAborted();
  if (found.isDirectory()) {
    refuseDataset(options, "a folder");
    return openFolder(options, finder);
  }
  return openFile(options, finder);
}

async function openFolder(options: OpenDatasetOptions, finder: ImageFinder): Promise<Dataset> {
  const { boxes, boxesAre } = options;
  const unit = boxesAre === undefined ? {} : { boxesAre };
  const all = await listFiles(boxes);
  const names = all.filter((path) => path.endsWith(".json"));
  const endingIn = (ending: string): string[] => names.filter((name) => name.endsWith(ending));
  const fine = endingIn(CITYSCAPES_ENDING.cityscapes);
  const coarse = endingIn(COARSE_ENDING);
  const persons = endingIn(CITYSCAPES_ENDING.citypersons);
  const kinds = [
    [fine, CITYSCAPES_ENDING.cityscapes],
    [coarse, COARSE_ENDING],
    [persons, CITYSCAPES_ENDING.citypersons],
  ] as const;
  const found = kinds.filter(([files]) => files.length > 0);
  if (found.length > 1) {
    throw invalidData(
      `${boxes}: expected files of one kind, ` +
        `received ${found.map(([files, ending]) => `${files.length} *${ending}`).join(" and ")}`,
      "Pass the folder of one kind: gtFine, gtCoarse or gtBboxCityPersons.",
    );
  }
  const [ours] = found;
  const { openForeignFolder } = await formats();
  const foreign = await openForeignFolder(all, options);
  if (foreign !== undefined && ours !== undefined) {
    await foreign.close();
    throw invalidData(
      `${boxes}: expected files of one format, received ${count(ours[0].length, "file")} *${ours[1]} and others of ${foreign.format}`,
      "Pass the folder of one of them.",
    );
  }
  if (foreign !== undefined) return openReader(foreign, options, finder);
  refuseFromOne(options, "cityscapes");
  const polygons = fine.length > 0 ? fine : coarse;
  if (polygons.length > 0)
    return openCityscapes({ boxes, format: "cityscapes", folder: boxes, names: polygons, ...unit }, finder);
  if (persons.length > 0)
    return openCityscapes({ boxes, format: "citypersons", folder: boxes, names: persons, ...unit }, finder);
  const shown = all.slice(0, 3).map(receivedOf).join(", ");
  const others =
    all.length === 0 ? "no file" : `${count(all.length, "other file")} (${await whatIs(boxes, all, shown)})`;
  throw invalidData(
    `${boxes}: expected *${CITYSCAPES_ENDING.cityscapes}, *${COARSE_ENDING} or *${CITYSCAPES_ENDING.citypersons} ` +
      `at any depth, or boxes of YOLO, Pascal VOC, KITTI, LabelMe or CVAT, received ${others}`,
    "A COCO, CSV or Label Studio file is passed by its own name, not by its folder.",
  );
}

/** @param shown names of the first files; the first is described by its bytes where they say more */
async function whatIs(folder: string, names: readonly string[], shown: string): Promise<string> {
  const file = await openByteFile(join(folder, names[0]!), "box file");
  try {
    const bytes = Buffer.alloc(Math.min(RECOGNIZED_BYTES, file.size));
    await file.read(bytes, 0);
    const found = recognize(bytes);
    return found === undefined ? shown : `${shown}; the first is ${found.what}`;
  } finally {
    await file.close();
  }
}

/** @throws E_DATA or E_USAGE, after the reader's files were closed */
async function openReader(reader: ForeignReader, options: OpenDatasetOptions, finder: ImageFinder): Promise<Dataset> {
  try {
    refuseFromOne(options, reader.format);
    return await openForeign(reader, options, finder);
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** Files at any depth, relative, in a fixed order, without those that an earlier run wrote. */
async function listFiles(folder: string): Promise<readonly string[]> {
  try {
    const paths: string[] = [];
    for await (const { path } of walkFolder(folder)) paths.push(path);
    return withoutRunOutputs(paths.sort());
  } catch (error) {
    throw missingInput(
      `${folder}: expected folders that can be read, received ${reasonOf(error)}`,
      "Check the permissions of the folder.",
      error,
    );
  }
}

async function openFile(options: OpenDatasetOptions, finder: ImageFinder): Promise<Dataset> {
  const { boxes, signal } = options;
  const opened = await openByteFile(boxes, "box file");
  let isOpening = true;
  const file: ByteFile = {
    ...opened,
    read(target, offset) {
      if (isOpening) signal?.throwIfAborted();
      return opened.read(target, offset);
    },
  };
  try {
    const input = { file, options, below: listFiles };
    const foreign = (await isWholeJson(file)) ? undefined : await (await formats()).openForeignFile(input);
    if (foreign !== undefined) {
      refuseDataset(options, `a file of ${foreign.format}`);
      return await openReader(foreign, options, finder);
    }
    const index = await indexCoco(file);
    refuseForeign(index);
    const { root, keys } = index.outline;
    const isResults = index.imageIds.count > 0 && index.categoryIds.count > 0;
    const isCoco = ["images", "annotations", "categories"].every((name) => index.outline.counts.has(name));
    const isOther = !isCoco && !isResults;
    const other = isOther ? await (await formats()).openForeignJson(input, { root, keys, isResults }) : undefined;
    if (other !== undefined) {
      refuseDataset(options, `a file of ${other.format}`);
      return await openReader(other, options, finder);
    }
    refuseFromOne(options, "coco");
    // Before another file is opened, which would stay open.
    refuseRelative(index, options);
    if (index.outline.root === "list") return inUnit(await openResults(index, options, finder), options);
    if (isCoco) {
      refuseDataset(options, "a COCO file");
      return inUnit(readCoco(index, finder, sizeOfImage(options)), options);
    }
    const format = recognizeCityscapes(index, boxes);
    if (format === undefined) throw notRecognized(index);
    refuseDataset(options, "a Cityscapes file");
    const unit = options.boxesAre === undefined ? {} : { boxesAre: options.boxesAre };
    const source = { boxes, format, folder: dirname(boxes), names: [basename(boxes)], ...unit };
    const dataset = await openCityscapes(source, finder);
    await file.close();
    return dataset;
  } catch (error) {
    await file.close();
    throw error;
  } finally {
    isOpening = false;
  }
}

/** The formats of other tools come with parsers that take a while to load. */
const formats = async (): Promise<typeof Formats> => import("./foreign/open.js");

/** Whether a file begins as one JSON document. */
async function isWholeJson(file: ByteFile): Promise<boolean> {
  const bytes = Buffer.alloc(Math.min(PEEKED_BYTES, file.size));
  const start = startOf(bytes.toString("utf8", 0, await file.read(bytes, 0)), file.path);
  return start.ending === ".json" && /^[{[]/u.test(start.text) && !isLines(start);
}

/** @throws E_USAGE where pixels are counted from 1 and the format counts them from 0 */
export function refuseFromOne({ boxesAre, boxes }: OpenDatasetOptions, format: string): void {
  if (boxesAre !== "pixels-from-1" || format === "voc") return;
  throw usageError(
    `--boxes-are pixels-from-1: expected only with Pascal VOC, received together with ${boxes}`,
    "Leave --boxes-are out.",
  );
}

/** @throws E_DATA when the boxes look relative and nobody said what they are */
function refuseRelative({ boxes, file }: CocoIndex, { boxesAre }: OpenDatasetOptions): void {
  const problem = boxesAre === undefined ? boxes.problem(file.path) : undefined;
  if (problem !== undefined) throw problem;
}

function inUnit(dataset: Dataset, options: OpenDatasetOptions): Dataset {
  return options.boxesAre === "relative" ? { ...dataset, sha256: relativeHash(dataset.sha256) } : dataset;
}

/** The same bytes with another meaning of their boxes are another input. */
function relativeHash(sha256: string): string {
  return createHash("sha256").update(`${sha256}\nrelative boxes`).digest("hex");
}

/** @returns undefined where boxes are in pixels and nothing needs scaling */
function sizeOfImage({ boxesAre, imageSize }: OpenDatasetOptions): AnnotationSource["sizeOf"] {
  if (boxesAre !== "relative") return undefined;
  return async ({ width, height }, location) =>
    width !== undefined && height !== undefined ? { width, height } : imageSize?.(location);
}

/** COCO's other kinds of annotations have no boxes. */
function refuseForeign({ file, foreign, annotations }: CocoIndex): void {
  const of = (some: number): string => `${some} of ${count(annotations.count, "annotation")}`;
  if (foreign.segments_info > 0 && foreign.segments_info >= annotations.count / 2)
    throw invalidData(
      `${file.path}: expected boxes, received a panoptic file (${of(foreign.segments_info)} with segments_info and no bbox)`,
      "Pass the instances file of the same data set (instances_*.json), or convert the segments to instances.",
    );
  if (foreign.caption > 0 && foreign.caption >= annotations.count / 2)
    throw invalidData(
      `${file.path}: expected boxes, received a file of captions (${of(foreign.caption)} with a caption and no bbox)`,
      "Pass the instances file of the same data set (instances_*.json).",
    );
}

async function openResults(index: CocoIndex, options: OpenDatasetOptions, finder: ImageFinder): Promise<Dataset> {
  const { dataset } = options;
  const sizeOf = sizeOfImage(options);
  if (dataset === undefined) return readCocoResults(index, undefined, finder, sizeOf);
  const file = await openByteFile(dataset, "COCO file of --dataset");
  try {
    const named = await indexCoco(file, "images");
    const lacking = ["images", "categories"].filter((name) => !named.outline.counts.has(name));
    if (lacking.length > 0) {
      throw invalidData(
        `${dataset}: expected a COCO file with the lists images and categories, ` +
          `received one without ${lacking.join(" and ")}`,
        "Pass the COCO file the detector was run on.",
      );
    }
    return await readCocoResults(index, named, finder, sizeOf);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function recognizeCityscapes({ header }: CocoIndex, boxes: string): CityscapesFormat | undefined {
  const { objects } = header;
  if (!("imgWidth" in header && "imgHeight" in header && Array.isArray(objects))) return undefined;
  const has = (name: string): boolean =>
    objects.some((object: JsonValue) => typeof object === "object" && object !== null && name in object);
  if (has("bboxVis")) return "citypersons";
  if (has("polygon")) return "cityscapes";
  if (objects.length > 0) return undefined;
  return boxes.endsWith(CITYSCAPES_ENDING.citypersons) ? "citypersons" : "cityscapes";
}

function notRecognized({ file, outline, header }: CocoIndex): Error {
  const { keys } = outline;
  const shown = keys.slice(0, 10).map((key) => {
    const value =
      Object.hasOwn(header, key) && ["images", "annotations", "categories"].includes(key) ? header[key] : undefined;
    return value === undefined ? receivedOf(key) : `${receivedOf(key)} (${receivedOf(value)})`;
  });
  const received =
    keys.length === 0
      ? "an empty object"
      : `an object with ${shown.join(", ")}${keys.length > 10 ? ` and ${keys.length - 10} more` : ""}`;
  return invalidData(`${file.path}: expected ${LOOKED_FOR}, received ${received}`, EXPORT_HINT);
}

function refuseDataset({ dataset, boxes }: OpenDatasetOptions, kind: string): void {
  if (dataset === undefined) return;
  throw usageError(
    `--dataset ${dataset}: expected only with a COCO results list, received together with ${kind} (${boxes})`,
    "Leave --dataset out: these boxes name their images themselves.",
  );
}

/**
 * Stands in for the image folder where a command needs annotations only. Every look-up fails, and no folder is walked.
 */
const NO_IMAGES: ImageFinder = {
  folder: "",
  count: 0,
  locate: (fileName) => Promise.resolve(notSearched(fileName)),
  locateStem: (stem) => Promise.resolve(notSearched(stem)),
  locateNumber: (id) => Promise.resolve(notSearched(id)),
  keyOf: nameKey,
};

function notSearched(wanted: string | number): Located {
  const message =
    `image ${receivedOf(wanted)}: expected an image folder to look in, received none. ` +
    "Name the folder of the images.";
  return { kind: "failed", failure: { reason: "image-missing", message } };
}
