/** From logits to a choice and its probability. */
import { CLASS_COUNT } from "../geometry/grid.js";

export interface Choice {
  /** Class with the highest logit; the lowest index wins a tie. */
  readonly index: number;
  /** Natural logarithm of its softmax probability, at most 0. */
  readonly logProbability: number;
}

/** Best class of one row. @param logits [rows, 785], row-major */
export function chooseBest(logits: Float32Array, row: number): Choice {
  const start = row * CLASS_COUNT;
  const index = indexOfLargest(logits, start, CLASS_COUNT);
  const largest = logits[start + index]!;
  let sum = 0;
  for (let at = start; at < start + CLASS_COUNT; at++) sum += Math.exp(logits[at]! - largest);
  return { index, logProbability: -Math.log(sum) };
}

/** Offset from `start` of the largest of `length` values; the first wins a tie. A value that is not a number never wins. */
export function indexOfLargest(values: Float32Array, start: number, length: number): number {
  let best = 0;
  for (let at = 1; at < length; at++) if (values[start + at]! > values[start + best]!) best = at;
  return best;
}

/**
 * Score of a polygon, 0..1: the geometric mean of the probabilities its decoder steps were chosen with, end-of-sequence included,
 * first vertex not. exp(mean of log-probabilities) does not punish long sequences as their product would.
 *
 * @param sumLogProbability sum over the steps, at most 0
 * @param steps             decoder steps taken, at least 1
 */
export function scoreOf(sumLogProbability: number, steps: number): number {
  return Math.exp(sumLogProbability / steps);
}
