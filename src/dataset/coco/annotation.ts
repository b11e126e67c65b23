/** One annotation of a COCO file or results list, from bytes to an entry: an instance, or why it is none. */
import { receivedOf } from "../../errors.js";
import { isJsonObject } from "../../foreign.js";
import { checkBox } from "../../geometry/box.js";
import { readSegmentation } from "../../geometry/segmentation.js";
import { receivedIn } from "../../json-text.js";
import type { FailReason, Id, ImageRecord, Instance, JsonObject } from "../../types.js";
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
  /** Pixels that a relative box is scaled by; "unknown" where it cannot be. Undefined: boxes are in pixels. */
  readonly scale: ImageSize | "unknown" | undefined;
  /** False where the annotation names no image, and `image` stands for none. */
  readonly hasImageId: boolean;
  /** Ordinal of an earlier annotation with the same id. */
  readonly firstWithSameId: number | undefined;
}

const MISSING_ID = { at: "/id", expected: "present", received: "nothing" };
const NEXT_STEP = "Correct or remove this annotation.";

/** Never throws: whatever is wrong with an annotation costs only that annotation. */
export function readAnnotation(bytes: Buffer, place: AnnotationPlace, source: AnnotationSource): Entry {
  const { scale, firstWithSameId } = place;
  const parsed = parseJsonBytes(bytes, place.offset);
  const asRead = parsed.kind === "value" && isJsonObject(parsed.value) ? parsed.value : {};
  // What goes out says pixels as well, beside a polygon in pixels.
  const raw = scale === undefined || scale === "unknown" ? asRead : annotationInPixels(asRead, scale);
  const annotationId = source.format === "coco-results" ? place.ordinal + 1 : idOf(raw, bytes);
  const subject = new CocoSubject(place, source, annotationId, raw);
  if (parsed.kind === "problem") return rejectAnnotation(subject, "annotation-invalid", describeProblem(parsed), ", ");
  const check = source.format === "coco" ? checkCocoAnnotation : checkCocoResult;
  const violation = check(parsed.value);
  if (violation !== undefined || annotationId === undefined)
    return rejectAnnotation(subject, "annotation-invalid", describeViolation(violation ?? MISSING_ID));
  if (firstWithSameId !== undefined)
    return rejectAnnotation(
      subject,
      "duplicate-id",
      `expected every annotation id once, received the id of annotations[${firstWithSameId}]`,
    );
  return judgeAnnotation(subject, annotationId);
}

/** Copies no object and words no place before it is needed: there may be a million annotations. */
class CocoSubject implements AnnotationSubject {
  readonly ordinal: number;
  readonly image: ImageRecord;
  readonly hasImageId: boolean;
  readonly scale: AnnotationPlace["scale"];
  readonly categories: ReadonlySet<Id>;

  constructor(
    place: AnnotationPlace,
    private readonly source: AnnotationSource,
    readonly annotationId: Id | undefined,
    readonly raw: JsonObject,
  ) {
    this.ordinal = place.ordinal;
    this.image = place.image;
    this.hasImageId = place.hasImageId;
    this.scale = place.scale;
    this.categories = source.categories;
  }

  get where(): string {
    const { source, ordinal, annotationId, raw } = this;
    if (source.format === "coco-results") return `${source.file}: element ${ordinal}`;
    const unusable = Object.hasOwn(raw, "id") ? `id ${receivedIn(raw, "id")}` : "no id";
    const named = annotationId === undefined ? unusable : `id ${receivedOf(annotationId)}`;
    return `${source.file}: annotations[${ordinal}] (${named})`;
  }
}

/** An annotation as COCO has them, wherever it was read. */
export interface AnnotationSubject {
  readonly ordinal: number;
  readonly image: ImageRecord;
  readonly hasImageId: boolean;
  readonly scale: AnnotationPlace["scale"];
  /** File and place in it; opens messages. */
  readonly where: string;
  readonly annotationId: Id | undefined;
  readonly raw: JsonObject;
  /** Ids that have a category. */
  readonly categories: ReadonlySet<Id>;
}

/** @param joint between the place and the message */
export function rejectAnnotation(
  { ordinal, annotationId, hasImageId, image, raw, where }: AnnotationSubject,
  reason: FailReason,
  message: string,
  joint = ": ",
): Rejected & { kind: "failed" } {
  return {
    kind: "failed",
    ordinal,
    annotationId: annotationId ?? null,
    imageId: hasImageId ? image.id : null,
    raw,
    failure: { reason, message: `${where}${joint}${message}. ${NEXT_STEP}` },
  };
}

/** The judgement of crowd, category, box and segmentation that all formats share. */
export function judgeAnnotation(subject: AnnotationSubject, annotationId: Id): Entry {
  const { ordinal, image, raw, categories } = subject;
  if (raw["iscrowd"] === 1 || raw["iscrowd"] === true)
    return { kind: "skipped", ordinal, annotationId, imageId: image.id, reason: "crowd", raw };
  const categoryId = asId(raw["category_id"]);
  if (categoryId === undefined || !categories.has(categoryId))
    return rejectAnnotation(
      subject,
      "category-unknown",
      `expected category_id to be ${oneOf(categories)}, received ${receivedIn(raw, "category_id")}`,
    );
  if (subject.scale === "unknown")
    return rejectAnnotation(
      subject,
      "image-size",
      "expected the image's width and height to scale a relative box by, received neither them nor an image file",
    );
  const segmentation = raw["segmentation"];
  const truth = segmentation === undefined ? undefined : readSegmentation(segmentation, subject.where, image);
  const checked = checkBox(raw["bbox"], "");
  if (checked.kind === "failed") {
    const { reason, message } = checked.failure;
    const entry = rejectAnnotation(subject, reason, message, "");
    // Nothing can be predicted from the box, but what a person drew there is still theirs.
    return truth?.truth === undefined ? entry : { ...entry, hasTruth: true };
  }
  const { box } = checked;
  // A spread takes longer than the rest of this function, and most annotations have no segmentation.
  const instance: Instance =
    truth === undefined
      ? { ordinal, annotationId, imageId: image.id, categoryId, box, raw }
      : { ordinal, annotationId, imageId: image.id, categoryId, box, ...truth, raw };
  return { kind: "instance", instance };
}

/** The file's id, also of an annotation that is not valid JSON. */
function idOf(raw: JsonObject, bytes: Buffer): Id | undefined {
  if (Object.hasOwn(raw, "id")) return asId(raw["id"]);
  const spotter = new FieldSpotter(["id"]);
  spotter.endOf(bytes, 0, bytes.length);
  return spotter.id(0, bytes);
}

function oneOf(ids: ReadonlySet<Id>): string {
  if (ids.size === 0) return "the id of a category, of which there are none";
  const shown = [...ids].slice(0, 10).map(receivedOf).join(", ");
  return `${ids.size > 1 ? "one of " : ""}${shown}${ids.size > 10 ? ` and ${ids.size - 10} more` : ""}`;
}
