/** One annotation of a COCO file or results list, from bytes to an entry: an instance, or why it is none. */
import { receivedOf } from "../../errors.js";
import { checkBox } from "../../geometry/box.js";
import { readSegmentation } from "../../geometry/segmentation.js";
import { receivedIn } from "../../json-text.js";
import type { FailReason, Id, ImageRecord, JsonObject } from "../../types.js";
import { describeViolation } from "../../validate.js";
import type { Entry, ImageLocation, ImageSize, Rejected } from "../dataset.js";
import { asId, FieldSpotter } from "../json/fields.js";
import { describeProblem, parseJsonBytes } from "../json/value.js";
import { annotationInPixels } from "../relative-boxes.js";
import { checkCocoAnnotation, checkCocoResult } from "./schema.js";

export interface AnnotationSource {
  readonly file: string;
  readonly format: "coco" | "coco-results";
  /** Ids that have a category. */
  readonly categories: ReadonlySet<Id>;
  /** Present where boxes are relative: the size that they are scaled by. */
  readonly sizeOf?: (image: ImageRecord, location: ImageLocation) => Promise<ImageSize | undefined>;
}

/** What the index knows of an annotation. */
export interface AnnotationPlace {
  readonly ordinal: number;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly image: ImageRecord;
  /** Pixels that a relative box is scaled by; "unknown" where it cannot be. Absent: boxes are in pixels. */
  readonly scale?: ImageSize | "unknown";
  /** False where the annotation names no image, and `image` stands for none. */
  readonly hasImageId: boolean;
  /** Ordinal of an earlier annotation with the same id. */
  readonly firstWithSameId: number | undefined;
}

const MISSING_ID = { at: "/id", expected: "present", received: "nothing" };
const NEXT_STEP = "Correct or remove this annotation.";

/** Never throws: whatever is wrong with an annotation costs only that annotation. */
export function readAnnotation(bytes: Buffer, place: AnnotationPlace, source: AnnotationSource): Entry {
  const parsed = parseJsonBytes(bytes, place.offset);
  const asRead = parsed.kind === "value" && isObject(parsed.value) ? parsed.value : {};
  // What goes out says pixels as well, beside a polygon in pixels.
  const raw = place.scale === undefined || place.scale === "unknown" ? asRead : annotationInPixels(asRead, place.scale);
  const annotationId = source.format === "coco-results" ? place.ordinal + 1 : idOf(raw, bytes);
  const where = whereIs(place, source, annotationId, raw);
  const fail = (reason: FailReason, message: string): Rejected & { kind: "failed" } => ({
    kind: "failed",
    ordinal: place.ordinal,
    annotationId: annotationId ?? null,
    imageId: place.hasImageId ? place.image.id : null,
    raw,
    failure: { reason, message: `${message}. ${NEXT_STEP}` },
  });

  if (parsed.kind === "problem") return fail("annotation-invalid", `${where}, ${describeProblem(parsed)}`);
  const check = source.format === "coco" ? checkCocoAnnotation : checkCocoResult;
  const violation = check(parsed.value);
  if (violation !== undefined || annotationId === undefined)
    return fail("annotation-invalid", `${where}: ${describeViolation(violation ?? MISSING_ID)}`);
  if (place.firstWithSameId !== undefined) {
    return fail(
      "duplicate-id",
      `${where}: expected every annotation id once, received the id of annotations[${place.firstWithSameId}]`,
    );
  }
  if (raw["iscrowd"] === 1 || raw["iscrowd"] === true) {
    return { kind: "skipped", ordinal: place.ordinal, annotationId, imageId: place.image.id, reason: "crowd", raw };
  }
  const categoryId = asId(raw["category_id"]);
  if (categoryId === undefined || !source.categories.has(categoryId)) {
    return fail(
      "category-unknown",
      `${where}: expected category_id to be ${oneOf(source.categories)}, received ${receivedIn(raw, "category_id")}`,
    );
  }
  if (place.scale === "unknown") {
    return fail(
      "image-size",
      `${where}: expected the image's width and height to scale a relative box by, received neither them nor an image file`,
    );
  }
  const truth = readSegmentation(raw["segmentation"], where, place.image);
  const checked = checkBox(raw["bbox"], where);
  if (checked.kind === "failed") {
    const entry = fail(checked.failure.reason, checked.failure.message);
    // Nothing can be predicted from the box, but what a person drew there is still theirs.
    return truth.truth === undefined ? entry : { ...entry, hasTruth: true };
  }
  return {
    kind: "instance",
    instance: {
      ordinal: place.ordinal,
      annotationId,
      imageId: place.image.id,
      categoryId,
      box: checked.box,
      ...truth,
      raw,
    },
  };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The file's id, also of an annotation that is not valid JSON. */
function idOf(raw: JsonObject, bytes: Buffer): Id | undefined {
  if (Object.hasOwn(raw, "id")) return asId(raw["id"]);
  const spotter = new FieldSpotter(["id"]);
  spotter.endOf(bytes, 0, bytes.length);
  return spotter.id(0, bytes);
}

function whereIs(place: AnnotationPlace, source: AnnotationSource, id: Id | undefined, raw: JsonObject): string {
  if (source.format === "coco-results") return `${source.file}: element ${place.ordinal}`;
  const unusable = Object.hasOwn(raw, "id") ? `id ${receivedIn(raw, "id")}` : "no id";
  const named = id === undefined ? unusable : `id ${receivedOf(id)}`;
  return `${source.file}: annotations[${place.ordinal}] (${named})`;
}

function oneOf(ids: ReadonlySet<Id>): string {
  if (ids.size === 0) return "the id of a category, of which there are none";
  const shown = [...ids].slice(0, 10).map(receivedOf).join(", ");
  return `${ids.size > 1 ? "one of " : ""}${shown}${ids.size > 10 ? ` and ${ids.size - 10} more` : ""}`;
}
