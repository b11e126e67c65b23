/** What was typed for `polyrnn train`, as the options of train/. */
import { basename, resolve } from "node:path";
import { receivedOf, usageError } from "../errors.js";
import { findModelFolder } from "../runtime/model-folder.js";
import { nearestName } from "../schema/nearest.js";
import { DEFAULT_AUGMENTATION, NO_AUGMENTATION, checkAugmentation, type Augmentation } from "../train/augmentation.js";
import { DEFAULT_RECIPE, type LossWeights, type TrainOptions, type TrainingData } from "../train/options.js";
import { parseNamedNumbers } from "./named-numbers.js";
import { flagName } from "./options/option-table.js";
import { DEFAULT_OUT, NO_VALIDATION, RANDOM_START, type TrainFlags } from "./options/train-table.js";

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
    for (const name of ["valImages", "maxValInstances", "evalEvery"] as const) {
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
    trunkRate: flags.trunkLr ?? DEFAULT_RECIPE.trunkRate,
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
    validateEvery: flags.evalEvery ?? DEFAULT_RECIPE.validateEvery,
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
