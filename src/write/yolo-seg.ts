/**
 * yolo-seg/: a data set for Ultralytics, ready to train on: `yolo segment train data=<out>/yolo-seg/data.yaml`.
 *
 * labels/<image>.txt has a line "<class> x1 y1 x2 y2 ..." per instance: at least three points, as shares of the image's
 * width and height. Polygons are cut at the border, because the trainer drops an image with one value outside 0..1. The
 * parts of a polygon that people made are joined by bridges of no width. Classes are 0..n-1 in the order of the
 * categories.
 *
 * images/ has links to the photographs, or copies where the disk has no links or they lie in a zip file; --link names
 * one way for all that lie in no zip file. The trainer finds labels by replacing
 * the last "/images/" of an image's path with "/labels/" and its ending with ".txt"; so no folder further down is
 * called "images". train.txt lists the images; data.yaml names it for train and val. An image whose instances all
 * failed is not listed, or the trainer would learn that there is nothing on it. Source: the pages "Instance
 * Segmentation Datasets Overview" and "Dataset YAML format" of Ultralytics' documentation.
 */
import { link, lstat, realpath, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cannotWrite } from "../errors.js";
import { AtomicFile, copyAtomic, relativePath, toWriteError, writeAtomic } from "../files/atomic-file.js";
import { readPacked } from "../files/archive.js";
import type { SafePath } from "../files/safe-path.js";
import { PathNames, toSafePath } from "../files/safe-path.js";
import type { Category, Id } from "../types.js";
import type { Region } from "./labels.js";
import { isSettled, labelOf, nameCategories, regionsOf } from "./labels.js";
import { clipRing, joinRings } from "./rings.js";
import type { AnnotationWriter, CategoryNames, FormatOptions, ImageResult, WriteContext } from "./writer.js";

type ImageSize = NonNullable<ImageResult["size"]>;

const FOLDER = "yolo-seg";
/** Millionths of the image: 0.002 pixels in 2048. */
const DECIMALS = 6;

export async function openYoloSegWriter(context: WriteContext): Promise<AnnotationWriter> {
  const folder = join(context.out, FOLDER);
  const names = nameCategories(context.categories);
  const classes = new ClassList(context.categories, names);
  const paths = new PathNames(".txt");
  const list = await AtomicFile.open(join(folder, "train.txt"));
  return {
    async image(result) {
      const path = toTrainerPath(toSafePath(result.image.fileName));
      const labelPath = paths.take(path);
      const regions = regionsOf(result, names);
      const { path: photograph, size } = result;
      if (photograph === undefined || size === undefined || !isSettled(result, regions)) return;
      const lines = regions.flatMap((region) => toLine(region, classes.indexOf(region), size) ?? []);
      const imagePath = labelPath.replace(/\.txt$/u, path.extension);
      await writeAtomic(join(folder, "labels", labelPath), lines.map((line) => `${line}\n`).join(""));
      await putPhotograph(photograph, join(folder, "images", imagePath), context.formatOptions?.link);
      await list.write(`./images/${imagePath}\n`);
    },
    async finish() {
      await list.commit();
      await writeAtomic(join(folder, "data.yaml"), dataYaml(classes, context.generator));
      return [`${FOLDER}/`];
    },
    abort: () => list.abort(),
  };
}

/** Class numbers without gaps, which COCO's category ids have. */
class ClassList {
  readonly names: string[] = [];
  readonly #indices = new Map<Id, number>();

  constructor(categories: readonly Category[], names: CategoryNames) {
    for (const { id } of categories) this.#add(id, labelOf(id, names));
  }

  /** A category that the data set does not list gets the next number. */
  indexOf({ categoryId, label }: Region): number {
    return this.#indices.get(categoryId) ?? this.#add(categoryId, label);
  }

  #add(id: Id, name: string): number {
    this.#indices.set(id, this.names.length);
    return this.names.push(name) - 1;
  }
}

/**
 * No folder is called "images", and none has a name that a photograph could have, because both are in one tree here.
 * Every photograph has an ending, because the trainer ignores files without one.
 */
function toTrainerPath(path: SafePath): SafePath {
  const folders = path.folders[0] === "images" ? path.folders.slice(1) : path.folders;
  return {
    ...path,
    folders: folders.map((folder) => (folder === "images" || /\.[^. ]+$/u.test(folder) ? `${folder}_` : folder)),
    extension: path.extension === "" ? ".jpg" : path.extension,
  };
}

function toLine({ polygon }: Region, classIndex: number, { width, height }: ImageSize): string | undefined {
  const ring = clipRing(joinRings(polygon), width, height);
  return ring && [classIndex, ...ring.flatMap(({ x, y }) => [toShare(x / width), toShare(y / height)])].join(" ");
}

function toShare(value: number): string {
  return String(Number(value.toFixed(DECIMALS)));
}

/** Without `path` the trainer takes the folder of data.yaml, wherever it was moved. */
function dataYaml({ names }: ClassList, generator: string): string {
  return [
    `# Made by ${escapeYaml(generator)}.`,
    "# val is the same list as train: split train.txt in two before judging a trained model.",
    "train: train.txt",
    "val: train.txt",
    names.length === 0 ? "names: {}" : "names:",
    ...names.map((name, index) => `  ${index}: "${escapeYaml(name)}"`),
    "",
  ].join("\n");
}

/** For double quotes: YAML accepts JSON's escapes, and needs more characters escaped than JSON. */
function escapeYaml(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(
      /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/gu,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/**
 * Replaces only an older link. Anything else of that name stays: it may be the photograph itself, where someone has put
 * their own folder in place of images/.
 */
async function putPhotograph(photograph: string, path: string, way: FormatOptions["link"]): Promise<void> {
  try {
    const target = await relativePath(dirname(path), photograph);
    const existing = await lstat(path).catch(() => undefined);
    if (existing?.isDirectory() === true)
      throw cannotWrite(`${path}: expected to link a photograph here, received a folder`, "Remove that folder.");
    if (existing?.isSymbolicLink() === false) return;
    // A link cannot lead into a zip file.
    const packed = await readPacked(photograph);
    if (packed !== undefined) {
      await writeAtomic(path, packed);
      return;
    }
    await rm(path, { force: true });
    const ways = {
      symlink: () => symlink(target, path),
      // Of the photograph, where what was found is itself a link to it.
      hard: async () => link(await realpath(photograph), path),
      copy: () => copyAtomic(photograph, path),
    };
    if (way !== undefined) {
      await ways[way]();
      return;
    }
    // Windows gives symbolic links to administrators only; hard links need one disk.
    await ways.symlink().catch(ways.hard).catch(ways.copy);
  } catch (error) {
    throw toWriteError(path, error);
  }
}
