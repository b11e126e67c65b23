/** `polyrnn train --resume DIR` takes everything from the run. What is given besides must say the same. */
import { resolve } from "node:path";
import { usageError } from "../errors.js";
import type { TrainOptions } from "../train/options.js";
import { flagName } from "./options/option-table.js";
import { NO_VALIDATION, RANDOM_START, type TrainFlags } from "./options/train-table.js";
import { toTrainOptions } from "./train-options.js";

type RunFlag = Exclude<keyof TrainFlags, "resume" | "out" | "config" | "json" | "quiet" | "color">;

/** Where each option of the command line is in the options of a run. */
const PLACES: { readonly [K in RunFlag]: (options: TrainOptions) => unknown } = {
  data: ({ data }) => data.boxes,
  images: ({ data }) => data.images,
  val: ({ validation }) => validation?.boxes ?? NO_VALIDATION,
  valImages: ({ validation }) => validation?.images,
  model: ({ model }) => model,
  init: ({ init }) => init ?? RANDOM_START,
  steps: ({ steps }) => steps,
  batch: ({ batchSize }) => batchSize,
  lr: ({ rate }) => rate,
  trunkLr: ({ trunkRate }) => trunkRate,
  freeze: ({ freeze }) => freeze,
  device: ({ device }) => device,
  evalEvery: ({ validateEvery }) => validateEvery,
  schedule: ({ schedule }) => schedule,
  dropEvery: ({ dropEvery }) => dropEvery,
  warmup: ({ warmUp }) => warmUp,
  clip: ({ clipNorm }) => clipNorm,
  weightDecay: ({ weightDecay }) => weightDecay,
  ema: ({ average }) => average,
  truncate: ({ truncate }) => truncate,
  lossWeight: ({ lossWeights }) => lossWeights,
  smoothing: ({ smoothing }) => smoothing,
  augment: ({ data }) => data.augmentation,
  sourceWeight: ({ data }) => data.sourceWeights,
  sourceField: ({ data }) => data.sourceField,
  categories: ({ data }) => data.categories,
  excludeImages: ({ data }) => data.excludeImages,
  maxInstances: ({ data }) => data.maxInstances,
  maxValInstances: ({ validation }) => validation?.maxInstances,
  minArea: ({ data }) => data.filter?.minAreaPx,
  minShare: ({ data }) => data.filter?.minLargestShare,
  simplifyCells: ({ data }) => data.filter?.simplifyCells,
  maxVertices: ({ data }) => data.filter?.maxVertices,
  maxSteps: ({ maxSteps }) => maxSteps,
  reportEvery: ({ reportEvery }) => reportEvery,
  checkpointEvery: ({ checkpointEvery }) => checkpointEvery,
  imageCache: ({ data }) => data.cacheBytes,
  threads: ({ threads }) => threads,
  seed: ({ seed }) => seed,
};

/**
 * @param folder the run
 * @param run    its options
 * @throws E_USAGE with every option that is given and differs, and both values
 */
export async function refuseContradictions(flags: TrainFlags, folder: string, run: TrainOptions): Promise<void> {
  const given = await toTrainOptions({
    ...flags,
    data: flags.data ?? run.data.boxes,
    images: flags.images ?? run.data.images,
    val: flags.val ?? run.validation?.boxes ?? NO_VALIDATION,
    model: flags.model ?? run.model,
  });
  const differences: string[] = [];
  if (flags.out !== undefined && resolve(flags.out) !== resolve(folder))
    differences.push(`--out is ${flags.out}, the run's folder is ${folder}`);
  for (const [name, place] of Object.entries(PLACES) as [RunFlag, (options: TrainOptions) => unknown][]) {
    if (flags[name] === undefined) continue;
    const [asked, had] = [place(given), place(run)].map(words);
    if (asked !== had) differences.push(`--${flagName(name)} is ${asked!}, in the run it is ${had!}`);
  }
  if (differences.length > 0) {
    throw usageError(
      `--resume ${folder}: expected options that are those of the run, received others: ${differences.join("; ")}`,
      "Leave them out: a run that is resumed takes everything from its folder. For other options, begin a new run with --init.",
    );
  }
}

/** Objects with their keys in order, so that equal options have equal words. */
function words(value: unknown): string {
  if (value === undefined) return "not given";
  return typeof value !== "object" || value === null || Array.isArray(value)
    ? JSON.stringify(value)
    : JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));
}
