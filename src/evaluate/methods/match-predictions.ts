/**
 * Which prediction belongs to which instance of one image.
 *
 * - "id": the annotation ids are the same (a run writes the ids of its boxes). The first prediction of an id counts.
 * - "box": for files without ids. Within an image and a category the pair whose boxes overlap most is matched first, as
 *   in COCO's evaluation; of equal pairs the first in input order. Below IoU 0.5 nothing is matched. A prediction
 *   without `bbox` has the bounds of its segmentation.
 *
 * What is left over is listed with its reason and takes no part in any mean; an instance without a prediction counts as
 * IoU 0.
 */
import { checkBox } from "../../geometry/box.js";
import { boxIou } from "../../geometry/iou.js";
import { polygonBounds } from "../../geometry/ring.js";
import { rleBounds } from "../../geometry/rle.js";
import { readSegmentation } from "../../geometry/segmentation.js";
import type { Box, Id, ImageRecord, Instance } from "../../types.js";
import type { LeftOverReason } from "../reasons.js";
import type { PredictionRecord } from "./prediction-file.js";

export type MatchBy = "id" | "box";

/** Boxes that overlap less belong to different objects. */
export const SMALLEST_BOX_IOU = 0.5;

/** A prediction that takes no part. */
export interface LeftOver {
  readonly record: PredictionRecord;
  readonly reason: LeftOverReason;
}

export interface Matches {
  /** By ordinal of the instance. */
  readonly byInstance: ReadonlyMap<number, PredictionRecord>;
  readonly leftOver: readonly LeftOver[];
}

/**
 * @param excludedIds ids of this image's annotations that are not evaluated (crowds, broken ones): predictions of these
 *   are no mistake
 */
export function matchById(
  instances: readonly Instance[],
  excludedIds: ReadonlySet<Id>,
  records: readonly PredictionRecord[],
): Matches {
  const instanceOf = new Map(instances.map((instance) => [instance.annotationId, instance.ordinal]));
  const byInstance = new Map<number, PredictionRecord>();
  const leftOver: LeftOver[] = [];
  for (const record of records) {
    const ordinal = record.id === undefined ? undefined : instanceOf.get(record.id);
    if (ordinal !== undefined && !byInstance.has(ordinal)) byInstance.set(ordinal, record);
    else leftOver.push({ record, reason: reasonById(record, ordinal !== undefined, excludedIds) });
  }
  return { byInstance, leftOver };
}

function reasonById(record: PredictionRecord, isTaken: boolean, excludedIds: ReadonlySet<Id>): LeftOverReason {
  if (record.id === undefined) return "prediction-without-id";
  if (isTaken) return "prediction-duplicate";
  return excludedIds.has(record.id) ? "prediction-excluded" : "prediction-unknown";
}

export function matchByBox(
  instances: readonly Instance[],
  records: readonly PredictionRecord[],
  image: ImageRecord,
): Matches {
  const boxes = records.map((record) => boxOf(record, image));
  const pairs: { readonly instance: Instance; readonly record: number; readonly iou: number }[] = [];
  for (const instance of instances) {
    for (const [record, box] of boxes.entries()) {
      if (box === undefined || records[record]!.raw["category_id"] !== instance.categoryId) continue;
      const iou = boxIou(instance.box, box);
      if (iou >= SMALLEST_BOX_IOU) pairs.push({ instance, record, iou });
    }
  }
  // The sort is stable: equal pairs stay in input order.
  pairs.sort((a, b) => b.iou - a.iou);
  const byInstance = new Map<number, PredictionRecord>();
  const taken = new Set<number>();
  for (const { instance, record } of pairs) {
    if (taken.has(record) || byInstance.has(instance.ordinal)) continue;
    byInstance.set(instance.ordinal, records[record]!);
    taken.add(record);
  }
  const overlapping = new Set(pairs.map(({ record }) => record));
  const leftOver = records.flatMap((record, i): LeftOver[] =>
    taken.has(i) ? [] : [{ record, reason: overlapping.has(i) ? "prediction-duplicate" : "prediction-unknown" }],
  );
  return { byInstance, leftOver };
}

/** The prediction's own box, or the bounds of what it outlines; undefined when it has neither. */
export function boxOf({ raw }: PredictionRecord, image: ImageRecord): Box | undefined {
  if (raw["bbox"] !== undefined) {
    const checked = checkBox(raw["bbox"], "");
    return checked.kind === "box" ? checked.box : undefined;
  }
  const { truth } = readSegmentation(raw["segmentation"], "", image);
  if (truth === undefined) return undefined;
  return truth.kind === "polygon" ? polygonBounds(truth.polygon) : rleBounds(truth.rle);
}
