/**
 * One annotation of a COCO file or results list, from bytes to an entry: an instance, or why it is none. A
 * `segmentation` that cannot serve as ground truth costs the instance only its evaluation: the reason is kept.
 */
import { PolyrnnError, receivedOf } from "../../errors.js";
import { checkBox } from "../../geometry/box.js";
import { decodeRle } from "../../geometry/rle.js";
import { receivedIn } from "../../json-text.js";
import type { FailReason, Id, ImageRecord, JsonObject, JsonValue, Ring, Truth } from "../../types.js";
import { describeViolation } from "../../validate.js";
import type { Entry } from "../dataset.js";
import { asId, FieldSpotter } from "../json/fields.js";
import { describeProblem, parseJsonBytes } from "../json/value.js";
import { checkCocoAnnotation, checkCocoResult } from "./schema.js";

export interface AnnotationSource {
  readonly file: string;
  readonly format: "coco" | "coco-results";
  /** Ids that have a category. */
  readonly categories: ReadonlySet<Id>;
}

/** What the index knows of an annotation. */
interface AnnotationPlace {
  readonly ordinal: number;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly image: ImageRecord;
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
  const raw = parsed.kind === "value" && isObject(parsed.value) ? parsed.value : {};
  const annotationId = source.format === "coco-results" ? place.ordinal + 1 : idOf(raw, bytes);
  const where = whereIs(place, source, annotationId, raw);
  const fail = (reason: FailReason, message: string): Entry => ({
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
  const checked = checkBox(raw["bbox"], where);
  if (checked.kind === "failed") return fail(checked.failure.reason, checked.failure.message);
  const truth = readTruth(raw["segmentation"], where, place.image);
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
  const hasId = Object.hasOwn(raw, "id");
  const named = hasId ? `id ${receivedIn(raw, "id")}` : id === undefined ? "no id" : `id ${receivedOf(id)}`;
  return `${source.file}: annotations[${place.ordinal}] (${named})`;
}

function oneOf(ids: ReadonlySet<Id>): string {
  if (ids.size === 0) return "the id of a category, of which there are none";
  const shown = [...ids].slice(0, 10).map(receivedOf).join(", ");
  return `${ids.size > 1 ? "one of " : ""}${shown}${ids.size > 10 ? ` and ${ids.size - 10} more` : ""}`;
}

/** Fields of an Instance; empty when the annotation has no segmentation. */
interface TruthFields {
  readonly truth?: Truth;
  readonly truthProblem?: string;
}

/**
 * Ground truth from the `segmentation` of a COCO annotation: polygons, or a mask in run lengths as a list or as text.
 * @param where place in the input, opens the problem
 */
export function readTruth(segmentation: JsonValue | undefined, where: string, image: ImageRecord): TruthFields {
  if (segmentation === undefined || segmentation === null) return {};
  if (!Array.isArray(segmentation)) return readMask(segmentation, where, image);
  if (segmentation.length === 0) return {};
  const polygon: Ring[] = [];
  for (const [i, numbers] of segmentation.entries()) {
    const ring = readRing(numbers);
    if (typeof ring === "string") return { truthProblem: `${where}, segmentation[${i}]: ${ring}` };
    polygon.push(ring);
  }
  return { truth: { kind: "polygon", polygon } };
}

function readMask(segmentation: JsonValue, where: string, image: ImageRecord): TruthFields {
  try {
    const rle = decodeRle(segmentation, `${where}, segmentation`);
    const { width = rle.width, height = rle.height } = image;
    if (rle.width === width && rle.height === height) return { truth: { kind: "rle", rle } };
    return {
      truthProblem:
        `${where}, segmentation: expected a mask of its image's ${width} x ${height} pixels, ` +
        `received ${rle.width} x ${rle.height}`,
    };
  } catch (error) {
    if (!(error instanceof PolyrnnError)) throw error;
    return { truthProblem: error.message };
  }
}

/** @param numbers [x1, y1, x2, y2, ...] in image pixels. @returns the ring, or what is wrong */
function readRing(numbers: JsonValue): Ring | string {
  if (!Array.isArray(numbers)) return `expected a list of coordinates, received ${receivedOf(numbers)}`;
  if (numbers.length % 2 !== 0) return `expected pairs of coordinates, received ${numbers.length} numbers`;
  const ring: { x: number; y: number }[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const x = numbers[i];
    const y = numbers[i + 1];
    if (typeof x !== "number" || !Number.isFinite(x)) return `expected finite numbers, received ${receivedOf(x)}`;
    if (typeof y !== "number" || !Number.isFinite(y)) return `expected finite numbers, received ${receivedOf(y)}`;
    ring.push({ x, y });
  }
  // Some tools close their rings; here a ring is stored open.
  const first = ring[0];
  const last = ring.at(-1);
  if (ring.length > 1 && first?.x === last?.x && first?.y === last?.y) ring.pop();
  return ring.length >= 3 ? ring : `expected a polygon of at least 3 points, received ${ring.length}`;
}
