/** Images with their annotations, one group at a time: the walk over an indexed COCO file or results list. */
import { receivedOf } from "../../errors.js";
import type { Failure, Id, ImageRecord } from "../../types.js";
import type { Entry, ImageGroup, WalkedParts } from "../dataset.js";
import type { ByteFile, ByteRange } from "../json/byte-file.js";
import { RangeReader, readRanges } from "../json/byte-file.js";
import type { AnnotationPlace, AnnotationSource } from "./annotation.js";
import { readAnnotation } from "./annotation.js";
import type { AnnotationIndex, GroupedAnnotations, IdNumbers } from "./columns.js";
import type { ImageSource, PlacedImage } from "./images.js";
import { readPlainAnnotation } from "./plain-annotation.js";

/** Image records read together: they are small and usually side by side, and each call of the system waits for a thread. */
const IMAGES_AT_ONCE = 256;

export interface CocoParts {
  /** Holds the annotations. */
  readonly file: ByteFile;
  readonly index: AnnotationIndex;
  /** Image ids of the annotations. */
  readonly imageIds: IdNumbers;
  readonly images: ImageSource;
  /** Position of an image id among `images`; undefined when it points nowhere. */
  readonly positionOf: (id: Id) => number | undefined;
  readonly source: AnnotationSource;
}

export interface CocoGroups {
  readonly annotationCount: number;
  /** @param parts see `Dataset.groups` */
  walk(parts?: WalkedParts): AsyncGenerator<ImageGroup>;
}

/** Sorts annotations under their images. */
export function groupAnnotations({ file, index, imageIds, images, positionOf, source }: CocoParts): CocoGroups {
  // Images keep their position as the number of their group; ids that point nowhere follow in order of first
  // appearance.
  const unknownIds: Id[] = [];
  const groups = Int32Array.from(imageIds.all(), (id) => positionOf(id) ?? images.count + unknownIds.push(id) - 1);
  const withoutId = images.count + unknownIds.length;
  const annotations = index.finish(groups, withoutId + 1);

  async function* walk(wanted?: WalkedParts): AsyncGenerator<ImageGroup> {
    const parts = { reader: new RangeReader(file), annotations, source, wanted };
    const entries = async (group: number, { image, location }: PlacedImage): Promise<Entry[]> => {
      if (annotations.group(group).length === 0) return [];
      const scale = source.sizeOf === undefined ? undefined : ((await source.sizeOf(image, location)) ?? "unknown");
      return readEntries(parts, group, { image, scale });
    };
    /** After reading, so that nothing is handed on but from the file as it was; a walk over boxes counts once it ends. */
    const checked = async (placed: PlacedImage, group: number): Promise<ImageGroup> => {
      const { image, location } = placed;
      const read = { image, location, entries: await entries(group, placed) };
      if (wanted !== "boxes" && read.entries.length > 0) await file.checkUnchanged();
      return read;
    };
    for (let from = 0; from < images.count; from += IMAGES_AT_ONCE) {
      const some = await images.load(from, Math.min(images.count, from + IMAGES_AT_ONCE));
      for (const [i, placed] of some.entries()) yield await checked(placed, from + i);
    }
    for (const [i, id] of unknownIds.entries()) {
      const failure = pointsNowhere(file, id, positionOf);
      const placed: PlacedImage = { image: unknownImage(id), location: { kind: "failed", failure } };
      yield await checked(placed, images.count + i);
    }
    if (annotations.group(withoutId).length > 0) {
      const message =
        `${file.path}: expected an image_id (text, or an integer up to 2^53) in every annotation, ` +
        "received annotations without. Correct or remove them.";
      const failure: Failure = { reason: "image-unknown", message };
      yield await checked({ image: NO_IMAGE, location: { kind: "failed", failure } }, withoutId);
    }
    if (wanted === "boxes") await file.checkUnchanged();
  }
  return { annotationCount: annotations.count, walk };
}

interface EntryParts {
  readonly reader: RangeReader;
  readonly annotations: GroupedAnnotations;
  readonly source: AnnotationSource;
  readonly wanted: WalkedParts | undefined;
}

/** Entries of one group, in file order. */
async function readEntries(
  { reader, annotations, source, wanted }: EntryParts,
  group: number,
  place: Pick<AnnotationPlace, "image" | "scale">,
): Promise<Entry[]> {
  const { offsets, lengths } = annotations;
  const ordinals = annotations.group(group);
  const { image, scale } = place;
  const hasImageId = image !== NO_IMAGE;
  const mayBePlain = wanted === "boxes" && source.format === "coco" && hasImageId && scale === undefined;
  const entryOf = (ordinal: number, bytes: Buffer, start: number, end: number): Entry => {
    const firstWithSameId = annotations.firstWithSameId(ordinal);
    const plain = mayBePlain && firstWithSameId === undefined ? readPlainAnnotation(bytes, start, end) : undefined;
    if (plain !== undefined && source.categories.has(plain.categoryId)) {
      const { id: annotationId, categoryId, box } = plain;
      return { kind: "instance", instance: { ordinal, annotationId, imageId: image.id, categoryId, box, raw: {} } };
    }
    const known = { ordinal, offset: offsets[ordinal]!, image, scale, hasImageId, firstWithSameId };
    return readAnnotation(bytes.subarray(start, end), known, source);
  };
  const [first, last] = [ordinals[0]!, ordinals.at(-1)!];
  const part = await reader.part(offsets[first]!, offsets[last]! + lengths[last]!);
  if (part !== undefined) {
    const entries: Entry[] = [];
    // By index: the iterators of typed arrays take as long as reading a plain annotation.
    for (let i = 0; i < ordinals.length; i++) {
      const start = offsets[ordinals[i]!]! - part.base;
      entries.push(entryOf(ordinals[i]!, part.bytes, start, start + lengths[ordinals[i]!]!));
    }
    return entries;
  }
  const ranges = Array.from(ordinals, (ordinal): ByteRange => ({
    offset: offsets[ordinal]!,
    length: lengths[ordinal]!,
  }));
  const read = await readRanges(reader.file, ranges);
  return read.map((bytes, i) => entryOf(ordinals[i]!, bytes, 0, bytes.length));
}

/** The record of an image id that no image has: there is nothing to pass through. */
function unknownImage(id: Id): ImageRecord {
  return { id, fileName: "", raw: {} };
}

/** Stands for the image of annotations that name none. */
const NO_IMAGE = unknownImage("");

function pointsNowhere(file: ByteFile, id: Id, positionOf: (id: Id) => number | undefined): Failure {
  const twin = typeof id === "number" ? String(id) : Number(id);
  const note =
    id !== "" && positionOf(twin) !== undefined
      ? ` (there is ${receivedOf(twin)}, a ${typeof twin === "number" ? "number" : "text"})`
      : "";
  const message =
    `${file.path}: expected an image_id among the ids of the images, received ${receivedOf(id)}${note}. ` +
    "Add the image or correct the id.";
  return { reason: "image-unknown", message };
}
