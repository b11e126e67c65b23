/**
 * A set of Cityscapes or CityPersons files, one per image: `<split>/<city>/<city>_<seq>_<frame>_gtFine_polygons.json`
 * beside `leftImg8bit/<split>/<city>/<city>_<seq>_<frame>_leftImg8bit.png`. Images and box files may be in separate
 * folders. Opening reads every file once to count objects and to hash; walking reads them again, one at a time.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { basename, dirname } from "node:path/posix";
import { invalidData, PolyrnnError, usageError } from "../../errors.js";
import { isJsonObject } from "../../foreign.js";
import type { Failure, JsonValue } from "../../types.js";
import type { PlacedImage } from "../coco/images.js";
import type { Dataset, Entry, ImageGroup } from "../dataset.js";
import type { ImageFinder, Located } from "../find-images.js";
import type { BoxUnit } from "../relative-boxes.js";
import { annotationInPixels, BoxCounter } from "../relative-boxes.js";
import type { CityscapesFile } from "./file.js";
import { readCityscapesFile } from "./file.js";
import { CITYPERSONS_CATEGORIES, CITYSCAPES_CATEGORIES, OwnLabels } from "./labels.js";
import { countCityPersonsObjects, readCityPersonsObjects } from "./read-citypersons.js";
import { countCityscapesObjects, readCityscapesObjects } from "./read-cityscapes.js";

export type CityscapesFormat = "cityscapes" | "citypersons";

export const CITYSCAPES_ENDING = {
  cityscapes: "_gtFine_polygons.json",
  citypersons: "_gtBboxCityPersons.json",
} as const;

/** The coarse outlines of Cityscapes: the same format, and for most images there are no others. */
export const COARSE_ENDING = "_gtCoarse_polygons.json";

const FORMATS = {
  cityscapes: { categories: CITYSCAPES_CATEGORIES, count: countCityscapesObjects, read: readCityscapesObjects },
  citypersons: { categories: CITYPERSONS_CATEGORIES, count: countCityPersonsObjects, read: readCityPersonsObjects },
} as const;

interface CityscapesSource {
  /** As the user gave it. */
  readonly boxes: string;
  readonly format: CityscapesFormat;
  /** Folder the names are relative to. */
  readonly folder: string;
  /** Names of the files, "/" between parts, in the order they are walked. */
  readonly names: readonly string[];
  /** Of the boxes of CityPersons; see `OpenDatasetOptions`. */
  readonly boxesAre?: BoxUnit;
}

/** What is remembered of a file between opening and walking. */
interface IndexedFile {
  readonly name: string;
  readonly path: string;
  readonly firstOrdinal: number;
  /** sha256 of the file; or why it could not be read, which counts as one failed annotation. */
  readonly contents: { readonly sha256: string } | { readonly failure: Failure };
}

/** @throws the error of the first file, E_DATA or E_MISSING, when none of the files can be read */
export async function openCityscapes(source: CityscapesSource, finder: ImageFinder): Promise<Dataset> {
  const format = FORMATS[source.format];
  if (source.boxesAre === "relative" && source.format === "cityscapes")
    throw usageError(
      `--boxes-are relative: expected boxes, received Cityscapes polygons, which are in pixels (${source.boxes})`,
      "Leave --boxes-are out.",
    );
  const boxes = new BoxCounter();
  const ownLabels = new OwnLabels();
  const hash = createHash("sha256");
  const files: IndexedFile[] = [];
  let annotationCount = 0;
  let firstError: PolyrnnError | undefined;
  for (const name of source.names) {
    const path = join(source.folder, name);
    const read = await tryToRead(path);
    if (read instanceof PolyrnnError) firstError ??= read;
    const contents = read instanceof PolyrnnError ? { failure: toFailure(read) } : { sha256: read.sha256 };
    files.push({ name, path, firstOrdinal: annotationCount, contents });
    hash.update(`${name}\n${"sha256" in contents ? contents.sha256 : "unreadable"}\n`);
    annotationCount += read instanceof PolyrnnError ? 1 : format.count(read);
    if (!(read instanceof PolyrnnError) && source.format === "citypersons")
      for (const object of read.objects) boxes.note(fieldOf(object, "bboxVis"));
    if (!(read instanceof PolyrnnError) && source.format === "cityscapes")
      for (const object of read.objects) if (!isDeleted(object)) ownLabels.note(fieldOf(object, "label"));
  }
  if (firstError !== undefined && files.every(({ contents }) => "failure" in contents)) throw firstError;
  const problem = source.boxesAre === undefined ? boxes.problem(source.boxes) : undefined;
  if (problem !== undefined) throw problem;
  if (source.boxesAre === "relative") hash.update("relative boxes");

  async function* groups(): AsyncGenerator<ImageGroup> {
    for (const [i, file] of files.entries()) yield readGroup(file, i + 1, { ...source, ownLabels }, finder);
  }
  return {
    format: source.format,
    source: source.boxes,
    categories: [...format.categories, ...ownLabels.categories()],
    header: {},
    imageCount: files.length,
    annotationCount,
    sha256: hash.digest("hex"),
    groups,
    imageKey: (fileName) => finder.keyOf(fileName),
    close: () => Promise.resolve(),
  };
}

