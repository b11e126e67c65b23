/**
 * The simulated annotator: what it accepts, what it puts in the place of what it rejects, and when its clicks are
 * spent. The rules `closest` and `ring` are here; the third, `area`, is in clicks/area-rule.ts.
 *
 * Every rule is a pure function of the truth, the vertices placed so far and the proposal; placed vertices never
 * change. All positions are grid cells. The truth is a ring u(0), ..., u(n-1), clockwise as the network predicts,
 * rotated so that u(0) is the vertex closest to the first placed one; u(n) is u(0) again. With a threshold that no
 * distance on the grid exceeds, every rule accepts everything. With T = 0 `closest` and `ring` leave nothing but the
 * truth.
 */
import { cellToIndex, chessboardDistance, EOS, indexToCell, manhattanDistance } from "../geometry/grid.js";
import type { Decision, DecodingRule } from "../predict/decode-loop.js";
import type { ClickMetric } from "../report/types.js";
import type { GridCell } from "../types.js";

/**
 * What comes next where the network proposes something: the proposal itself or, for one click, its correction.
 * Undefined is end-of-sequence, both as a proposal and as an answer. The first vertex is proposed while nothing is
 * placed, and is always a cell.
 */
export type ClickRule = (placed: readonly GridCell[], proposed: GridCell | undefined) => GridCell | undefined;

export interface AnnotatorOptions {
  /** What the caller knows this polygon by; forks keep it. */
  readonly run: number;
  readonly rule: ClickRule;
  /** Clicks the annotator has; Infinity for no limit. */
  readonly budget: number;
  /**
   * Each of the first `forkUpTo` + 1 corrections starts a second polygon, by an annotator who stops before it; -1 for
   * none.
   */
  readonly forkUpTo: number;
}

/**
 * One simulated annotator at work on one polygon. A click is one replaced proposal: a vertex put elsewhere, an end put
 * in the place of a vertex, or a vertex in the place of an end.
 */
export class SimulatedAnnotator implements DecodingRule<SimulatedAnnotator> {
  private corrected = 0;

  /** @param isFork true for an annotator who stopped before a correction of another one */
  constructor(
    private readonly options: AnnotatorOptions,
    readonly isFork = false,
  ) {}

  get run(): number {
    return this.options.run;
  }

  get clicks(): number {
    return this.corrected;
  }

  decide(placed: readonly number[], proposed: number): Decision<SimulatedAnnotator> {
    const { rule, budget, forkUpTo } = this.options;
    if (this.corrected >= budget) return { taken: proposed };
    const wanted = rule(placed.map(indexToCell), proposed === EOS ? undefined : indexToCell(proposed));
    const taken = wanted === undefined ? EOS : cellToIndex(wanted);
    if (taken === proposed) return { taken };
    const clicks = this.corrected++;
    return clicks <= forkUpTo ? { taken, fork: this.stoppedAt(clicks) } : { taken };
  }

  /** The same annotator with all its clicks spent. */
  private stoppedAt(clicks: number): SimulatedAnnotator {
    const stopped = new SimulatedAnnotator({ ...this.options, budget: clicks, forkUpTo: -1 }, true);
    stopped.corrected = clicks;
    return stopped;
  }
}

/**
 * A vertex that stands for no further truth vertex, but for the one reached or for u(n), is off by at least one cell,
 * wherever it lies. So with T below 1 such vertices are clicks, and T = 0 leaves nothing but the truth.
 */
const LEAST_SURPLUS = 1;

/**
 * `closest`, the default. Source: the lecture on Castrejon et al., CVPR 2017: a predicted vertex further than T from
 * the closest ground-truth vertex is replaced by it.
 *
 * The lecture says nothing about the order of vertices. Without an order the rule does harm: vertices are replaced by
 * ones that are placed already, and vertices passed over are lost (figures in bench/figures.md). Hence the closest
 * vertex is searched from where the outline has got to. Let u(r) be the truth vertex reached and v the vertex placed
 * last. A vertex u(j), j > r, can come next when all truth vertices between u(r) and u(j) lie within T of the edge
 * from v.
 *
 *     a vertex      accepted within T of u(r), or of a vertex up to u(n) that can come next;
 *                   it then stands for the closest of them
 *     the first     accepted within T of the closest truth vertex, else replaced by it:
 *                   the annotator sees it like any other
 *     an end        accepted when all truth vertices after u(r) lie within T of the closing edge
 *
 * All else is a click. Where an end would be accepted, the click ends the polygon: it went on after everything was
 * covered. Elsewhere the click places a truth vertex that can come next: the one closest to the proposal, or the
 * furthest one in the place of an end. So when an annotator with clicks to spare ends, every truth vertex lies within T
 * of the outline.
 *
 * @param truth     cells of the truth's ring, clockwise, at least three
 * @param threshold T in cells, 0 or more
 */
