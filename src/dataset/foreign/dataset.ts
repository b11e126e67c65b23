/**
 * A data set in a format of other tools. A reader of such a format gives images with objects whose boxes, polygons and
 * labels are put as COCO has them; from there on everything is judged as in a COCO file. The input is walked once to
 * count, to collect labels and to hash, and again for every walk, so that memory holds a few numbers per image.
 */
import { createHash } from "node:crypto";
import { invalidData, receivedOf, usageError } from "../../errors.js";
import { joinFields } from "../../json-text.js";
import type { Category, FailReason, Id, ImageRecord, JsonObject, SkipReason } from "../../types.js";
import { judgeAnnotation, rejectAnnotation } from "../coco/annotation.js";
import type { Dataset, DatasetFormat, Entry, ImageGroup, ImageSize, OpenDatasetOptions } from "../dataset.js";
import type { ImageFinder, Located } from "../find-images.js";
import { annotationInPixels, BoxCounter } from "../relative-boxes.js";

/** One box or outline, as COCO has them. */
export interface ForeignObject {
  /** Place in the file, for messages: "line 3", "object[2]". */
  readonly at: string;
  /** Name of the category, or its number in the reader's `classes`; undefined where the file has none. */
  readonly label: string | number | undefined;
  /** `bbox`, `segmentation` where there is one, and whatever else is to come out again. */
  readonly fields: JsonObject;
  /** Why the object is no box. */
  readonly problem?: { readonly reason: FailReason; readonly message: string };
  readonly skip?: SkipReason;
}

export interface ForeignImage {
  /** Name of the image file; or, where the format has none, its name without extension. */
  readonly name: string | { readonly stem: string };
  /** Looked for where `name` is not found: the name of the box file without extension. */
  readonly otherStem?: string;
  /** The file the objects are in; opens messages. */
  readonly path: string;
  /** Pixels, as far as the file says them. */
  readonly width?: number;
  readonly height?: number;
  /** Fields of the image that come out again. */
  readonly fields: JsonObject;
  readonly objects: readonly ForeignObject[];
  /** Why the file could not be read: counts as one failed annotation. */
  readonly failure?: string;
  /** Of the bytes it was read from. */
  readonly sha256: string;
}

export interface ForeignReader {
  readonly format: DatasetFormat;
  /** As the user gave it. */
  readonly source: string;
  /** True: the coordinates are shares of the image's width and height, by the format. */
  readonly isRelative: boolean;
  /** Names by number, for labels that are numbers. */
  readonly classes?: ReadonlyMap<number, string>;
  /** What else decides about the boxes, such as the list of classes; part of the hash. */
  readonly identity?: string;
  /** What the user should know of how the input was read, a line each. */
  readonly notes?: readonly string[];
  /** The same two in their place, where only all files together tell: asked once, after the first whole walk. */
  readonly learned?: () => { readonly identity: string; readonly notes: readonly string[] };
  /** Every image once, in the order of the input; the same each time. */
  walk(): AsyncIterable<ForeignImage>;
  close(): Promise<void>;
}

/** More names than any data set has; beyond them the column is something else. */
const MOST_CATEGORIES = 100_000;

/**
 * @throws E_DATA when boxes look relative and nobody said what they are, or when no file can be read; E_USAGE when
 *   `--boxes-are pixels` meets a format whose boxes are relative
 */
