/** What was typed for `polyrnn train`, as the options of train/. */
import { basename, resolve } from "node:path";
import { receivedOf, usageError } from "../../errors.js";
import { findModelFolder } from "../../model/folder.js";
import { nearestName } from "../../nearest.js";
import type { Augmentation } from "../../train/data/augmentation.js";
import { checkAugmentation, DEFAULT_AUGMENTATION, NO_AUGMENTATION } from "../../train/data/augmentation.js";
import type { LossWeights, TrainingData, TrainOptions } from "../../train/options.js";
import { DEFAULT_RECIPE } from "../../train/options.js";
import { flagName } from "../option-table.js";
import type { TrainFlags } from "./train.js";
import { DEFAULT_OUT, NO_VALIDATION, RANDOM_START } from "./train.js";

/** Networks that come without weights: they start at random. `mobile` is a model as well. */
const WITHOUT_WEIGHTS = ["vgg16", "tiny"];
const MIB = 2 ** 20;

/** What a new run cannot be without. */
export type NewRunFlags = TrainFlags & { readonly data: string; readonly images: string; readonly val: string };

/** @throws E_USAGE naming the first of --data, --images and --val that is missing */
export function checkNewRun(flags: TrainFlags): asserts flags is NewRunFlags {
  const hint = 'Run "polyrnn train --help" for examples; --resume DIR goes on with a run.';
  if (flags.data === undefined) throw usageError("--data FILE|DIR is missing: the outlines to learn from", hint);
  if (flags.images === undefined) throw usageError("--images DIR is missing: the folder of the images", hint);
  if (flags.val === undefined) {
    throw usageError(
      "--val FILE|DIR is missing: the outlines the model is judged by, on images that are not trained on",
      "Without them nobody knows which step was the best; --val none trains all the same and keeps the newest weights.",
    );
  }
  if (flags.dropEvery !== undefined && (flags.schedule ?? DEFAULT_RECIPE.schedule) !== "step")
    throw usageError("--drop-every is for --schedule step", "Add --schedule step, or leave it out.");
  if (flags.val === NO_VALIDATION) {
    for (const name of ["valImages", "maxValInstances", "validateEvery"] as const) {
      if (flags[name] !== undefined)
        throw usageError(`--${flagName(name)} is for a run with validation, received --val none`, "Leave one of them.");
    }
  }
}

/**
 * @returns options with every default in place
 * @throws E_USAGE for names and numbers that are none, E_UNAVAILABLE for a model there is not
 */
export async function toTrainOptions(flags: NewRunFlags): Promise<TrainOptions> {
  const model = await absoluteModel(flags.model ?? DEFAULT_RECIPE.model);
  const init = await startOf(flags.init, model);
  const validation = validationOf(flags);
  return {
    model,
    ...(init !== undefined && { init }),
    out: flags.out ?? DEFAULT_OUT,
    data: dataOf(flags),
    ...(validation && { validation }),
    device: flags.device ?? DEFAULT_RECIPE.device,
    ...(flags.threads !== undefined && { threads: flags.threads }),
    seed: flags.seed ?? DEFAULT_RECIPE.seed,
    batchSize: flags.batch ?? DEFAULT_RECIPE.batchSize,
    steps: flags.steps ?? DEFAULT_RECIPE.steps,
    backboneLearningRate: flags.backboneLearningRate ?? DEFAULT_RECIPE.backboneLearningRate,
    rate: flags.lr ?? DEFAULT_RECIPE.rate,
    schedule: flags.schedule ?? DEFAULT_RECIPE.schedule,
    warmUp: flags.warmup ?? DEFAULT_RECIPE.warmUp,
    dropEvery: flags.dropEvery ?? DEFAULT_RECIPE.dropEvery,
    weightDecay: flags.weightDecay ?? DEFAULT_RECIPE.weightDecay,
    clipNorm: flags.clip ?? DEFAULT_RECIPE.clipNorm,
    average: flags.ema ?? DEFAULT_RECIPE.average,
    ...(flags.freeze !== undefined && { freeze: flags.freeze }),
    ...(flags.truncate !== undefined && { truncate: flags.truncate }),
    lossWeights: lossWeightsOf(flags.lossWeight ?? []),
    smoothing: flags.smoothing ?? DEFAULT_RECIPE.smoothing,
    reportEvery: flags.reportEvery ?? DEFAULT_RECIPE.reportEvery,
    validateEvery: flags.validateEvery ?? DEFAULT_RECIPE.validateEvery,
    checkpointEvery: flags.checkpointEvery ?? DEFAULT_RECIPE.checkpointEvery,
    maxSteps: flags.maxSteps ?? DEFAULT_RECIPE.maxSteps,
  };
}

/** A run may be gone on with from another folder; names of what comes with the program stay names. */
async function absoluteModel(name: string): Promise<string> {
  if (WITHOUT_WEIGHTS.includes(name) || name === DEFAULT_RECIPE.model) return name;
  const folder = await findModelFolder(name);
  return basename(folder) === name && folder !== resolve(name) ? name : folder;
}