export function closestRule(truth: readonly GridCell[], threshold: number, metric: ClickMetric): ClickRule {
  /** True when all the vertices lie within T of the edge a-b. */
  const covers = (vertices: readonly GridCell[], a: GridCell, b: GridCell): boolean =>
    vertices.every((vertex) => distanceToEdge(vertex, a, b, metric) <= threshold);
  /** Position of the truth vertex a cell after `last` would stand for; undefined when there is none within T. */
  const standsFor = (
    rotated: readonly GridCell[],
    reached: number,
    last: GridCell,
    cell: GridCell,
  ): number | undefined => {
    let best: number | undefined;
    let smallest = threshold;
    for (let j = reached; j < rotated.length; j++) {
      const away = cellDistance(cell, rotated[j]!, metric);
      const distance = j === reached || j === truth.length ? Math.max(LEAST_SURPLUS, away) : away;
      if (distance > smallest || (best !== undefined && distance === smallest)) continue;
      if (!covers(rotated.slice(reached + 1, j), last, cell)) continue;
      smallest = distance;
      best = j;
    }
    return best;
  };
  const follow = following(
    (first) => ({ rotated: [...rotate(truth, first, metric), truth[closestIndex(first, truth, metric)]!], reached: 0 }),
    ({ rotated, reached }, cell, last) => ({ rotated, reached: standsFor(rotated, reached, last, cell) ?? reached }),
  );
  return (placed, proposed) => {
    if (placed.length === 0) {
      const closest = truth[closestIndex(proposed!, truth, metric)]!;
      return cellDistance(proposed!, closest, metric) > threshold ? closest : proposed;
    }
    const { rotated, reached } = follow(placed);
    const last = placed.at(-1)!;
    if (proposed !== undefined && standsFor(rotated, reached, last, proposed) !== undefined) return proposed;
    const ahead = rotated.slice(reached + 1, truth.length);
    if (covers(ahead, last, placed[0]!)) return undefined;
    const next = ahead.filter((vertex, i) => covers(ahead.slice(0, i), last, vertex));
    return proposed === undefined ? next.at(-1) : next[closestIndex(proposed, next, metric)];
  };
}

/**
 * `ring`. Source: the authors' released training code. The truth is rotated to start at the vertex nearest the first
 * prediction, and at step t the proposal is compared with truth vertex t, by Manhattan distance there; further than T
 * it is replaced by it. The truth's end-of-sequence forces the end. The first vertex is compared with the vertex the
 * truth was rotated to.
 *
 * There the end is forced whatever T is. Here ends are judged with the same T, so that T says how much help was given:
 * an end at step t is accepted when u(t) and all after it lie within T of the closing edge, else u(t) is placed. A
 * vertex after the truth's end is accepted within T of u(n), but not below T = 1, else the polygon ends.
 *
 * @param truth     cells of the truth's ring, clockwise, at least three
 * @param threshold T in cells, 0 or more
 */
export function ringRule(truth: readonly GridCell[], threshold: number, metric: ClickMetric): ClickRule {
  return (placed, proposed) => {
    const rotated = rotate(truth, placed[0] ?? proposed!, metric);
    const remaining = rotated.slice(placed.length);
    const expected = remaining[0];
    if (proposed === undefined) {
      const isRight = remaining.every(
        (vertex) => distanceToEdge(vertex, placed.at(-1)!, placed[0]!, metric) <= threshold,
      );
      return isRight ? undefined : expected;
    }
    const distance =
      expected === undefined
        ? Math.max(LEAST_SURPLUS, cellDistance(proposed, rotated[0]!, metric))
        : cellDistance(proposed, expected, metric);
    return distance > threshold ? expected : proposed;
  };
}

/** The ring from its vertex closest to a cell on. */
function rotate(truth: readonly GridCell[], first: GridCell, metric: ClickMetric): readonly GridCell[] {
  const start = closestIndex(first, truth, metric);
  return [...truth.slice(start), ...truth.slice(0, start)];
}

/**
 * A fold over the vertices placed so far that remembers its last result, because an outline grows by one vertex at a
 * time. Gives the same answers as without memory.
 */
export function following<S>(
  begin: (first: GridCell) => S,
  extend: (state: S, cell: GridCell, last: GridCell) => S,
): (placed: readonly GridCell[]) => S {
  let known: readonly GridCell[] = [];
  let state: S | undefined;
  return (placed) => {
    const isLonger =
      state !== undefined && known.every((cell, i) => cell.col === placed[i]?.col && cell.row === placed[i].row);
    let result = isLonger ? state! : begin(placed[0]!);
    for (let i = isLonger ? known.length : 1; i < placed.length; i++)
      result = extend(result, placed[i]!, placed[i - 1]!);
    known = placed;
    state = result;
    return result;
  };
}

/** In cells. */
export function cellDistance(a: GridCell, b: GridCell, metric: ClickMetric): number {
  return metric === "chessboard" ? chessboardDistance(a, b) : manhattanDistance(a, b);
}

/** Smallest distance from a cell to the points of the edge a-b, which may be a point; in cells. */
export function distanceToEdge(cell: GridCell, a: GridCell, b: GridCell, metric: ClickMetric): number {
  const dcol = b.col - a.col;
  const drow = b.row - a.row;
  const col = a.col - cell.col;
  const row = a.row - cell.row;
  // Both metrics are convex and piecewise linear along the edge: the smallest value lies where a piece ends.
  const ends = [0, 1, -col / dcol, -row / drow, (row - col) / (dcol - drow), -(row + col) / (dcol + drow)];
  let smallest = Infinity;
  for (const end of ends) {
    if (!(end >= 0 && end <= 1)) continue; // also leaves out the divisions by zero
    smallest = Math.min(smallest, cellDistance({ col: col + end * dcol, row: row + end * drow }, ORIGIN, metric));
  }
  return smallest;
}
const ORIGIN: GridCell = { col: 0, row: 0 };

/** Position of the closest cell; the first one wins a tie. @param cells at least one */
export function closestIndex(cell: GridCell, cells: readonly GridCell[], metric: ClickMetric): number {
  let best = 0;
  let smallest = Infinity;
  for (let i = 0; i < cells.length; i++) {
    const distance = cellDistance(cell, cells[i]!, metric);
    if (distance < smallest) {
      smallest = distance;
      best = i;
    }
  }
  return best;
}