export async function openForeign(
  reader: ForeignReader,
  options: OpenDatasetOptions,
  finder: ImageFinder,
): Promise<Dataset> {
  const isRelative = reader.isRelative || options.boxesAre === "relative";
  if (reader.isRelative && options.boxesAre === "pixels")
    throw usageError(
      `--boxes-are pixels: expected relative, received boxes whose format has them relative (${reader.source})`,
      "Leave --boxes-are out.",
    );
  const categories = new CategoryTable(reader);
  const boxes = new BoxCounter();
  const hash = createHash("sha256").update(`${reader.format}\n${isRelative ? "relative" : "pixels"}\n`);
  if (reader.identity !== undefined) hash.update(`${reader.identity}\n`);
  const digests = new Digests();
  let annotationCount = 0;
  let firstFailure: string | undefined;
  let failed = 0;
  for await (const image of reader.walk()) {
    digests.add(image.sha256);
    hash.update(`${receivedName(image)}\n${image.sha256}\n`);
    annotationCount += image.failure === undefined ? image.objects.length : 1;
    if (image.failure !== undefined) {
      firstFailure ??= image.failure;
      failed++;
    }
    for (const { label, fields, problem } of image.objects) {
      if (label !== undefined) categories.note(label);
      if (problem === undefined) boxes.note(fields["bbox"]);
    }
  }
  if (firstFailure !== undefined && failed === digests.count)
    throw invalidData(firstFailure, "Export the boxes again, or pass another file.");
  const problem = !isRelative && options.boxesAre === undefined ? boxes.problem(reader.source) : undefined;
  if (problem !== undefined) throw problem;

  const learned = reader.learned?.();
  if (learned !== undefined) hash.update(`${learned.identity}\n`);
  const notes = reader.notes ?? learned?.notes;

  async function* groups(): AsyncGenerator<ImageGroup> {
    let number = 0;
    let ordinal = 0;
    for await (const image of reader.walk()) {
      if (!digests.holds(number, image.sha256))
        throw invalidData(
          `${image.path}: expected the file to stay as it was when the run began, received other contents`,
          "Something writes to the file: let it finish, then run again.",
        );
      number++;
      const group = await readGroup(image, { number, ordinal, isRelative, categories, options, finder });
      ordinal += group.entries.length;
      yield group;
    }
  }
  return {
    format: reader.format,
    source: reader.source,
    categories: categories.all(),
    header: {},
    imageCount: digests.count,
    annotationCount,
    sha256: hash.digest("hex"),
    ...(notes !== undefined && { notes }),
    groups,
    imageKey: (fileName) => finder.keyOf(fileName),
    close: () => reader.close(),
  };
}

/** Bytes of a hash that are kept of each image. */
const KEPT_BYTES = 8;

/** Beginnings of the images' hashes, one after the other: a buffer for each would take ten times the memory. */
class Digests {
  private bytes = Buffer.alloc(1024 * KEPT_BYTES);
  count = 0;

  add(sha256: string): void {
    const at = this.count * KEPT_BYTES;
    if (at === this.bytes.length) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(at)]);
    this.bytes.write(sha256.slice(0, 2 * KEPT_BYTES), at, "hex");
    this.count++;
  }

  holds(number: number, sha256: string): boolean {
    const at = number * KEPT_BYTES;
    return number < this.count && this.bytes.toString("hex", at, at + KEPT_BYTES) === sha256.slice(0, 2 * KEPT_BYTES);
  }
}

interface GroupPlace {
  /** Of the image, from 1: its id. */
  readonly number: number;
  /** Of the first entry. */
  readonly ordinal: number;
  readonly isRelative: boolean;
  readonly categories: CategoryTable;
  readonly options: OpenDatasetOptions;
  readonly finder: ImageFinder;
}

async function readGroup(source: ForeignImage, place: GroupPlace): Promise<ImageGroup> {
  const located = await locate(source, place.finder);
  const fileName = located.kind === "file" ? located.name : receivedName(source);
  const { width, height } = source;
  const image: ImageRecord = {
    id: place.number,
    fileName,
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    raw: {
      id: place.number,
      file_name: fileName,
      ...(width !== undefined && { width }),
      ...(height !== undefined && { height }),
      ...source.fields,
    },
  };
  if (source.failure !== undefined) {
    const entry: Entry = {
      kind: "failed",
      ordinal: place.ordinal,
      annotationId: place.ordinal + 1,
      imageId: image.id,
      raw: {},
      failure: { reason: "annotation-invalid", message: source.failure },
    };
    return { image, location: located, entries: [entry] };
  }
  const scale = place.isRelative && source.objects.length > 0 ? await sizeOf(source, located, place) : undefined;
  return { image, location: located, entries: source.objects.map((object, i) => readObject(object, i)) };

  function readObject(object: ForeignObject, i: number): Entry {
    const ordinal = place.ordinal + i;
    const annotationId = ordinal + 1;
    const where = `${source.path}: ${object.at}`;
    const id = place.categories.idOf(object.label);
    const own: JsonObject = { id: annotationId, image_id: image.id, ...(id !== undefined && { category_id: id }) };
    const isScaled = scale !== undefined && scale !== "unknown";
    const raw = joinFields(own, isScaled ? annotationInPixels(object.fields, scale) : object.fields);
    const categories = place.categories.ids;
    const subject = { ordinal, image, hasImageId: true, where, annotationId, raw, categories, scale };
    if (object.problem !== undefined) return rejectAnnotation(subject, object.problem.reason, object.problem.message);
    if (object.skip !== undefined)
      return { kind: "skipped", ordinal, annotationId, imageId: image.id, reason: object.skip, raw };
    if (id === undefined) {
      const received = object.label === undefined ? "none" : receivedOf(object.label);
      return rejectAnnotation(
        subject,
        "category-unknown",
        `expected ${place.categories.expected}, received ${received}`,
      );
    }
    // An image that is not there has a reason of its own, and no size.
    if (scale === "unknown" && located.kind === "failed")
      return { kind: "failed", ordinal, annotationId, imageId: image.id, raw, failure: located.failure };
    return judgeAnnotation(subject, annotationId);
  }
}

