/**
 * Who predicts the batches of a run: this process (annotate/local-predictor.ts), or workers behind a queue (queue/).
 * The main path asks, stores what comes back, and asks for more; it does not know who answers.
 */
import type { CropSource } from "../crop/read-crops.js";
import type { PassedOver } from "../engine/devices.js";
import type { Model } from "../model/model.js";
import type { RunIdentity } from "../runs/identity.js";
import type { PredictingEngine } from "../runs/run-file.js";
import type { AnnotateHost, AnnotateOptions } from "./options.js";
import type { Plan } from "./plan.js";
import type { PredictedInstance } from "./predict-batch.js";
import type { StageClock } from "./summary.js";

export interface PredictRequest {
  /** Images with instances to predict now, each with only these, in input order. */
  readonly sources: AsyncIterable<CropSource>;
  /** Says which instances make a batch. */
  readonly plan: Plan;
  /** Options that change a result, and the input and model they were given for. */
  readonly identity: RunIdentity;
  readonly batchSize: number;
  readonly clock: StageClock;
}

export interface Predictor {
  /** Crops per batch when the user does not say. */
  readonly batchSize: number;
  /** Instances per second that are usual for this model and device; absent where nobody knows. */
  readonly usualPerSecond?: number;
  /** Absent: float32, or nobody knows (the workers of a queue). */
  readonly precision?: "float16";
  /** Better devices that were not taken, and why. */
  readonly passedOver: readonly PassedOver[];
  /** What does the work; a queue knows it only by the results that have come. */
  engine(): PredictingEngine;
  /**
   * Yields the outcomes of whole batches, each instance once, in any order of batches. What was yielded counts as
   * stored when the next batch is asked for. When the host's signal is aborted nothing new is begun; what is under way
   * is yielded or left to a resumed run. Returning early stops the work behind it.
   */
  predict(request: PredictRequest): AsyncGenerator<readonly PredictedInstance[], void, undefined>;
  /** Releases the device; a second call does nothing. `engine` still answers. */
  close(): Promise<void>;
}

export type OpenPredictor = (model: Model, options: AnnotateOptions, host: AnnotateHost) => Promise<Predictor>;
