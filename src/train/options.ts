/**
 * What a training run is asked: data (see train/data/training-set.ts), network, start, optimizer, schedule, when to
 * look.
 */
import type { DeviceChoice } from "../engine/devices.js";
import type { LearningRates } from "../engine/trainer.js";
import { receivedOf, usageError } from "../errors.js";
import { MAX_STEPS, MAX_STEPS_RANGE } from "../predict/options.js";
import type { TruthOptions } from "./data/open-truth.js";
import type { TrainingSetOptions } from "./data/training-set.js";

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
  /**
   * What is trained: "mobile", "vgg16" or "tiny" as they are by default, else a model (name or path) whose architecture
   * and normalization are taken.
   */
  readonly model: string;
  /**
   * Where the weights start: a model (name or path), or a .safetensors file, which may hold only some of them; absent:
   * random.
   */
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
  readonly backboneLearningRate: number;
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
  backboneLearningRate: 3e-4,
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
  maxSteps: MAX_STEPS,
};

/* Ranges of a recipe's numbers, whoever gives them: the command line, another program, or a run.json. */

interface Range {
  readonly low: number;
  readonly high: number;
  readonly isWhole?: true;
  readonly isOptional?: true;
}

/** By name of the option; most bounds only keep out what cannot be meant. */
export const RECIPE_RANGES = {
  batchSize: { low: 1, high: 4096, isWhole: true },
  steps: { low: 1, high: 1e8, isWhole: true },
  backboneLearningRate: { low: 0, high: 10 },
  rate: { low: 0, high: 10 },
  warmUp: { low: 0, high: 1e8, isWhole: true },
  dropEvery: { low: 1, high: 1e8, isWhole: true },
  weightDecay: { low: 0, high: 1 },
  clipNorm: { low: 0, high: 1e6 },
  average: { low: 0, high: 0.999999 },
  truncate: { low: 1, high: 1000, isWhole: true, isOptional: true },
  smoothing: { low: 0, high: 1 },
  reportEvery: { low: 1, high: 1e8, isWhole: true },
  validateEvery: { low: 1, high: 1e8, isWhole: true },
  checkpointEvery: { low: 1, high: 1e8, isWhole: true },
  maxSteps: { ...MAX_STEPS_RANGE, isWhole: true },
  threads: { low: 1, high: 1024, isWhole: true, isOptional: true },
} as const satisfies Partial<Record<keyof Recipe, Range>>;

/** @throws E_USAGE naming the first option out of range */
export function checkOptions(recipe: Recipe): void {
  for (const [name, range] of Object.entries(RECIPE_RANGES)) {
    const value: number | undefined = recipe[name as keyof typeof RECIPE_RANGES];
    checkNumber(name, value, range);
  }
  for (const [part, weight] of Object.entries<number>({ ...recipe.lossWeights }))
    checkNumber(`loss weight ${part}`, weight, { low: 0, high: 1e6 });
  if (!["cosine", "step"].includes(recipe.schedule))
    throw usageError(
      `schedule: expected cosine or step but received ${receivedOf(recipe.schedule)}`,
      "cosine is the default.",
    );
}

function checkNumber(name: string, value: number | undefined, { low, high, isWhole, isOptional }: Range): void {
  if (value === undefined && isOptional === true) return;
  if (typeof value === "number" && value >= low && value <= high && (isWhole !== true || Number.isInteger(value)))
    return;
  throw usageError(
    `${name}: expected a ${isWhole === true ? "whole " : ""}number from ${low} to ${high} but received ${receivedOf(value)}`,
    "Correct the option.",
  );
}

/*
 * Learning rates by step: a linear rise, then a half cosine or steps down. Pure: a resumed run has the rates of the
 * undisturbed one.
 */

/** What the cosine ends at, as a part of the peak: the last steps still move. */
const COSINE_FLOOR = 0.01;
/** Castrejon et al., CVPR 2017: divided by 10. */
const STEP_FACTOR = 0.1;

/** @param step optimizer steps done before this one, from 0 */
export function ratesAt(
  step: number,
  recipe: Pick<Recipe, "steps" | "rate" | "backboneLearningRate" | "schedule" | "warmUp" | "dropEvery">,
): LearningRates {
  const rise = recipe.warmUp > 0 ? Math.min(1, (step + 1) / recipe.warmUp) : 1;
  const factor =
    rise *
    (recipe.schedule === "cosine" ? cosine(step / recipe.steps) : STEP_FACTOR ** Math.floor(step / recipe.dropEvery));
  return { head: recipe.rate * factor, backbone: recipe.backboneLearningRate * factor };
}

/** @param part of the run that is over, 0..1 @returns 1 down to the floor */
function cosine(part: number): number {
  return COSINE_FLOOR + (1 - COSINE_FLOOR) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, part)));
}
