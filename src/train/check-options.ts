/** Ranges of a recipe's numbers, whoever gives them: the command line, another program, or a run.json. */
import { receivedOf, usageError } from "../errors.js";
import type { Recipe } from "./options.js";

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
  trunkRate: { low: 0, high: 10 },
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
  maxSteps: { low: 3, high: 500, isWhole: true },
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
