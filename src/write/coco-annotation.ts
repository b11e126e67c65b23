/**
 * One result as a COCO annotation, for annotations.json and for the stream of `--out -`, one annotation per line.
 *
 * - Every field of the input goes out as it came in (ids, bbox, attributes, unknown ones), but for those below.
 * - segmentation: one polygon, [[x1, y1, x2, y2, ...]]; two decimals; never four numbers or fewer, which pycocotools
 *   takes for a box. On request the run lengths of its mask: { size: [height, width], counts: text }.
 * - area: pixels of the mask, as pycocotools counts them (mask.area of the polygon filled by the COCO rule).
 * - iscrowd: 0.
 * - polyrnn_score: the polygon's score, 0..1, always under this name. score: the detector's if the input had one, else
 *   the same value. A score equal to the polyrnn_score beside it is an earlier run's, and is replaced.
 * - polyrnn_valid: false where the polygon crosses or touches itself, or has no pixel; absent otherwise.
 * - Labels of the input that were passed over (see write/labels.ts) go out unchanged, if they have a segmentation;
 *   what COCO's readers need and they lack (bbox, area, iscrowd) is added; those of Cityscapes get COCO's fields, groups
 *   iscrowd: 1. Failed instances have no annotation; the summary lists them.
 */
import { PolyrnnError } from "../errors.js";
import { checkBox } from "../geometry/box.js";
import { rasterizePolygon } from "../geometry/rasterize.js";
import { polygonBounds } from "../geometry/ring.js";
import { encodeRleString, rleArea, rleBounds } from "../geometry/rle.js";
import { isValidRing } from "../geometry/valid-ring.js";
import { joinFields, selectFields, toJsonText } from "../json-text.js";
import type { Box, DoneOutcome, ImageRecord, Instance, JsonObject, JsonValue, Polygon, Ring, Truth } from "../types.js";
import { categoryOf, existingPolygon, existingShape, hasCocoSegmentation, passedOver, rawOf } from "./labels.js";
import { roundPixels } from "./rings.js";
import type { CategoryNames, FormatOptions, ImageResult, ResultItem } from "./writer.js";
import { sizeOfRecord } from "./writer.js";

type Segmentation = FormatOptions["segmentation"];

/** An image whose size may be known. */
interface Sized {
  readonly size?: ImageResult["size"];
}

/** @returns undefined when the item has no polygon to write */
export function toCocoAnnotation(
  item: ResultItem,
  result: Sized,
  names: CategoryNames,
  segmentation?: Segmentation,
): JsonObject | undefined {
  if (item.kind === "outcome" && item.outcome.status === "done")
    return predictedAnnotation(item.instance, item.outcome, segmentation);
  if (passedOver(item) === "none") return undefined;
  return hasCocoSegmentation(rawOf(item)) ? completed(item, result) : fromCityscapes(item, result, names);
}

/**
 * A label of the input as it came, with the fields without which pycocotools' COCOeval stops: those that are absent or
 * null are filled in.
 */
function completed(item: ResultItem, { size }: Sized): JsonObject {
  const raw = rawOf(item);
  const lacks = (name: string): boolean => !Object.hasOwn(raw, name) || raw[name] === null;
  const shape = lacks("area") || lacks("bbox") ? existingShape(item) : undefined;
  const bounds = shape?.kind === "rle" ? rleBounds(shape.rle) : polygonBounds(shape?.polygon ?? []);
  const box = lacks("bbox") ? bounds : undefined;
  return {
    ...raw,
    ...(box !== undefined && { bbox: boxXywh(box) }),
    ...(lacks("area") && { area: areaOf(shape, bounds, size) ?? boxArea(raw["bbox"]) }),
    ...(lacks("iscrowd") && { iscrowd: 0 }),
  };
}

/** Pixels. Without the image's size, a polygon is taken to lie on it. @returns undefined for what cannot be filled */
function areaOf(shape: Truth | undefined, bounds: Box | undefined, size: ImageResult["size"]): number | undefined {
  if (shape === undefined || bounds === undefined) return undefined;
  if (shape.kind === "rle") return rleArea(shape.rle);
  const width = size?.width ?? Math.max(1, Math.ceil(bounds.left + bounds.width) + 1);
  const height = size?.height ?? Math.max(1, Math.ceil(bounds.top + bounds.height) + 1);
  try {
    return maskArea(shape.polygon, width, height);
  } catch (error) {
    if (error instanceof PolyrnnError) return undefined;
    throw error;
  }
}

