/**
 * One result as a COCO annotation, for annotations.json and for the line-by-line stream.
 *
 * - Every field of the input goes out as it came in (ids, bbox, attributes, unknown ones), but for those below.
 * - segmentation: one polygon, [[x1, y1, x2, y2, ...]]; two decimals; never four numbers or fewer, which pycocotools
 *   takes for a box.
 * - area: pixels of the mask, as pycocotools counts them (mask.area of the polygon filled by the COCO rule).
 * - iscrowd: 0.
 * - polyrnn_score: the polygon's score, 0..1, always under this name. score: the detector's if the input had one, else
 *   the same value.
 *   A score equal to the polyrnn_score beside it was written by an earlier run, and is replaced.
 * - polyrnn_valid: false where the polygon crosses or touches itself, or has no area; absent otherwise.
 * - Labels of the input that were passed over (see write/labels.ts) go out unchanged, if they have a segmentation;
 *   Cityscapes ones
 *   get COCO's fields, groups iscrowd: 1. Failed instances have no annotation; the summary lists them.
 */
import { rasterizePolygon } from "../geometry/rasterize.js";
import { polygonBounds } from "../geometry/ring.js";
import { rleArea } from "../geometry/rle.js";
import { isValidRing } from "../geometry/simple-ring.js";
import type { Box, DoneOutcome, Instance, JsonObject, JsonValue, Polygon, Ring } from "../types.js";
import { categoryOf, existingPolygon, hasCocoSegmentation, passedOver, rawOf } from "./labels.js";
import { roundPixels } from "./rings.js";
import type { CategoryNames, ImageResult, ResultItem } from "./writer.js";

/** @returns undefined when the item has no polygon to write */
export function toCocoAnnotation(item: ResultItem, result: ImageResult, names: CategoryNames): JsonObject | undefined {
  if (item.kind === "outcome" && item.outcome.status === "done")
    return predictedAnnotation(item.instance, item.outcome);
  if (passedOver(item) === "none") return undefined;
  return hasCocoSegmentation(rawOf(item)) ? rawOf(item) : fromCityscapes(item, result, names);
}

/** The annotation of a polygon that was drawn. */
export function predictedAnnotation(instance: Instance, outcome: DoneOutcome): JsonObject {
  const { polyrnn_valid: _, ...raw } = instance.raw;
  return {
    ...raw,
    id: instance.annotationId,
    image_id: instance.imageId,
    category_id: instance.categoryId,
    bbox: raw["bbox"] ?? boxXywh(instance.box),
    segmentation: [flatRing(outcome.ring)],
    area: maskArea([outcome.ring], outcome.imageWidth, outcome.imageHeight),
    iscrowd: 0,
    score: detectorScore(raw) ?? outcome.score,
    polyrnn_score: outcome.score,
    ...(!isValidRing(outcome.ring) && { polyrnn_valid: false }),
  };
}

/**
 * The annotation of a polygon that an earlier run wrote: polygon, area and score as they are there, every other field
 * as the input has it today; fields that only the earlier annotation has (a reviewer's mark) stay, behind the others.
 */
export function carriedAnnotation(instance: Instance, earlier: JsonObject): JsonObject {
  const { polyrnn_valid: _, ...raw } = instance.raw;
  const score = detectorScore(raw) ?? earlier["score"];
  const carried: JsonObject = {
    ...raw,
    id: instance.annotationId,
    image_id: instance.imageId,
    category_id: instance.categoryId,
    bbox: raw["bbox"] ?? boxXywh(instance.box),
    segmentation: earlier["segmentation"]!,
    ...(earlier["area"] !== undefined && { area: earlier["area"] }),
    iscrowd: 0,
    ...(score !== undefined && { score }),
    ...(earlier["polyrnn_score"] !== undefined && { polyrnn_score: earlier["polyrnn_score"] }),
  };
  return { ...carried, ...Object.fromEntries(Object.entries(earlier).filter(([key]) => !Object.hasOwn(carried, key))) };
}

function detectorScore(raw: JsonObject): JsonValue | undefined {
  return raw["score"] === raw["polyrnn_score"] ? undefined : raw["score"];
}

function fromCityscapes(item: ResultItem, { size }: ImageResult, names: CategoryNames): JsonObject | undefined {
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

/* The stream of `--out -`: one COCO annotation per line, as in annotations.json, in input order. */

/** @returns one line without its line break */
export function resultLine(instance: Instance, outcome: DoneOutcome): string {
  return JSON.stringify(predictedAnnotation(instance, outcome));
}