async function startOf(init: string | undefined, model: string): Promise<string | undefined> {
  if (init === undefined) return WITHOUT_WEIGHTS.includes(model) ? undefined : model;
  if (init === RANDOM_START) return undefined;
  return init.endsWith(".safetensors") ? resolve(init) : absoluteModel(init);
}

function sharedData({
  minArea,
  minShare,
  simplifyCells,
  maxVertices,
  sourceField,
  categories,
}: TrainFlags): Pick<TrainingData, "filter" | "sourceField" | "categories"> {
  const filter = {
    ...(minArea !== undefined && { minAreaPx: minArea }),
    ...(minShare !== undefined && { minLargestShare: minShare }),
    ...(simplifyCells !== undefined && { simplifyCells }),
    ...(maxVertices !== undefined && { maxVertices }),
  };
  return {
    ...(Object.keys(filter).length > 0 && { filter }),
    ...(sourceField !== undefined && { sourceField }),
    ...(categories !== undefined && { categories }),
  };
}

function dataOf(flags: NewRunFlags): TrainingData {
  const { excludeImages, maxInstances, sourceWeight, augment, imageCache } = flags;
  return {
    boxes: resolve(flags.data),
    images: resolve(flags.images),
    ...sharedData(flags),
    ...(excludeImages !== undefined && { excludeImages }),
    ...(maxInstances !== undefined && { maxInstances }),
    // Not an object literal: a source may be called __proto__.
    ...(sourceWeight !== undefined && {
      sourceWeights: Object.fromEntries(parseNamedNumbers(sourceWeight, "--source-weight")),
    }),
    ...(augment !== undefined && { augmentation: augmentationOf(augment) }),
    ...(imageCache !== undefined && { cacheBytes: imageCache * MIB }),
  };
}

function validationOf(flags: NewRunFlags): TrainOptions["validation"] {
  if (flags.val === NO_VALIDATION) return undefined;
  const { maxValInstances } = flags;
  return {
    boxes: resolve(flags.val),
    images: resolve(flags.valImages ?? flags.images),
    ...sharedData(flags),
    ...(maxValInstances !== undefined && { maxInstances: maxValInstances }),
  };
}

function lossWeightsOf(items: readonly string[]): LossWeights {
  const weights: Record<string, number> = { ...DEFAULT_RECIPE.lossWeights };
  for (const [name, value] of parseNamedNumbers(items, "--loss-weight")) {
    if (!Object.hasOwn(weights, name)) throw unknownName("--loss-weight", name, Object.keys(weights));
    weights[name] = value;
  }
  return weights as unknown as LossWeights;
}

/** Every number, so that run.json says what was done even when defaults change. @throws E_USAGE */
function augmentationOf(items: readonly string[]): Augmentation {
  if (items.length === 1 && items[0] === "none") return NO_AUGMENTATION;
  const names = new Map(Object.keys(DEFAULT_AUGMENTATION).map((name) => [flagName(name), name]));
  const chosen: Record<string, number | boolean> = { ...DEFAULT_AUGMENTATION };
  for (const [typed, value] of parseNamedNumbers(items, "--augment")) {
    const name = names.get(typed);
    if (name === undefined) throw unknownName("--augment", typed, [...names.keys()]);
    const isFlag = typeof chosen[name] === "boolean";
    if (isFlag && value !== 0 && value !== 1)
      throw usageError(`--augment ${typed}: expected 0 or 1 but received ${value}`, "1 switches it on.");
    chosen[name] = isFlag ? value === 1 : value;
  }
  return checkAugmentation(chosen as unknown as Augmentation);
}

function unknownName(place: string, name: string, known: readonly string[]): Error {
  const nearest = nearestName(name, known);
  return usageError(
    `${place}: expected one of ${known.join(", ")} but received ${receivedOf(name)}`,
    nearest === undefined ? "Correct the name." : `Did you mean ${nearest}?`,
  );
}

/* `polyrnn train --resume DIR` takes everything from the run. What is given besides must say the same. */

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
  backboneLearningRate: ({ backboneLearningRate }) => backboneLearningRate,
  freeze: ({ freeze }) => freeze,
  device: ({ device }) => device,
  validateEvery: ({ validateEvery }) => validateEvery,
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

/*
 * Lists of numbers with names, as `--loss-weight edge=0.5,mask=2` and `--source-weight coco=0.46,people=0.17` give
 * them.
 */

/**
 * @param place for example "--loss-weight"
 * @returns in the order given; ranges are for the caller to check
 * @throws E_USAGE for an item that is not NAME=N, and a name that is there twice
 */
export function parseNamedNumbers(items: readonly string[], place: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const item of items) {
    // The name may hold a = itself: it is a field of a file.
    const at = item.lastIndexOf("=");
    const [name, text] = [item.slice(0, Math.max(0, at)).trim(), item.slice(at + 1).trim()];
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
    if (at < 1 || !Number.isFinite(value))
      throw usageError(
        `${place}: expected NAME=NUMBER but received ${receivedOf(item)}`,
        `Write it as in ${place} ${at < 1 ? "name" : name}=0.5.`,
      );
    if (numbers.has(name))
      throw usageError(
        `${place}: expected every name once but received ${receivedOf(name)} twice`,
        "Leave one of them.",
      );
    numbers.set(name, value);
  }
  return numbers;
}