function boxArea(bbox: JsonValue | undefined): number {
  const checked = checkBox(bbox, "");
  return checked.kind === "box" ? checked.box.width * checked.box.height : 0;
}

/** The annotation of a predicted polygon. */
export function predictedAnnotation(
  instance: Instance,
  outcome: DoneOutcome,
  segmentation: Segmentation = "polygon",
): JsonObject {
  const { polyrnn_valid: _, ...raw } = instance.raw;
  const { imageWidth, imageHeight } = outcome;
  const mask = rasterizePolygon([outcome.ring], imageHeight, imageWidth);
  const area = rleArea(mask);
  return {
    ...raw,
    id: instance.annotationId,
    image_id: instance.imageId,
    category_id: instance.categoryId,
    bbox: raw["bbox"] ?? boxXywh(instance.box),
    segmentation:
      segmentation === "rle"
        ? { size: [imageHeight, imageWidth], counts: encodeRleString(mask) }
        : [flatRing(outcome.ring)],
    area,
    iscrowd: 0,
    score: detectorScore(raw) ?? outcome.score,
    polyrnn_score: outcome.score,
    ...(!(area > 0 && isValidRing(outcome.ring)) && { polyrnn_valid: false }),
  };
}

/**
 * The annotation of a polygon that an earlier run wrote: polygon, area and score as they are there, every other field
 * as the input has it now. Fields that only the earlier annotation has (a reviewer's mark) stay, after the others.
 */
export function carriedAnnotation(instance: Instance, earlier: JsonObject): JsonObject {
  const { polyrnn_valid: _, ...raw } = instance.raw;
  const today: JsonObject = {
    ...raw,
    id: instance.annotationId,
    image_id: instance.imageId,
    category_id: instance.categoryId,
    bbox: raw["bbox"] ?? boxXywh(instance.box),
  };
  const hasScore = (detectorScore(raw) ?? undefined) !== undefined;
  const drawn = new Set(["segmentation", "area", ...(hasScore ? [] : ["score"]), "polyrnn_score"]);
  return joinFields(
    today,
    selectFields(earlier, (key) => key === "segmentation" || key === "area"),
    { iscrowd: 0 },
    selectFields(earlier, (key) => key !== "iscrowd" && (drawn.has(key) || !Object.hasOwn(today, key))),
  );
}

function detectorScore(raw: JsonObject): JsonValue | undefined {
  return raw["score"] === raw["polyrnn_score"] ? undefined : raw["score"];
}

function fromCityscapes(item: ResultItem, { size }: Sized, names: CategoryNames): JsonObject | undefined {
  const polygon = existingPolygon(item);
  const bounds = polygonBounds(polygon ?? []);
  const { categoryId } = categoryOf(item, names);
  if (polygon === undefined || bounds === undefined || categoryId === undefined || size === undefined) return undefined;
  return {
    ...rawOf(item),
    id: item.outcome.annotationId,
    image_id: item.outcome.imageId,
    category_id: categoryId,
    bbox: boxXywh(bounds),
    segmentation: polygon.map(flatRing),
    area: maskArea(polygon, size.width, size.height),
    iscrowd: passedOver(item) === "region" ? 1 : 0,
  };
}

function boxXywh({ left, top, width, height }: Box): number[] {
  return [left, top, width, height].map(roundPixels);
}

function flatRing(ring: Ring): number[] {
  return ring.flatMap(({ x, y }) => [roundPixels(x), roundPixels(y)]);
}

function maskArea(polygon: Polygon, width: number, height: number): number {
  return rleArea(rasterizePolygon(polygon, height, width));
}

/** One line of the stream, without its line break. */
export function resultLine(instance: Instance, outcome: DoneOutcome, segmentation?: Segmentation): string {
  return toJsonText(predictedAnnotation(instance, outcome, segmentation));
}

/**
 * A label of the input that goes out as it came, as annotations.json has it.
 * @returns one line without its line break; undefined for what annotations.json leaves out
 */
export function passedOverLine(item: ResultItem, image: ImageRecord, names: CategoryNames): string | undefined {
  const annotation = toCocoAnnotation(item, { size: sizeOfRecord(image) }, names);
  return annotation && toJsonText(annotation);
}
