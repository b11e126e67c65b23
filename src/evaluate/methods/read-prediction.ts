/**
 * One prediction from its record to a mask, or why it counts as IoU 0; and remarks on what looks wrong but is evaluated
 * all the same.
 */
import { PolyrnnError } from "../../errors.js";
import type { Rasterizer } from "../../geometry/iou.js";
import { boxIou, rasterizeTruth } from "../../geometry/iou.js";
import { crossesItself, MOST_EXAMINED_VERTICES, polygonBounds } from "../../geometry/ring.js";
import { rleArea } from "../../geometry/rle.js";
import { readSegmentation } from "../../geometry/segmentation.js";
import type { Box, ImageRecord, Instance, JsonObject, Polygon, Truth } from "../../types.js";
import type { MaskFailure } from "../reasons.js";
import { boxOf, SMALLEST_BOX_IOU } from "./match-predictions.js";
import type { MaskResult, Remark } from "./method.js";
import type { PredictionRecord } from "./prediction-file.js";

/** More vertices than this are remarked on. */
const MANY_VERTICES = 1000;

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

export interface PredictionPlace {
  /** Place in the file, opens the message of a problem. */
  readonly where: string;
  /** Pixels, as the annotations count them. */
  readonly size: ImageSize;
}

export function readPrediction(
  record: PredictionRecord,
  { where, size }: PredictionPlace,
  rule: Rasterizer,
): MaskResult {
  if (record.problem !== undefined) return failed("prediction-invalid", `${where}: ${record.problem}`);
  const { truth: shape, truthProblem, truthLeftOut } = readSegmentation(record.raw["segmentation"], where, size);
  if (truthProblem !== undefined) return failed("polygon-invalid", truthProblem);
  if (shape === undefined) return failed("polygon-missing", `${where}: expected a segmentation, received none`);
  const score = scoreOf(record.raw);
  const filled = fill(shape, where, size, rule);
  if (filled.kind === "failed") return filled;
  return {
    ...filled,
    ...(shape.kind === "polygon" && { polygon: shape.polygon }),
    ...(score !== undefined && { score }),
    remarks: [
      ...(truthLeftOut === undefined ? [] : [{ reason: "polygon-part-left-out", message: truthLeftOut } as const]),
      ...(shape.kind === "polygon" ? shapeRemarks(shape.polygon, where) : []),
    ],
  };
}

function fill(shape: Truth, where: string, size: ImageSize, rule: Rasterizer): MaskResult {
  try {
    const mask = rasterizeTruth(shape, size.height, size.width, rule);
    if (rleArea(mask) > 0) return { kind: "mask", mask };
  } catch (error) {
    if (!(error instanceof PolyrnnError)) throw error;
    return failed("polygon-invalid", `${where}: ${error.message}`);
  }
  if (shape.kind === "polygon" && isOutside(polygonBounds(shape.polygon), size)) {
    return failed(
      "polygon-outside",
      `${where}: expected a polygon on the image of ${size.width} x ${size.height} pixels, ` +
        "received one that lies outside",
    );
  }
  return failed("polygon-empty", `${where}: expected a shape that covers a pixel, received one that covers none`);
}

function isOutside(bounds: Box | undefined, { width, height }: ImageSize): boolean {
  if (bounds === undefined) return false;
  const { left, top } = bounds;
  return left >= width || top >= height || left + bounds.width <= 0 || top + bounds.height <= 0;
}

/** The polygon's own score where a run wrote one, else the file's; any finite number, the caller checks its range. */
function scoreOf(raw: JsonObject): number | undefined {
  for (const name of ["polyrnn_score", "score"]) {
    const value = Object.hasOwn(raw, name) ? raw[name] : undefined;
    if (typeof value === "number" && Number.isFinite(value)) return value;
  }
  return undefined;
}

function shapeRemarks(polygon: Polygon, where: string): Remark[] {
  const remarks: Remark[] = [];
  const most = polygon.reduce((largest, ring) => Math.max(largest, ring.length), 0);
  if (most > MANY_VERTICES) {
    const note = most > MOST_EXAMINED_VERTICES ? `; above ${MOST_EXAMINED_VERTICES} crossings are not looked for` : "";
    remarks.push({ reason: "polygon-many-vertices", message: `${where}, ${most} vertices${note}` });
  }
  if (polygon.some(crossesItself)) remarks.push({ reason: "polygon-crosses-itself", message: where });
  return remarks;
}

/** What does not fit between a prediction and the instance its id names. */
export function matchRemarks(record: PredictionRecord, instance: Instance, image: ImageRecord): Remark[] {
  const remarks: Remark[] = [];
  const category = record.raw["category_id"];
  if (category !== undefined && category !== instance.categoryId) {
    remarks.push({ reason: "prediction-category" });
  }
  const box = record.raw["bbox"] === undefined ? undefined : boxOf(record, image);
  if (box !== undefined && boxIou(box, instance.box) < SMALLEST_BOX_IOU) {
    remarks.push({ reason: "prediction-box" });
  }
  return remarks;
}

function failed(reason: MaskFailure, message: string): MaskResult & { kind: "failed" } {
  return { kind: "failed", reason, message };
}
