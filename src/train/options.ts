/**
 * What a training run may be asked, with defaults and ranges: data, network, start, optimizer, schedule, reports.
 * The command line imports this file alone, so it loads nothing heavy.
 */
import type { BoxUnit } from "../dataset/relative-boxes.js";
import type { CellName } from "../network/cells.js";
import type { DeviceChoice } from "../engine/devices.js";
import type { LearningRates } from "../engine/trainer.js";
import { receivedOf, usageError } from "../errors.js";
import { MAX_STEPS, MAX_STEPS_RANGE } from "../predict/options.js";
import type { Augmentation } from "./data/augmentation.js";

export { checkAugmentation, DEFAULT_AUGMENTATION, NO_AUGMENTATION } from "./data/augmentation.js";
export type { Augmentation };

/** Which instances have one outline that stands for them. */
export interface RingFilter {
  /** Least share of the area of all rings that the largest one must have, 0..1. Holes count as rings. */
  readonly minLargestShare: number;
  /** Least area of all rings together, square image pixels. */
  readonly minAreaPx: number;
}

export const DEFAULT_RING_FILTER: RingFilter = { minLargestShare: 0.85, minAreaPx: 1024 };

/** How outlines become sequences that the decoder can be taught. */
export interface SequenceLimits {
  /** Douglas-Peucker tolerance in grid cells, 0..28; 0 keeps every vertex. */
  readonly simplifyCells: number;
  /** Vertices of the longest ring that is taught, 3..784. */
  readonly maxVertices: number;
}

/** 71 is the authors' limit of steps, end-of-sequence included. */
export const DEFAULT_SEQUENCE_LIMITS: SequenceLimits = { simplifyCells: 0.45, maxVertices: 70 };

/** Annotations with outlines, for training or validation: where they are and which of them are used. */
export interface TruthOptions {
  /** COCO file with segmentations, or Cityscapes folder. */
  readonly boxes: string;
  /** Folder of the images. */
  readonly images: string;
  /** What the numbers of the boxes count; absent: pixels, and a file whose boxes look relative is refused. */
  readonly boxesAre?: BoxUnit;
  /** What differs from `DEFAULT_RING_FILTER` and `DEFAULT_SEQUENCE_LIMITS`. */
  readonly filter?: Partial<RingFilter & SequenceLimits>;
  /** Names or ids; every one of them must appear. Absent: all. */
  readonly categories?: readonly string[];
  /** Images to leave out, named as in the annotation file: for instance those of the validation set. */
  readonly excludeImages?: readonly string[];
  /** Field of the image records that names the source, "source" by default. */
  readonly sourceField?: string;
  /** A seeded subset of this many instances; smaller ones are part of larger ones. */
  readonly maxInstances?: number;
}

/** What is trained on; goes into run.json as it is. */
export interface TrainingData extends TruthOptions {
  /** By source, relative to each other; absent: every instance is as likely as any other. */
  readonly sourceWeights?: Readonly<Record<string, number>>;
  /**
   * Instances sampled together from one image, 1..64; 1 by default. More of them decode fewer images, which pays for
   * large ones, but make a batch less varied. How often an instance is sampled in the long run stays the same.
   */
  readonly perImage?: number;
  /** What differs from `DEFAULT_AUGMENTATION`; pass `NO_AUGMENTATION` for plain crops. */
  readonly augmentation?: Partial<Augmentation>;
  /** Bytes of decoded images kept in memory; 256 MiB by default. */
  readonly cacheBytes?: number;
}

export interface TrainOptions extends Recipe {
  /** The run folder: created if it does not exist, otherwise it must be empty. */
  readonly out: string;
  readonly data: TrainingData;
  /** Absent: no validation, and the model is that of the last step. */
  readonly validation?: TruthOptions;
}

/** Weights of the loss parts in their sum. */
export interface LossWeights {
  readonly steps: number;
  readonly edge: number;
  readonly vertex: number;
  readonly mask: number;
}

