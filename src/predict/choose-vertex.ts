/**
 * From logits to choices: where polygons may start, which class comes next, and how sure the network is of it.
 *
 * Sure means: right within one grid cell. Training smooths its targets (half the weight on each 4-neighbor), so that
 * even a perfect network gives the very cell a third of the probability. The probability of the cell and its neighbors
 * together says more about the IoU of the polygon than that of the cell alone (bench/README.md).
 */
import { CELL_COUNT, chessboardDistance, CLASS_COUNT, EOS, GRID_SIZE, indexToCell } from "../geometry/grid.js";
import { NEIGHBOR_WEIGHT, SCORE_SCALE } from "../network/vertex-score.js";

export interface Choice {
  /** Class 0..784; the lowest index wins a tie. */
  readonly index: number;
  /**
   * Natural logarithm of the probability that the vertex lies within one cell of the choice (of end-of-sequence: that
   * it ends), at most 0.
   */
  readonly logProbability: number;
}

/** Chooses a class of one row of logits [rows, 785], row-major. */
export type Chooser = (logits: Float32Array, row: number) => Choice;

/**
 * The class with the largest score (network/vertex-score.ts): end-of-sequence, or the cell with the most probability
 * around it.
 */
export function chooseBest(logits: Float32Array, row: number): Choice {
  const all = fillMasses(logits, row);
  return choiceOf(indexOfLargest(vertexScores(), 0, CLASS_COUNT), all);
}

/** The paper's rule: the class with the largest probability. For comparisons with other implementations. */
export function chooseLikeliest(logits: Float32Array, row: number): Choice {
  return chosenClass(logits, row, indexOfLargest(logits, row * CLASS_COUNT, CLASS_COUNT));
}

// Reused at every choice: this runs once per polygon and step, between two calls of the engine.
const masses = new Float64Array(CLASS_COUNT);
const across = new Float64Array(CELL_COUNT);
const scores = new Float32Array(CLASS_COUNT);

/**
 * Scores of the masses, [785]; their common factor is arbitrary. The edges of the grid stand outside the loops, which
 * then have no condition in them.
 */
function vertexScores(): Float32Array {
  const [side, cells, weight, scale] = [GRID_SIZE, CELL_COUNT, NEIGHBOR_WEIGHT, SCORE_SCALE];
  for (let first = 0; first < cells; first += side) {
    const last = first + side - 1;
    across[first] = masses[first]! + weight * masses[first + 1]!;
    for (let at = first + 1; at < last; at++) {
      across[at] = masses[at]! + weight * (masses[at - 1]! + masses[at + 1]!);
    }
    across[last] = masses[last]! + weight * masses[last - 1]!;
  }
  const lastRow = cells - side;
  for (let at = 0; at < side; at++) scores[at] = scale * (across[at]! + weight * across[at + side]!);
  for (let at = side; at < lastRow; at++) {
    scores[at] = scale * (across[at]! + weight * (across[at - side]! + across[at + side]!));
  }
  for (let at = lastRow; at < cells; at++) scores[at] = scale * (across[at]! + weight * across[at - side]!);
  scores[EOS] = masses[EOS]!;
  return scores;
}

/** How sure the network is of a class that was chosen already. @param logits [rows, 785], row-major */
export function chosenClass(logits: Float32Array, row: number, index: number): Choice {
  return choiceOf(index, fillMasses(logits, row));
}

/** Probabilities of one row, up to a common factor, into `masses`. @returns their sum */
function fillMasses(logits: Float32Array, row: number): number {
  const [start, count] = [row * CLASS_COUNT, CLASS_COUNT];
  const largest = logits[start + indexOfLargest(logits, start, count)]!;
  let all = 0;
  for (let at = 0; at < count; at++) all += masses[at] = Math.exp(logits[start + at]! - largest);
  return all;
}

/** @param all sum of `masses` */
function choiceOf(index: number, all: number): Choice {
  let near = 0;
  for (const at of withinOneCell(index)) near += masses[at]!;
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

/**
 * Offset from `start` of the largest of `length` values; the first wins a tie. A value that is not a number never wins.
 */
export function indexOfLargest(values: Float32Array, start: number, length: number): number {
  let best = start;
  for (let at = start + 1; at < start + length; at++) if (values[at]! > values[best]!) best = at;
  return best - start;
}

/**
 * Score of a polygon, 0..1: the geometric mean of its steps' probabilities (of being right within one cell),
 * end-of-sequence included, first vertex not. exp(mean of log-probabilities) does not punish long sequences as their
 * product would. It ranks the polygons of one model; it is not an estimate of IoU.
 *
 * @param sumLogProbability sum over the steps, at most 0
 * @param steps             decoder steps taken, at least 1
 */
export function scoreOf(sumLogProbability: number, steps: number): number {
  return Math.exp(sumLogProbability / steps);
}

/**
 * First vertices of different polygons lie further apart than this, in cells (chessboard distance): nearer ones lead to
 * the same polygon.
 */
const APART = 2;

/**
 * Where polygons may start: the best cells of the first-vertex map, apart from one another.
 * @param logits first-vertex logits of all crops, [rows, 784]
 * @param count  at least 1
 * @returns      cell indices 0..783, the best first; fewer than count where the map has no more room
 */
export function firstVertices(logits: Float32Array, row: number, count: number): number[] {
  const left = logits.slice(row * CELL_COUNT, (row + 1) * CELL_COUNT);
  const chosen: number[] = [];
  while (chosen.length < count) {
    const best = indexOfLargest(left, 0, CELL_COUNT);
    if (chosen.length > 0 && left[best] === Number.NEGATIVE_INFINITY) break;
    chosen.push(best);
    const center = indexToCell(best);
    for (let at = 0; at < CELL_COUNT; at++) {
      if (chessboardDistance(indexToCell(at), center) <= APART) left[at] = Number.NEGATIVE_INFINITY;
    }
  }
  return chosen;
}
