/**
 * Labels that were in the input and that this run did not touch: which ones go out, and how they read.
 *
 * What people made is never lost: an annotation that was passed over (kept, a crowd, a category that was not asked for) goes out
 * unchanged wherever the format can hold it. An annotation that failed, or whose polygon scored below the limit, was this run's to
 * draw and has no polygon; the summary lists it.
 */
import { decodeRle } from "../geometry/rle.js";
import { signedArea } from "../geometry/ring.js";
import type { ImagePoint, JsonObject, JsonValue, Polygon, Ring, SkipReason } from "../types.js";
import { joinRings } from "./single-ring.js";
import { traceMask } from "./trace-mask.js";
import type { ResultItem } from "./writer.js";

/** How each passed-over annotation counts: one instance, a region of several, or none. */
const PASSED_OVER: Readonly<Record<SkipReason, "instance" | "region" | "none">> = {
  kept: "instance",
  category: "instance",
  crowd: "region",
  group: "region",
  deleted: "none",
  hidden: "none",
  "score-below-minimum": "none",
};

/** The annotation as read, whichever way it took. */
export function rawOf(item: ResultItem): JsonObject {
  return item.kind === "outcome" ? item.instance.raw : item.raw;
}

/** Whether the item is a label of the input that goes out unchanged, and what it labels. */
export function passedOver(item: ResultItem): "instance" | "region" | "none" {
  return item.outcome.status === "skipped" ? PASSED_OVER[item.outcome.reason] : "none";
}

/** True when a COCO annotation has a segmentation that pycocotools can be given: a list with something in it, or a mask. */
export function hasCocoSegmentation(raw: JsonObject): boolean {
  const segmentation = raw["segmentation"];
  if (Array.isArray(segmentation)) return segmentation.length > 0;
  return typeof segmentation === "object" && segmentation !== null && Object.hasOwn(segmentation, "counts");
}

/**
 * Polygon of an annotation as read: COCO polygons or mask, or a Cityscapes polygon. A mask with holes gives one ring that is bridged
 * to its holes, because a list of rings is a union.
 * @returns undefined when there is none
 * @throws E_DATA when there is a mask that cannot be read
 */
export function readExistingPolygon(raw: JsonObject): Polygon | undefined {
  const segmentation = raw["segmentation"];
  if (Array.isArray(segmentation)) return nonEmpty(segmentation.flatMap(ringOfFlatList));
  if (hasCocoSegmentation(raw)) {
    const rings = traceMask(decodeRle(segmentation, `annotation ${JSON.stringify(raw["id"] ?? null)}`));
    return nonEmpty(rings.some((ring) => signedArea(ring) < 0) ? [joinRings(rings)] : rings);
  }
  return nonEmpty(ringOfPairs(raw["polygon"]));
}

function nonEmpty(rings: readonly Ring[]): Polygon | undefined {
  return rings.length > 0 ? rings : undefined;
}

/** [x1, y1, x2, y2, ...]; three points or more. */
function ringOfFlatList(list: JsonValue): Ring[] {
  if (!Array.isArray(list) || list.length < 6 || list.length % 2 !== 0 || !list.every((value) => Number.isFinite(value))) return [];
  const numbers = list as number[];
  return [Array.from({ length: numbers.length / 2 }, (_, i) => ({ x: numbers[2 * i]!, y: numbers[2 * i + 1]! }))];
}

/** [[x1, y1], [x2, y2], ...]; three points or more. */
function ringOfPairs(list: JsonValue | undefined): Ring[] {
  if (!Array.isArray(list) || list.length < 3) return [];
  const ring: ImagePoint[] = [];
  for (const pair of list) {
    if (!Array.isArray(pair)) return [];
    const [x, y] = pair;
    if (typeof x !== "number" || typeof y !== "number" || !Number.isFinite(x) || !Number.isFinite(y)) return [];
    ring.push({ x, y });
  }
  return [ring];
}