/** Options of a run apart from its data and folder. Those of the command line have the same names. */
export interface Recipe {
  /**
   * What is trained: the default "mobile", "vgg16" or "tiny", or the architecture and normalization of a model (name or
   * path).
   */
  readonly model: string;
  /** What differs from the architecture of `model`: the decoder's cell and the kernels that see its state. */
  readonly cell?: CellName;
  readonly kernel?: number;
  readonly dilation?: number;
  /** Starting weights: a model (name or path) or a .safetensors file, which may be partial. Absent: random. */
  readonly init?: string;
  readonly device: DeviceChoice;
  /** Threads inside one operation on the CPU; absent: the library's own choice. */
  readonly threads?: number;
  /** Seed of the random initial weights; the data takes its own from the same number. */
  readonly seed: number;
  /** Crops per step. */
  readonly batchSize: number;
  /** Optimizer steps in all. */
  readonly steps: number;
  /** Peak learning rate of the encoder's backbone. */
  readonly backboneLearningRate: number;
  /** Peak learning rate of everything else. */
  readonly learningRate: number;
  readonly schedule: "cosine" | "step";
  /** Steps over which the learning rates rise from 0. */
  readonly warmup: number;
  /** Schedule `step`: steps between divisions of the learning rates by 10. */
  readonly dropEvery: number;
  /** AdamW's decoupled weight decay; 0: plain Adam. */
  readonly weightDecay: number;
  /** Largest global norm of the gradient; 0: no clipping. */
  readonly clipNorm: number;
  /** Decay per step of the weights' moving average, which is validated and saved; 0: no average. */
  readonly ema: number;
  /** Layers of the backbone up to and including this one ("block_2", "conv2_2"), or "encoder": all but the decoder. */
  readonly freeze?: string;
  /** Decoder steps that gradients flow back through; absent: all. */
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

/** The recipe of the bundled model, used where nothing else is said. */
export const DEFAULT_RECIPE: Recipe = {
  model: "mobile",
  device: "auto",
  seed: 0,
  batchSize: 16,
  steps: 10_000,
  backboneLearningRate: 3e-4,
  learningRate: 1.5e-3,
  schedule: "cosine",
  warmup: 200,
  dropEvery: 4_000,
  weightDecay: 1e-4,
  clipNorm: 5,
  ema: 0.999,
  lossWeights: { steps: 1, edge: 1, vertex: 1, mask: 1 },
  smoothing: 0.5,
  reportEvery: 50,
  validateEvery: 500,
  checkpointEvery: 250,
  maxSteps: MAX_STEPS,
};

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
  learningRate: { low: 0, high: 10 },
  warmup: { low: 0, high: 1e8, isWhole: true },
  dropEvery: { low: 1, high: 1e8, isWhole: true },
  weightDecay: { low: 0, high: 1 },
  clipNorm: { low: 0, high: 1e6 },
  ema: { low: 0, high: 0.999999 },
  truncate: { low: 1, high: 1000, isWhole: true, isOptional: true },
  smoothing: { low: 0, high: 1 },
  reportEvery: { low: 1, high: 1e8, isWhole: true },
  validateEvery: { low: 1, high: 1e8, isWhole: true },
  checkpointEvery: { low: 1, high: 1e8, isWhole: true },
  maxSteps: { ...MAX_STEPS_RANGE, isWhole: true },
  threads: { low: 1, high: 1024, isWhole: true, isOptional: true },
  dilation: { low: 1, high: 4, isWhole: true, isOptional: true },
  kernel: { low: 3, high: 7, isWhole: true, isOptional: true },
} as const satisfies Partial<Record<keyof Recipe, Range>>;

/**
 * Checks a recipe whoever gives it: the command line, another program, or a run.json.
 * @throws E_USAGE naming the first option out of range
 */
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
  const kind = isWhole === true ? "whole number" : "number";
  throw usageError(
    `${name}: expected a ${kind} from ${low} to ${high} but received ${receivedOf(value)}`,
    "Correct the option.",
  );
}

/** Where the cosine ends, as a part of the peak: the last steps still move the weights. */
const COSINE_FLOOR = 0.01;
/** Castrejon et al., CVPR 2017: divided by 10. */
const STEP_FACTOR = 0.1;

/**
 * Learning rates by step: a linear rise, then half a cosine or steps down. Pure, so that a resumed run has the rates of
 * an undisturbed one.
 * @param step optimizer steps done before this one, from 0
 */
export function ratesAt(
  step: number,
  recipe: Pick<Recipe, "steps" | "learningRate" | "backboneLearningRate" | "schedule" | "warmup" | "dropEvery">,
): LearningRates {
  const rise = recipe.warmup > 0 ? Math.min(1, (step + 1) / recipe.warmup) : 1;
  const factor =
    rise *
    (recipe.schedule === "cosine" ? cosine(step / recipe.steps) : STEP_FACTOR ** Math.floor(step / recipe.dropEvery));
  return { head: recipe.learningRate * factor, backbone: recipe.backboneLearningRate * factor };
}

/** @param part of the run that is over, 0..1 @returns 1 down to the floor */
function cosine(part: number): number {
  return COSINE_FLOOR + (1 - COSINE_FLOOR) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, part)));
}
