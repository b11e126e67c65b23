/**
 * The flags of `polyrnn train`, and the options of train/ they stand for. Most flags are options of the recipe under
 * the same name. A resumed run takes everything from its folder; flags given with it must say the same.
 */
import { basename, resolve } from "node:path";
import type { BoxUnit } from "../../dataset/relative-boxes.js";
import { receivedOf, usageError } from "../../errors.js";
import { isJsonObject } from "../../foreign.js";
import { nearestName } from "../../nearest.js";
import type { Augmentation, LossWeights, Recipe, TrainingData, TrainOptions } from "../../train/options.js";
import { checkAugmentation, DEFAULT_AUGMENTATION, DEFAULT_RECIPE, NO_AUGMENTATION } from "../../train/options.js";
import { flagName } from "../option-table.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";

export const DEFAULT_OUT = "polyrnn-train";
/** Instead of a file: no validation. */
const NO_VALIDATION = "none";
/** Instead of weights: none to start from. */
const RANDOM_START = "random";
/** Networks without weights of their own: they start at random. `mobile` is a bundled model as well. */
const WITHOUT_WEIGHTS = ["vgg16", "tiny"];
const MIB = 2 ** 20;

/** Flags that are options of the recipe as they stand. */
const RECIPE_FLAGS = [
  "steps",
  "batchSize",
  "learningRate",
  "backboneLearningRate",
  "freeze",
  "cell",
  "kernel",
  "dilation",
  "device",
  "validateEvery",
  "schedule",
  "dropEvery",
  "warmup",
  "clipNorm",
  "weightDecay",
  "ema",
  "truncate",
  "smoothing",
  "maxSteps",
  "reportEvery",
  "checkpointEvery",
  "threads",
  "seed",
] as const satisfies readonly (keyof Recipe)[];
type RecipeFlags = Partial<Pick<Recipe, (typeof RECIPE_FLAGS)[number]>>;

