/**
 * Crops in, polygons out: runs the decode loop on a batch and brings the cells back to image pixels. Knows no files.
 */
import { count } from "../count.js";
import type { Crop, CropFrame } from "../crop/crop.js";
import { CROP_BYTES } from "../crop/crop.js";
import type { Engine } from "../engine/engine.js";
import { gridToImagePoint } from "../geometry/grid.js";
import { orientClockwise } from "../geometry/ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import type { Failure, ImagePoint, Ring } from "../types.js";
import type { BestSequence, DecodeBatch } from "./candidates.js";
import { scoreOf } from "./choose-vertex.js";
import type { DecodeTimes } from "./decode.js";
import { decoderOf } from "./decoder.js";
import type { DecodeOptions } from "./options.js";
import { placeVertices } from "./place-vertices.js";

export interface PredictOptions extends DecodeOptions {
  /** Douglas-Peucker tolerance in image pixels; 0 keeps every vertex. */
  readonly simplify: number;
}

interface Predicted {
  readonly predictions: Prediction[];
  readonly times: DecodeTimes;
}

export type Prediction =
  | {
      readonly kind: "polygon";
      readonly crop: Crop;
      readonly ring: Ring;
      /** 0..1, four decimals. */
      readonly score: number;
      readonly ended: boolean;
    }
  | { readonly kind: "failed"; readonly crop: Crop; readonly failure: Failure };

/** On an engine in this thread. @returns one prediction per crop, in order */
export function predictBatch(engine: Engine, crops: readonly Crop[], options: PredictOptions): Promise<Predicted> {
  return predictWith(decoderOf(engine).decode, crops, options);
}

/** @returns one prediction per crop, in order */
export async function predictWith(
  decode: DecodeBatch,
  crops: readonly Crop[],
  options: PredictOptions,
): Promise<Predicted> {
  const { maxSteps, candidates } = options;
  const { sequences, times } = await decode(stackPixels(crops), crops, { maxSteps, candidates });
  return { predictions: crops.map((crop, at) => toPrediction(crop, sequences[at]!, options)), times };
}

/** Pixels of all crops, [crops.length, 224, 224, 3] uint8. */
export function stackPixels(crops: readonly Crop[]): Uint8Array {
  const stacked = new Uint8Array(crops.length * CROP_BYTES); // [B, 224, 224, 3]
  crops.forEach((crop, at) => {
    stacked.set(crop.pixels, at * CROP_BYTES);
  });
  return stacked;
}

function toPrediction(crop: Crop, sequence: BestSequence, options: PredictOptions): Prediction {
  const { ring: predicted, distinct } = sequenceToRing(sequence.cells, crop, sequence.maskLogits);
  if (distinct < 3) {
    const failure: Failure = {
      reason: "too-few-vertices",
      message:
        `annotation ${crop.instance.annotationId}: expected a sequence with at least 3 distinct vertices, ` +
        `received ${distinct} after ${count(sequence.steps, "step")}; draw this one by hand, or try a larger --context`,
    };
    return { kind: "failed", crop, failure };
  }
  const ring = options.simplify > 0 ? simplifyRing(predicted, options.simplify) : predicted;
  return {
    kind: "polygon",
    crop,
    ring,
    score: polygonScore(sequence),
    ended: sequence.ended,
  };
}

/**
 * The score of a polygon, wherever one is written: as a simulation's `polyrnn_score` as in `annotate`'s.
 * @returns 0..1, four decimals
 */
export function polygonScore({
  expectedIoU,
  logProbability,
  steps,
}: Pick<BestSequence, "expectedIoU" | "logProbability" | "steps">): number {
  return Math.round((expectedIoU ?? scoreOf(logProbability, steps)) * 1e4) / 1e4;
}

/**
 * Cell indices -> clockwise ring in image pixels, rounded to two decimals; predict/place-vertices.ts says where in
 * their cells. Vertices outside the box move onto its border. The object lies within its box, but the crop shows more,
 * and a cell is a twenty-fourth of the box's long side. That alone gains IoU (bench/README.md), and it keeps points on
 * the image, outside of which labeling tools refuse them. Vertices equal to their neighbor are dropped.
 * @param maskLogits the crop's mask map, [784]; undefined where the network has none
 * @returns the ring and its number of distinct vertices; with fewer than three it is no polygon
 */
export function sequenceToRing(
  cells: readonly number[],
  { window, bounds }: CropFrame,
  maskLogits: Float32Array | undefined,
): { ring: Ring; distinct: number } {
  const points = placeVertices(cells, maskLogits).map((point): ImagePoint => {
    const { x, y } = gridToImagePoint(point, window);
    return {
      x: roundToHundredth(clamp(x, bounds.left, bounds.width)),
      y: roundToHundredth(clamp(y, bounds.top, bounds.height)),
    };
  });
  const ring = points.filter((point, at) => !isSamePoint(point, points.at(at - 1)!));
  const distinct = Math.min(new Set(cells).size, new Set(points.map(({ x, y }) => `${x} ${y}`)).size);
  return { ring: orientClockwise(ring), distinct };
}

function isSamePoint(a: ImagePoint, b: ImagePoint): boolean {
  return a.x === b.x && a.y === b.y;
}
function clamp(value: number, from: number, length: number): number {
  return Math.min(from + length, Math.max(from, value));
}
function roundToHundredth(value: number): number {
  return Math.round(value * 100) / 100;
}
