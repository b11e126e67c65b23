/** Learning rates by step: a linear rise, then a half cosine or steps down. Pure: a resumed run has the rates of the undisturbed one. */
import type { LearningRates } from "../runtime/trainer.js";
import type { Recipe } from "./options.js";

/** What the cosine ends at, as a part of the peak: the last steps still move. */
const COSINE_FLOOR = 0.01;
/** Castrejon et al., CVPR 2017: divided by 10. */
const STEP_FACTOR = 0.1;

/** @param step optimizer steps done before this one, from 0 */
export function ratesAt(
  step: number,
  recipe: Pick<Recipe, "steps" | "rate" | "trunkRate" | "schedule" | "warmUp" | "dropEvery">,
): LearningRates {
  const rise = recipe.warmUp > 0 ? Math.min(1, (step + 1) / recipe.warmUp) : 1;
  const factor =
    rise *
    (recipe.schedule === "cosine" ? cosine(step / recipe.steps) : STEP_FACTOR ** Math.floor(step / recipe.dropEvery));
  return { head: recipe.rate * factor, trunk: recipe.trunkRate * factor };
}

/** @param part of the run that is over, 0..1 @returns 1 down to the floor */
function cosine(part: number): number {
  return COSINE_FLOOR + (1 - COSINE_FLOOR) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, part)));
}
