/**
 * From logits to a choice and how sure the network is of it.
 *
 * Sure means: right within one grid cell. Targets are smoothed in training (half the weight on each 4-neighbor), so that even a
 * perfect network gives the very cell a third of the probability; the mass of the cell and its neighbors is what says something.
 * On the 1,994 validation instances its rank correlation with IoU is 0.50, that of the cell's own probability 0.42.
 */
import { CELL_COUNT, CLASS_COUNT, EOS, GRID_SIZE } from "../geometry/grid.js";

export interface Choice {
  /** Class with the highest logit, 0..784; the lowest index wins a tie. */
  readonly index: number;
  /** Natural logarithm of the probability that the vertex lies within one cell of the choice (of end-of-sequence: that it ends), at most 0. */
  readonly logProbability: number;
}

/** Best class of one row. @param logits [rows, 785], row-major */
export function chooseBest(logits: Float32Array, row: number): Choice {
  return chosenClass(logits, row, indexOfLargest(logits, row * CLASS_COUNT, CLASS_COUNT));
}

/** A class that was chosen already. @param logits [rows, 785], row-major */
export function chosenClass(logits: Float32Array, row: number, index: number): Choice {
  const start = row * CLASS_COUNT;
  const largest = logits[start + index]!;
  let all = 0;
  for (let at = start; at < start + CLASS_COUNT; at++) all += Math.exp(logits[at]! - largest);
  let near = 0;
  for (const at of withinOneCell(index)) near += Math.exp(logits[start + at]! - largest);
  return { index, logProbability: Math.min(0, Math.log(near / all)) };
}

/** The cell and those at chessboard distance 1; end-of-sequence alone. */
function withinOneCell(index: number): number[] {
  if (index === EOS) return [EOS];
  const col = index % GRID_SIZE;
  const near: number[] = [];
  for (let rowStart = index - col - GRID_SIZE; rowStart <= index - col + GRID_SIZE; rowStart += GRID_SIZE) {
    if (rowStart < 0 || rowStart >= CELL_COUNT) continue;
    for (let at = Math.max(0, col - 1); at <= Math.min(GRID_SIZE - 1, col + 1); at++) near.push(rowStart + at);
  }
  return near;
}

/** Offset from `start` of the largest of `length` values; the first wins a tie. A value that is not a number never wins. */
export function indexOfLargest(values: Float32Array, start: number, length: number): number {
  let best = 0;
  for (let at = 1; at < length; at++) if (values[start + at]! > values[start + best]!) best = at;
  return best;
}

/**
 * Score of a polygon, 0..1: the geometric mean of its steps' probabilities (of being right within one cell), end-of-sequence included,
 * first vertex not. exp(mean of log-probabilities) does not punish long sequences as their product would. It ranks the polygons of
 * one model; it is not an estimate of IoU.
 *
 * @param sumLogProbability sum over the steps, at most 0
 * @param steps             decoder steps taken, at least 1
 */
export function scoreOf(sumLogProbability: number, steps: number): number {
  return Math.exp(sumLogProbability / steps);
}