/** None has a default: a run that is resumed must know what was given and what was not. */
export interface TrainFlags extends RecipeFlags, JsonOption, ConfigOption {
  readonly data?: string;
  readonly images?: string;
  readonly val?: string;
  readonly valImages?: string;
  readonly model?: string;
  readonly init?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly boxesAre?: BoxUnit;
  readonly device?: "auto" | "cuda" | "cpu";
  readonly lossWeight?: readonly string[];
  readonly augment?: readonly string[];
  readonly sourceWeight?: readonly string[];
  readonly sourceField?: string;
  readonly categories?: readonly string[];
  readonly excludeImages?: readonly string[];
  readonly maxInstances?: number;
  readonly maxValInstances?: number;
  readonly minArea?: number;
  readonly minShare?: number;
  readonly simplifyCells?: number;
  readonly maxVertices?: number;
  readonly imageCache?: number;
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

/** What a new run requires. */
type NewRunFlags = TrainFlags & { readonly data: string; readonly images: string; readonly val: string };

/** @throws E_USAGE for what a new run lacks, and for options that do not go together */
export function checkNewRun(flags: TrainFlags): asserts flags is NewRunFlags {
  const hint = 'Run "polyrnn train --help" for examples; --resume DIR goes on with a run.';
  if (flags.data === undefined) throw usageError("--data FILE|DIR is missing: the outlines to learn from", hint);
  if (flags.images === undefined) throw usageError("--images DIR is missing: the folder of the images", hint);
  if (flags.val === undefined) {
    throw usageError(
      "--val FILE|DIR is missing: the outlines the model is judged by, on images that are not trained on",
      "Without them nobody knows which step was the best; " +
        "--val none trains all the same and keeps the newest weights.",
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
 * @returns options with every default filled in
 * @throws E_USAGE for unknown names and malformed numbers, E_UNAVAILABLE for a model that does not exist
 */
export async function toTrainOptions(flags: NewRunFlags): Promise<TrainOptions> {
  const model = await absoluteModel(flags.model ?? DEFAULT_RECIPE.model, WITHOUT_WEIGHTS);
  const init = await startOf(flags.init, model);
  const validation = validationOf(flags);
  const given = RECIPE_FLAGS.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]);
  return {
    ...DEFAULT_RECIPE,
    ...(Object.fromEntries(given) as RecipeFlags),
    model,
    ...(init !== undefined && { init }),
    lossWeights: lossWeightsOf(flags.lossWeight ?? []),
    out: flags.out ?? DEFAULT_OUT,
    data: dataOf(flags),
    ...(validation && { validation }),
  };
}

/** Lets a run be resumed from another working folder. Names of bundled models stay names. */
async function absoluteModel(name: string, others: readonly string[]): Promise<string> {
  if (WITHOUT_WEIGHTS.includes(name) || name === DEFAULT_RECIPE.model) return name;
  const { findModelFolder } = await import("../../model/folder.js");
  const folder = await findModelFolder(name, others);
  return basename(folder) === name && folder !== resolve(name) ? name : folder;
}

async function startOf(init: string | undefined, model: string): Promise<string | undefined> {
  if (init === undefined) return WITHOUT_WEIGHTS.includes(model) ? undefined : model;
  if (init === RANDOM_START) return undefined;
  return init.endsWith(".safetensors") ? resolve(init) : absoluteModel(init, [RANDOM_START]);
}

/** What holds for training and validation alike. */
function sharedData(flags: TrainFlags): Pick<TrainingData, "boxesAre" | "filter" | "sourceField" | "categories"> {
  const { boxesAre, minArea, minShare, simplifyCells, maxVertices, sourceField, categories } = flags;
  const filter = {
    ...(minArea !== undefined && { minAreaPx: minArea }),
    ...(minShare !== undefined && { minLargestShare: minShare }),
    ...(simplifyCells !== undefined && { simplifyCells }),
    ...(maxVertices !== undefined && { maxVertices }),
  };
  return {
    ...(boxesAre !== undefined && { boxesAre }),
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

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

function lossWeightsOf(items: readonly string[]): LossWeights {
  const weights: Changeable<LossWeights> = { ...DEFAULT_RECIPE.lossWeights };
  const names = new Map(namesOf(weights).map((name) => [name as string, name]));
  for (const [typed, value] of parseNamedNumbers(items, "--loss-weight")) {
    const name = names.get(typed);
    if (name === undefined) throw unknownName("--loss-weight", typed, [...names.keys()]);
    weights[name] = value;
  }
  return weights;
}

/** Includes what was not given, so that run.json says what was done even when defaults change. @throws E_USAGE */
function augmentationOf(items: readonly string[]): Augmentation {
  if (items.length === 1 && items[0] === "none") return NO_AUGMENTATION;
  const chosen: Changeable<Augmentation> = { ...DEFAULT_AUGMENTATION };
  const names = new Map(namesOf(chosen).map((name) => [flagName(name), name]));
  for (const [typed, value] of parseNamedNumbers(items, "--augment")) {
    const name = names.get(typed);
    if (name === undefined) throw unknownName("--augment", typed, [...names.keys()]);
    if (name !== "randomStart") chosen[name] = value;
    else if (value === 0 || value === 1) chosen[name] = value === 1;
    else throw usageError(`--augment ${typed}: expected 0 or 1 but received ${value}`, "1 switches it on.");
  }
  return checkAugmentation(chosen);
}

function namesOf<T extends object>(record: T): Extract<keyof T, string>[] {
  return Object.keys(record) as Extract<keyof T, string>[];
}

function unknownName(place: string, name: string, known: readonly string[]): Error {
  const nearest = nearestName(name, known);
  return usageError(
    `${place}: expected one of ${known.join(", ")} but received ${receivedOf(name)}`,
    nearest === undefined ? "Correct the name." : `Did you mean ${nearest}?`,
  );
}

/**
 * Reads numbers with names, as in `--loss-weight edge=0.5,mask=2`.
 * @param place for example "--loss-weight"
 * @returns in the order given; the caller checks ranges
 * @throws E_USAGE for an item that is not NAME=N, and for a name given twice
 */
function parseNamedNumbers(items: readonly string[], place: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const item of items) {
    // The name comes from a file and may contain a = itself.
    const at = item.lastIndexOf("=");
    const [name, text] = [item.slice(0, Math.max(0, at)).trim(), item.slice(at + 1).trim()];
    const value = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
    if (at < 1 || !Number.isFinite(value)) {
      throw usageError(
        `${place}: expected NAME=NUMBER but received ${receivedOf(item)}`,
        `Write it as in ${place} ${at < 1 ? "name" : name}=0.5.`,
      );
    }
    if (numbers.has(name)) {
      throw usageError(
        `${place}: expected every name once but received ${receivedOf(name)} twice`,
        "Leave one of them.",
      );
    }
    numbers.set(name, value);
  }
  return numbers;
}

type RunFlag = Exclude<
  keyof TrainFlags,
  "resume" | "out" | "quiet" | "color" | keyof ConfigOption | keyof JsonOption | keyof RecipeFlags
>;

/** Where the other flags are in the options of a run. */
const PLACES: { readonly [K in RunFlag]: (options: TrainOptions) => unknown } = {
  data: ({ data }) => data.boxes,
  images: ({ data }) => data.images,
  val: ({ validation }) => validation?.boxes ?? NO_VALIDATION,
  valImages: ({ validation }) => validation?.images,
  model: ({ model }) => model,
  init: ({ init }) => init ?? RANDOM_START,
  boxesAre: ({ data }) => data.boxesAre,
  lossWeight: ({ lossWeights }) => lossWeights,
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
  imageCache: ({ data }) => data.cacheBytes,
};
const ALL_PLACES: ReadonlyMap<string, (options: TrainOptions) => unknown> = new Map([
  ...Object.entries(PLACES),
  ...RECIPE_FLAGS.map((name) => [name, (options: TrainOptions) => options[name]] as const),
]);

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
  for (const name of namesOf(flags)) {
    const place = ALL_PLACES.get(name);
    if (place === undefined || flags[name] === undefined) continue;
    const [asked, had] = [shown(place(given)), shown(place(run))];
    if (asked !== had) differences.push(`--${flagName(name)} is ${asked}, in the run it is ${had}`);
  }
  if (differences.length > 0) {
    throw usageError(
      `--resume ${folder}: expected options that are those of the run, received others: ${differences.join("; ")}`,
      "Leave them out: a run that is resumed takes everything from its folder. " +
        "For other options, begin a new run with --init.",
    );
  }
}

/** Objects have their keys in order, so that equal options give equal text. */
function shown(value: unknown): string {
  if (value === undefined) return "not given";
  return !isJsonObject(value)
    ? JSON.stringify(value)
    : JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));
}
