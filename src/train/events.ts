/**
 * Events of a training run, and the lines of metrics.ndjson.
 *
 * The loop calls the events one after the other and waits for each; they show things and decide nothing.
 * `metrics.ndjson` has one line of JSON per `reportEvery` steps and one per validation. A resumed run cuts off the
 * lines after its checkpoint and writes them again, so that the file reads as if nothing had happened. Only the fields
 * named `...PerSecond` depend on the clock.
 */
import type { ImagePoint } from "../types.js";

/** Parts of the loss; their weighted sum is what is minimized. Natural logarithms. */
export interface LossParts {
  readonly total: number;
  /** Smoothed cross-entropy, mean over live decoder steps. */
  readonly steps: number;
  /** Binary cross-entropies per grid cell. */
  readonly edge: number;
  readonly vertex: number;
  /** Absent where the network has no mask map. */
  readonly mask?: number;
  /** Per cell of the refined mask; absent where the network has none. */
  readonly fineMask?: number;
}

/** A line of metrics.ndjson: means over the steps since the line before. */
export interface StepLine {
  readonly type: "step";
  /** Steps done, from 1. */
  readonly step: number;
  readonly losses: LossParts;
  /** Share of live decoder steps whose best class is the true one, 0..1. */
  readonly accuracy: number;
  /** Mean IoU of the mask map with the truth on the grid; absent where the network has no mask map. */
  readonly maskIou?: number;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
  /** Learning rates of this step. `trunk`, the name in metrics files, is the encoder's backbone. */
  readonly rates: { readonly head: number; readonly trunk: number };
  readonly instancesPerSecond: number;
}

/** Means over instances, 0..1, COCO rasterizer. */
export interface SourceScore {
  readonly iou: number;
  readonly boxIou: number;
  readonly instances: number;
}

/** A prediction for one of the validation crops that are shown: always the same ones, in the same order. */
export interface PredictedCrop {
  readonly annotationId: number | string;
  readonly source: string;
  /** Predicted ring in crop pixels, 0..224; empty when the sequence was no polygon. */
  readonly ring: readonly ImagePoint[];
  readonly iou: number;
}

/** The other line of metrics.ndjson. */
export interface ValidationLine {
  readonly type: "validation";
  readonly step: number;
  /** Over all instances. */
  readonly all: SourceScore;
  readonly bySource: Readonly<Record<string, SourceScore>>;
  /** Instances whose sequence was no polygon; they count as IoU 0. */
  readonly failed: number;
  /** True when this is the best so far: the model in the run folder is then of this step. */
  readonly isBest: boolean;
  /** At most eight. */
  readonly drawn: readonly PredictedCrop[];
  readonly instancesPerSecond: number;
}

export type MetricsLine = StepLine | ValidationLine;

/** Pixels and truth behind `ValidationLine.drawn`, in its order. */
export interface PictureCrop {
  readonly annotationId: number | string;
  readonly source: string;
  /** [224, 224, 3] uint8 RGB. */
  readonly pixels: Uint8Array;
  /** True rings in crop pixels, 0..224 where they lie inside. */
  readonly truth: readonly (readonly ImagePoint[])[];
}

export interface RunStarted {
  /** The run folder, absolute. */
  readonly folder: string;
  /** "mobile", ... */
  readonly architecture: string;
  /** How many numbers are trained. */
  readonly trainable: number;
  /** How many numbers are not trained. */
  readonly frozen: number;
  /** Where the weights start, for people: "102 tensors of x.safetensors, 16 random from seed 0". */
  readonly start: string;
  readonly instances: number;
  readonly images: number;
  readonly bySource: ReadonlyMap<string, number>;
  /** Reason -> instances left out. */
  readonly dropped: ReadonlyMap<string, number>;
  readonly validationInstances: number;
  /** "tfjs on cpu (@tensorflow/tfjs-node 4.22.0)" */
  readonly device: string;
  /** Steps already done: 0, or those of the checkpoint. */
  readonly doneSteps: number;
  readonly steps: number;
  readonly batchSize: number;
}

export interface RunEnded {
  /** `stopped`: the signal was given, and the folder has a checkpoint of this step. */
  readonly reason: "done" | "stopped";
  readonly step: number;
  /** Best validation so far; absent when there was none. */
  readonly best?: { readonly step: number; readonly iou: number };
  readonly seconds: number;
  readonly folder: string;
}

/** What a training page is made of. Complete at every call, lines from before a resume included. */
export interface TrainingHistory {
  readonly folder: string;
  readonly lines: readonly MetricsLine[];
  readonly crops: readonly PictureCrop[];
}

export interface TrainEvents {
  started?(run: RunStarted): void | Promise<void>;
  /** After every step; has a `line` when one was written. */
  step?(now: {
    readonly step: number;
    readonly steps: number;
    readonly losses: LossParts;
    readonly accuracy: number;
    readonly instancesPerSecond: number;
    readonly secondsLeft: number;
    readonly line?: StepLine;
  }): void | Promise<void>;
  /** During a validation: how many of all instances are done. */
  validating?(now: { readonly step: number; readonly done: number; readonly all: number }): void | Promise<void>;
  /** After a validation's line was written. */
  validation?(line: ValidationLine, history: TrainingHistory): void | Promise<void>;
  /** A checkpoint was written. */
  checkpoint?(now: { readonly step: number; readonly folder: string }): void | Promise<void>;
  /** Something worth knowing that is no error, such as a damaged image that is left out. */
  note?(text: string): void | Promise<void>;
  ended?(run: RunEnded): void | Promise<void>;
}
