/** Images with their annotations, one group at a time: the walk over a COCO file or results list once it is indexed. */
import { receivedOf } from "../../errors.js";
import type { Failure, Id, ImageRecord } from "../../types.js";
import type { Entry, ImageGroup } from "../dataset.js";
import type { ByteFile, ByteRange } from "../json/byte-file.js";
import { RangeReader } from "../json/byte-file.js";
import type { AnnotationPlace, AnnotationSource } from "./annotation.js";
import { readAnnotation } from "./annotation.js";
import type { AnnotationIndex, GroupedAnnotations, IdNumbers } from "./columns.js";
import type { ImageSource, PlacedImage } from "./images.js";

/** Image records read together: they are small and usually stand side by side. */
const IMAGES_AT_ONCE = 64;

export interface CocoGroups {
  readonly annotationCount: number;
  walk(): AsyncGenerator<ImageGroup>;
}

/**
 * Sorts annotations under their images.
 * @param file holds the annotations
 * @param imageIds of the annotations
 * @param positionOf position among `images` of an image id, or undefined when it points nowhere
 */
export function groupAnnotations(
  file: ByteFile,
  index: AnnotationIndex,
  imageIds: IdNumbers,
  images: ImageSource,
  positionOf: (id: Id) => number | undefined,
  source: AnnotationSource,
): CocoGroups {
  // Images keep their position as the number of their group; ids that point nowhere follow in order of first
  // appearance.
  const unknownIds: Id[] = [];
  const groups = Int32Array.from(imageIds.all(), (id) => positionOf(id) ?? images.count + unknownIds.push(id) - 1);
  const withoutId = images.count + unknownIds.length;
  const annotations = index.finish(groups, withoutId + 1);

  async function* walk(): AsyncGenerator<ImageGroup> {
    const reader = new RangeReader(file);
    const entries = async (group: number, { image, location }: PlacedImage): Promise<Entry[]> => {
      if (annotations.group(group).length === 0) return [];
      const scale = source.sizeOf === undefined ? undefined : ((await source.sizeOf(image, location)) ?? "unknown");
      return readEntries(reader, annotations, group, { image, source, ...(scale !== undefined && { scale }) });
    };
    for (let from = 0; from < images.count; from += IMAGES_AT_ONCE) {
      await file.checkUnchanged();
      const some = await images.load(from, Math.min(images.count, from + IMAGES_AT_ONCE));
      for (const [i, { image, location }] of some.entries())
        yield { image, location, entries: await entries(from + i, { image, location }) };
    }
    for (const [i, id] of unknownIds.entries()) {
      const failure = pointsNowhere(file, id, positionOf);
      const placed: PlacedImage = { image: unknownImage(id), location: { kind: "failed", failure } };
      yield { ...placed, entries: await entries(images.count + i, placed) };
    }
    if (annotations.group(withoutId).length === 0) return;
    const message = `${file.path}: expected an image_id (text, or an integer up to 2^53) in every annotation, received annotations without. Correct or remove them.`;
    const failure: Failure = { reason: "image-unknown", message };
    const placed: PlacedImage = { image: unknownImage(""), location: { kind: "failed", failure } };
    yield { ...placed, entries: await entries(withoutId, placed) };
  }
  return { annotationCount: annotations.count, walk };
}

/** Entries of one group, in file order. */
async function readEntries(
  reader: RangeReader,
  annotations: GroupedAnnotations,
  group: number,
  { source, ...place }: Pick<AnnotationPlace, "image" | "scale"> & { readonly source: AnnotationSource },
): Promise<Entry[]> {
  const ordinals = annotations.group(group);
  const ranges = Array.from(ordinals, (ordinal): ByteRange => ({
    offset: annotations.offsets[ordinal]!,
    length: annotations.lengths[ordinal]!,
  }));
  const parts = await reader.read(ranges);
  return parts.map((bytes, i) => {
    const ordinal = ordinals[i]!;
    return readAnnotation(
      bytes,
      { ...place, ordinal, offset: ranges[i]!.offset, firstWithSameId: annotations.firstWithSameId(ordinal) },
      source,
    );
  });
}

/** The record of an image id that no image has. Its `raw` is empty: there is nothing to pass through. */
function unknownImage(id: Id): ImageRecord {
  return { id, fileName: "", raw: {} };
}

function pointsNowhere(file: ByteFile, id: Id, positionOf: (id: Id) => number | undefined): Failure {
  const twin = typeof id === "number" ? String(id) : Number(id);
  const note =
    id !== "" && positionOf(twin) !== undefined
      ? ` (there is ${receivedOf(twin)}, a ${typeof twin === "number" ? "number" : "text"})`
      : "";
  const message = `${file.path}: expected an image_id among the ids of the images, received ${receivedOf(id)}${note}. Add the image or correct the id.`;
  return { reason: "image-unknown", message };
}