function receivedName({ name }: ForeignImage): string {
  return typeof name === "string" ? name : name.stem;
}

async function locate({ name, otherStem }: ForeignImage, finder: ImageFinder): Promise<Located> {
  const first = typeof name === "string" ? await finder.locate(name) : await locateStem(name.stem, finder);
  if (first.kind === "file" || first.failure.reason !== "image-missing" || otherStem === undefined) return first;
  const other = await locateStem(otherStem, finder);
  return other.kind === "file" ? other : first;
}

/** With its folders where they fit, else by its last part alone. */
async function locateStem(stem: string, finder: ImageFinder): Promise<Located> {
  const whole = await finder.locateStem(stem);
  const last = stem.slice(stem.lastIndexOf("/") + 1);
  if (whole.kind === "file" || whole.failure.reason !== "image-missing" || last === stem) return whole;
  const found = await finder.locateStem(last);
  return found.kind === "file" ? found : whole;
}

async function sizeOf(
  { width, height }: ForeignImage,
  location: Located,
  { options }: GroupPlace,
): Promise<ImageSize | "unknown"> {
  if (width !== undefined && height !== undefined) return { width, height };
  return (await options.imageSize?.(location)) ?? "unknown";
}

/** Labels in order of first appearance, numbered from 1; or a reader's own numbers with their names. */
class CategoryTable {
  private readonly named = new Map<string, Id>();
  private readonly numbered = new Map<number, string>();
  readonly ids = new Set<Id>();

  constructor(private readonly reader: ForeignReader) {
    for (const [number, name] of reader.classes ?? []) this.addNumber(number, name);
  }

  get expected(): string {
    const { classes } = this.reader;
    if (classes === undefined) return "a label";
    const highest = [...classes.keys()].reduce((a, b) => Math.max(a, b), 0);
    return highest === classes.size - 1
      ? `the number of a class, 0 to ${highest}`
      : `the number of a class, one of ${classes.size} in the list of classes`;
  }

  note(label: string | number): void {
    if (typeof label === "number") {
      if (this.reader.classes === undefined && !this.numbered.has(label)) this.addNumber(label, `class ${label}`);
    } else if (!this.named.has(label)) {
      this.named.set(label, this.named.size + 1);
      this.ids.add(this.named.size);
    }
    if (this.ids.size > MOST_CATEGORIES)
      throw invalidData(
        `${this.reader.source}: expected at most ${MOST_CATEGORIES} categories, received more different labels`,
        "Check which column or field holds the label.",
      );
  }

  idOf(label: string | number | undefined): Id | undefined {
    if (typeof label === "number") return this.numbered.has(label) ? label : undefined;
    return label === undefined ? undefined : this.named.get(label);
  }

  all(): readonly Category[] {
    const numbers = [...this.numbered].sort(([a], [b]) => a - b).map(([id, name]) => categoryOf(id, name));
    return [...numbers, ...[...this.named].map(([name, id]) => categoryOf(id, name))];
  }

  private addNumber(number: number, name: string): void {
    this.numbered.set(number, name);
    this.ids.add(number);
  }
}

function categoryOf(id: Id, name: string): Category {
  return { id, name, raw: { id, name } };
}
