/**
 * The run folder as a model folder: model.json and model.safetensors (F16) of the best weights so far.
 *
 * The card names its file by hash, and both have to match at any moment. So new weights are first written under another
 * name with a card that points to them, then under the usual name with a card that points there.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { count } from "../count.js";
import { writeAtomic } from "../files/atomic-file.js";
import type { CardScore, ModelCard } from "../model/card.js";
import { CARD_VERSION } from "../model/card.js";
import { CARD_FILE } from "../model/folder.js";
import type { WeightTensor } from "../model/safetensors.js";
import { parseSafetensors, serializeSafetensors, tensorValues } from "../model/safetensors.js";
import { PLAIN_CONTEXT } from "./data/open-truth.js";
import type { ValidationLine } from "./events.js";
import type { TrainOptions } from "./options.js";
import type { TrainingRun } from "./run-file.js";
import type { NetworkToTrain } from "./start-weights.js";

const WEIGHTS_FILE = "model.safetensors";
const NEW_WEIGHTS_FILE = "model.new.safetensors";

/** Weights as a model file holds them, and what a reader of that file computes with. */
export interface SavedWeights {
  readonly bytes: Uint8Array;
  readonly weights: ReadonlyMap<string, WeightTensor>;
}

/** @throws E_WRITE for values F16 cannot hold */
export function toSavedWeights(weights: ReadonlyMap<string, WeightTensor>): SavedWeights {
  const bytes = serializeSafetensors(weights, { dtype: "F16" });
  const { tensors } = parseSafetensors(bytes, WEIGHTS_FILE);
  return {
    bytes,
    weights: new Map(
      [...tensors].map(([name, stored]) => [name, { shape: stored.shape, values: tensorValues(stored, name) }]),
    ),
  };
}

export interface ModelFacts {
  readonly network: NetworkToTrain;
  readonly run: Pick<TrainingRun, "options" | "data" | "start">;
  /** Steps the weights have seen. */
  readonly step: number;
  readonly device: string;
  readonly validation?: Pick<ValidationLine, "all" | "bySource">;
}

/** @throws E_WRITE; the model that was there is whole then */
export async function saveModel(folder: string, bytes: Uint8Array, facts: ModelFacts): Promise<void> {
  const card = (file: string): string => `${JSON.stringify(cardOf(folder, file, bytes, facts), null, 2)}\n`;
  await writeAtomic(join(folder, NEW_WEIGHTS_FILE), bytes);
  await writeAtomic(join(folder, CARD_FILE), card(NEW_WEIGHTS_FILE));
  await writeAtomic(join(folder, WEIGHTS_FILE), bytes);
  await writeAtomic(join(folder, CARD_FILE), card(WEIGHTS_FILE));
  await rm(join(folder, NEW_WEIGHTS_FILE), { force: true });
}

function cardOf(
  folder: string,
  file: string,
  bytes: Uint8Array,
  { network, run, step, device, validation }: ModelFacts,
): ModelCard {
  const { options, data, start } = run;
  const sources = Object.entries(data.bySource)
    .map(([source, count]) => `${source} ${count}`)
    .join(", ");
  return {
    formatVersion: CARD_VERSION,
    name: nameOf(folder),
    version: "0.1.0",
    description: `Polygon-RNN (${network.architecture.name}) trained by polyrnn train.`,
    architecture: network.architecture,
    grid: 28,
    cropSize: 224,
    context: PLAIN_CONTEXT,
    normalization: network.normalization,
    trainingData:
      `${count(data.instances, "instance")} in ${count(data.images, "image")} of ${basename(options.data.boxes)} (${sources}).`.slice(
        0,
        10_000,
      ),
    recipe: recipeText(options, start, step, device),
    scores:
      validation === undefined || options.validation === undefined
        ? []
        : scoresOf(validation, basename(options.validation.boxes), step),
    license: "Terms of the training data, and of the weights the run started from, may apply.",
    files: { [file]: { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.byteLength } },
  };
}

/** The folder's name where the card's rules allow it. */
function nameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9._-]/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64);
  return name === "" ? "trained" : name;
}

function recipeText(options: TrainOptions, start: TrainingRun["start"], step: number, device: string): string {
  const { schedule, dropEvery, freeze, truncate, ema, lossWeights } = options;
  return [
    `${step} of ${count(options.steps, "step")} of ${count(options.batchSize, "crop")} on ${device}, seed ${options.seed}`,
    `start: ${start.description}`,
    [
      `AdamW, learning rates ${options.learningRate} and ${options.backboneLearningRate} (backbone)`,
      schedule === "cosine" ? "cosine" : `a tenth after every ${count(dropEvery, "step")}`,
      `warm-up ${options.warmup}`,
      `decay ${options.weightDecay}`,
      `clipping at ${options.clipNorm}`,
    ].join(", "),
    [
      `loss weights ${lossWeights.steps} (steps)`,
      `${lossWeights.edge} (edge)`,
      `${lossWeights.vertex} (vertex)`,
      `${lossWeights.mask} (mask)`,
      `smoothing ${options.smoothing}`,
    ].join(", "),
    ema > 0 ? `moving average ${ema}` : "no moving average",
    ...(freeze === undefined ? [] : [`frozen up to ${freeze}`]),
    ...(truncate === undefined ? [] : [`gradients cut every ${count(truncate, "step")}`]),
    "stored as F16; run.json has every option",
  ]
    .join("; ")
    .slice(0, 10_000);
}

function scoresOf(
  { all, bySource }: Pick<ValidationLine, "all" | "bySource">,
  dataset: string,
  step: number,
): CardScore[] {
  const command =
    `polyrnn train, validation at step ${step}: largest ring at least 85 % of the area ` +
    `unless run.json says otherwise, COCO rasterizer, context ${PLAIN_CONTEXT}`;
  return [...Object.entries(bySource), ["all", all] as const].map(([source, { iou, boxIou, instances }]) => ({
    dataset,
    split: "validation",
    source,
    meanIoU: iou,
    boxIoU: boxIou,
    instances,
    command,
  }));
}
