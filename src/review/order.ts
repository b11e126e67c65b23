/** Which instances a review shows, and in which order. The same options give the same queue. */
import { selectCategories } from "../dataset/select-categories.js";
import { createRandom } from "../random.js";
import type { ReviewedRun } from "./run.js";

export const ORDERS = ["score", "input", "category"] as const;
export type ReviewOrder = (typeof ORDERS)[number];

export interface QueueOptions {
  readonly order: ReviewOrder;
  /** Only polygons with a lower score, and instances without one. */
  readonly below?: number;
  /** Names or ids; empty: all. */
  readonly categories: readonly string[];
  /** This many at random. */
  readonly sample?: number;
  readonly seed: number;
}

/**
 * @returns ordinals in the order of the queue
 * @throws E_USAGE for a category that the data set does not have
 */
export function queueOf(
  { scores, categories, categoryOf }: Pick<ReviewedRun, "scores" | "categories" | "categoryOf">,
  { order, below, categories: wanted, sample, seed }: QueueOptions,
): Int32Array {
  const ids = selectCategories(categories, wanted);
  const isWanted = categories.map(({ id }) => ids === undefined || ids.has(id));
  let chosen: number[] = [];
  for (let ordinal = 0; ordinal < scores.length; ordinal++) {
    const score = scores[ordinal]!;
    if (Number.isNaN(score) || (below !== undefined && score >= below)) continue;
    if (ids === undefined || isWanted[categoryOf[ordinal]!] === true) chosen.push(ordinal);
  }
  if (sample !== undefined && sample < chosen.length) chosen = pick(chosen, sample, seed);
  const queue = Int32Array.from(chosen);
  const byScore = (a: number, b: number): number => scores[a]! - scores[b]! || a - b;
  if (order === "score") queue.sort(byScore);
  else if (order === "category") queue.sort((a, b) => categoryOf[a]! - categoryOf[b]! || byScore(a, b));
  else queue.sort();
  return queue;
}

/** Each subset of that size is equally likely. */
function pick(from: number[], size: number, seed: number): number[] {
  const random = createRandom(`review ${seed}`);
  for (let at = 0; at < size; at++) {
    const other = at + random.integer(from.length - at);
    [from[at], from[other]] = [from[other]!, from[at]!];
  }
  return from.slice(0, size);
}

/** @returns the first position behind another, then from the first, whose instance is wanted; null where none is */
export function nextWhere(queue: Int32Array, position: number, isWanted: (ordinal: number) => boolean): number | null {
  for (let step = 1; step <= queue.length; step++) {
    const at = (position + step + queue.length) % queue.length;
    if (isWanted(queue[at]!)) return at;
  }
  return null;
}

/** Whether an instance is drawn with the network; with "mixed" the seed decides for each. */
export function armFor(
  { arm, seed }: { readonly arm: "assist" | "manual" | "mixed"; readonly seed: number },
  ordinal: number,
): "assist" | "manual" {
  if (arm !== "mixed") return arm;
  return createRandom(`arm ${seed} ${ordinal}`).integer(2) === 0 ? "assist" : "manual";
}
