/** One batch of crops to outcomes: the decoder predicts, everything else here is bookkeeping. */
import type { Crop, CropResult } from "../crop/crop.js";
import type { DecodeBatch } from "../predict/outline.js";
import type { Prediction, PredictOptions } from "../predict/predict.js";
import { predictWith } from "../predict/predict.js";
import type { Failure, Instance, Outcome } from "../types.js";
import type { StageClock } from "./summary.js";

export interface OutcomeOptions extends PredictOptions {
  /** Polygons with a lower score are left out. */
  readonly minScore: number;
}

/** What became of an instance. */
export interface PredictedInstance {
  readonly instance: Instance;
  readonly outcome: Outcome;
}

/** @returns one outcome per crop result, in order; instances without a crop are failures already */
export async function predictInstances(
  decode: DecodeBatch,
  batch: readonly CropResult[],
  options: OutcomeOptions,
  clock: StageClock,
): Promise<PredictedInstance[]> {
  const crops = batch.flatMap((result) => (result.kind === "crop" ? [result.crop] : []));
  const predictions = crops.length === 0 ? [] : await predict(decode, crops, options, clock);
  let next = 0;
  return batch.map((result): PredictedInstance =>
    result.kind === "failed"
      ? { instance: result.instance, outcome: failedOutcome(result.instance, result.failure) }
      : { instance: result.crop.instance, outcome: toOutcome(predictions[next++]!, options.minScore) },
  );
}

async function predict(
  decode: DecodeBatch,
  crops: readonly Crop[],
  options: OutcomeOptions,
  clock: StageClock,
): Promise<Prediction[]> {
  const { predictions, times } = await predictWith(decode, crops, options);
  clock.add("encode", times.encodeMs);
  clock.add("steps", times.stepsMs);
  return predictions;
}

function toOutcome(prediction: Prediction, minScore: number): Outcome {
  const { crop } = prediction;
  const { ordinal, annotationId, imageId } = crop.instance;
  if (prediction.kind === "failed") return failedOutcome(crop.instance, prediction.failure);
  // Compared as it is written, so that --min-score with the score in a file keeps that polygon.
  const { score } = prediction;
  if (score < minScore) return { ordinal, annotationId, imageId, status: "skipped", reason: "score-below-minimum" };
  return {
    ordinal,
    annotationId,
    imageId,
    status: "done",
    ring: prediction.ring,
    score,
    ended: prediction.ended,
    clipped: crop.clipped,
    imageWidth: crop.imageWidth,
    imageHeight: crop.imageHeight,
  };
}

function failedOutcome({ ordinal, annotationId, imageId }: Instance, { reason, message }: Failure): Outcome {
  return { ordinal, annotationId, imageId, status: "failed", reason, message };
}
