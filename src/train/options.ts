/** What a training run is asked: data (see training-set.ts), network, start, optimizer, schedule, when to look. */
import type { DeviceChoice } from "../runtime/devices.js";
import type { TruthOptions } from "./open-truth.js";
import type { TrainingSetOptions } from "./training-set.js";

/** What is trained on; goes into run.json as it is. */
export interface TrainingData extends Omit<TrainingSetOptions, "batchSize" | "seed" | "sourceWeights" | "onDamaged"> {
  readonly sourceWeights?: Readonly<Record<string, number>>;
}

export interface TrainOptions extends Recipe {
  /** The run folder: made when it is not there, else empty. */
  readonly out: string;
  readonly data: TrainingData;
  /** Absent: nothing is validated, and the model is the one of the last step. */
  readonly validation?: Omit<TruthOptions, "seed">;
}

/** Weights of the loss parts in their sum. */
export interface LossWeights {
  readonly steps: number;
  readonly edge: number;
  readonly vertex: number;
  readonly mask: number;
}

export interface Recipe {
  /** What is trained: "mobile", "vgg16" or "tiny" as they are by default, else a model (name or path) whose architecture and normalization are taken. */
  readonly model: string;
  /** Where the weights start: a model (name or path), or a .safetensors file, which may hold only some of them; absent: random. */
  readonly init?: string;
  readonly device: DeviceChoice;
  /** Threads inside one operation on the CPU; the library's own choice when absent. */
  readonly threads?: number;
  /** Of random initial weights; the data side takes its own from the same number. */
  readonly seed: number;
  /** Crops per step. */
  readonly batchSize: number;
  /** Optimizer steps in all. */
  readonly steps: number;
  /** Peak learning rates, of the encoder's trunk and of everything else. */
  readonly trunkRate: number;
  readonly rate: number;
  readonly schedule: "cosine" | "step";
  /** Steps over which the rates rise from 0. */
  readonly warmUp: number;
  /** Schedule `step`: the rates are divided by 10 after every so many steps. */
  readonly dropEvery: number;
  /** AdamW's decoupled weight decay; 0: plain Adam. */
  readonly weightDecay: number;
  /** Largest global norm of the gradient; 0: no clipping. */
  readonly clipNorm: number;
  /** Decay per step of the moving average of the weights that is validated and saved; 0: the weights themselves are. */
  readonly average: number;
  /** Layers of the trunk up to and including this one ("block_2", "conv2_2") stay as they are. */
  readonly freeze?: string;
  /** Gradients reach back this many decoder steps; absent: to the first. */
  readonly truncate?: number;
  readonly lossWeights: LossWeights;
  /** Weight of each 4-neighbor of the true cell in the targets, the cell itself having 1; 0: one-hot. */
  readonly smoothing: number;
  /** Steps per line of metrics.ndjson. */
  readonly reportEvery: number;
  /** Steps between validations; there is one after the last step in any case. */
  readonly validateEvery: number;
  /** Steps between checkpoints; every validation writes one as well. */
  readonly checkpointEvery: number;
  /** Decoder steps at most in validation. */
  readonly maxSteps: number;
}

/** The recipe of the model that comes with the program, where nothing else is said. */
export const DEFAULT_RECIPE: Recipe = {
  model: "mobile",
  device: "auto",
  seed: 0,
  batchSize: 16,
  steps: 10_000,
  trunkRate: 3e-4,
  rate: 1.5e-3,
  schedule: "cosine",
  warmUp: 200,
  dropEvery: 4_000,
  weightDecay: 1e-4,
  clipNorm: 5,
  average: 0.999,
  lossWeights: { steps: 1, edge: 1, vertex: 1, mask: 1 },
  smoothing: 0.5,
  reportEvery: 50,
  validateEvery: 500,
  checkpointEvery: 250,
  maxSteps: 71,
};