async function tryToRead(path: string): Promise<CityscapesFile | PolyrnnError> {
  try {
    return await readCityscapesFile(path);
  } catch (error) {
    if (error instanceof PolyrnnError) return error;
    throw error;
  }
}

/** @param imageId number of the file, from 1: the format has no ids of its own */
async function readGroup(
  indexed: IndexedFile,
  imageId: number,
  { format, boxesAre, ownLabels }: CityscapesSource & { readonly ownLabels: OwnLabels },
  finder: ImageFinder,
): Promise<ImageGroup> {
  const { name, path, contents, firstOrdinal } = indexed;
  if ("failure" in contents) {
    const entry: Entry = {
      kind: "failed",
      ordinal: firstOrdinal,
      annotationId: firstOrdinal + 1,
      imageId,
      raw: {},
      failure: contents.failure,
    };
    return { ...(await placeImage(name, imageId, undefined, finder)), entries: [entry] };
  }
  const file = await readCityscapesFile(path);
  if (file.sha256 !== contents.sha256) {
    throw invalidData(
      `${path}: expected the file to stay as it was when the run began, received other contents`,
      "Something writes to the file: let it finish, then run again.",
    );
  }
  const scaled = boxesAre === "relative" ? { ...file, objects: file.objects.map((one) => inPixels(one, file)) } : file;
  return {
    ...(await placeImage(name, imageId, file, finder)),
    entries: FORMATS[format].read({ ...scaled, ownLabels }, path, imageId, firstOrdinal),
  };
}

function fieldOf(object: JsonValue, name: string): JsonValue | undefined {
  return isJsonObject(object) ? object[name] : undefined;
}

function isDeleted(object: JsonValue): boolean {
  const deleted = fieldOf(object, "deleted");
  return deleted === 1 || deleted === true;
}

/** A person with both boxes in pixels. */
function inPixels(object: JsonValue, size: CityscapesFile): JsonValue {
  if (!isJsonObject(object)) return object;
  return annotationInPixels(object, size);
}

async function placeImage(
  name: string,
  id: number,
  file: CityscapesFile | undefined,
  finder: ImageFinder,
): Promise<PlacedImage> {
  const stem = stemOf(name);
  const location = await locate(stem, finder);
  const fileName = location.kind === "file" ? location.name : `${stem}_leftImg8bit.png`;
  if (file === undefined) return { image: { id, fileName, raw: { id, file_name: fileName } }, location };
  const { width, height, header } = file;
  return {
    image: { id, fileName, width, height, raw: { id, file_name: fileName, width, height, ...header } },
    location,
  };
}

/** Other data sets in this layout may lack the suffix. */
async function locate(stem: string, finder: ImageFinder): Promise<Located> {
  const usual = await finder.locateStem(`${stem}_leftImg8bit`);
  if (usual.kind === "file" || usual.failure.reason !== "image-missing") return usual;
  const bare = await finder.locateStem(stem);
  return bare.kind === "file" ? bare : usual;
}

/** "gtFine/val/ulm/ulm_000000_000019_gtFine_polygons.json" -> "val/ulm/ulm_000000_000019" */
function stemOf(name: string): string {
  const ending = [...Object.values(CITYSCAPES_ENDING), COARSE_ENDING].find((known) => name.endsWith(known)) ?? ".json";
  const file = basename(name, name.endsWith(ending) ? ending : "");
  const folders = dirname(name)
    .split("/")
    .filter((part) => part !== "." && !/^gt[A-Z]/.test(part));
  return [...folders, file].join("/");
}

function toFailure(error: PolyrnnError): Failure {
  return { reason: "annotation-invalid", message: `${error.message}. ${error.hint}` };
}
