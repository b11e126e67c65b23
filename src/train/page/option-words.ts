/** Options of a training run in words, for its page. run.json has them as they are. */
import { basename } from "node:path";
import type { TrainOptions } from "../options.js";

export function optionWords({ data, validation, ...recipe }: TrainOptions): readonly (readonly [string, string])[] {
  const { lossWeights, freeze, truncate } = recipe;
  const weights = (named: object): string =>
    Object.entries(named)
      .map(([name, value]) => `${name} ${String(value)}`)
      .join(", ");
  return [
    ["outlines", basename(data.boxes)],
    ["validated on", validation === undefined ? "nothing" : basename(validation.boxes)],
    ...(data.sourceWeights === undefined ? [] : [["weights of sources", weights(data.sourceWeights)] as const]),
    ...(data.filter === undefined ? [] : [["limits of outlines", weights(data.filter)] as const]),
    ...(data.maxInstances === undefined ? [] : [["instances at most", String(data.maxInstances)] as const]),
    ["crops are varied by", data.augmentation === undefined ? "the defaults" : weights(data.augmentation)],
    [
      "learning rates",
      `${recipe.rate}, trunk ${recipe.trunkRate}; ${recipe.schedule === "cosine" ? "cosine" : `a tenth after every ${recipe.dropEvery} steps`}, warm-up ${recipe.warmUp} steps`,
    ],
    ["optimizer", `AdamW, decay ${recipe.weightDecay}, gradient clipped at ${recipe.clipNorm}`],
    ["moving average", recipe.average > 0 ? String(recipe.average) : "none"],
    ["loss weights", `${weights(lossWeights)}; smoothing ${recipe.smoothing}`],
    ...(freeze === undefined ? [] : [["frozen up to", freeze] as const]),
    ...(truncate === undefined ? [] : [["gradients reach back", `${truncate} decoder steps`] as const]),
    ["seed", String(recipe.seed)],
  ];
}
