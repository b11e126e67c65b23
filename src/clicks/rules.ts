/**
 * What a simulated annotator accepts and what it puts in the place of what it does not: `closest` and `ring`. The third
 * rule, `area`, is in clicks/area-rule.ts.
 *
 * Every rule is a pure function of the truth, the vertices drawn so far and the proposal; what is drawn already cannot
 * change. All positions are grid cells. The truth is a ring u(0), ..., u(n-1), clockwise as the network draws, turned
 * so that u(0) is the vertex closest to the first drawn one; u(n) is u(0) again. With a threshold that no distance on
 * the grid exceeds, every rule accepts everything; with T = 0 `closest` and `ring` leave nothing but the truth.
 */
import { cellToIndex, chessboardDistance, EOS, indexToCell, manhattanDistance } from "../geometry/grid.js";
import type { Decision, DecodingRule } from "../predict/decode-loop.js";
import type { ClickMetric } from "../report/types.js";
import type { GridCell } from "../types.js";

/**
 * What is to be drawn where the network proposes something: the proposal itself or, for one click, its correction.
 * Undefined is end-of-sequence, both as a proposal and as an answer. The first vertex is proposed with nothing drawn
 * and is always a cell.
 */
export type ClickRule = (drawn: readonly GridCell[], proposed: GridCell | undefined) => GridCell | undefined;

/**
 * A vertex that stands for no further truth vertex, but for the one reached or for u(n), is off by at least one cell,
 * wherever it lies: with T below 1 such vertices are clicks, and T = 0 leaves nothing but the truth.
 */
const LEAST_SURPLUS = 1;

/**
 * `closest`, the default. Source: the lecture on Castrejon et al., CVPR 2017: a predicted vertex further than T from
 * the closest ground-truth vertex is replaced by it.
 *
 * The lecture says nothing about the order of vertices. Without it the rule does harm: vertices are replaced by ones
 * that are drawn already and vertices passed over are lost (`mobile`, 100 instances of real photographs, T = 1: IoU .48
 * against .71 without an annotator). Hence the closest vertex is looked for where the drawing stands. Let u(r) be the
 * truth vertex reached, v the vertex drawn last. A vertex u(j), j > r, can be drawn next when all truth vertices
 * between u(r) and u(j) lie within T of the new edge.
 *
 *     a vertex      accepted within T of u(r) or of a vertex up to u(n) that can be drawn next; it then stands for the closest of them
 *     the first     accepted within T of the closest truth vertex, else replaced by it: the annotator sees it like any other
 *     an end        accepted when all truth vertices after u(r) lie within T of the closing edge
 *
 * All else is a click. Where an end would be accepted the click ends the polygon: going on after everything is covered.
 * Elsewhere it draws, of the truth vertices that can be drawn next, the one closest to the proposal, or for an end the
 * furthest one. So when an annotator with clicks to spare ends, every truth vertex lies within T of the outline.
 *
 * @param truth     cells of the truth's ring, clockwise, at least three
 * @param threshold T in cells, 0 or more
 */
export function closestRule(truth: readonly GridCell[], threshold: number, metric: ClickMetric): ClickRule {
  /** True when the truth vertices strictly between two positions lie within T of the edge a-b. */
  const covers = (turned: readonly GridCell[], from: number, to: number, a: GridCell, b: GridCell): boolean => {
    for (let i = from + 1; i < to; i++) if (distanceToEdge(turned[i]!, a, b, metric) > threshold) return false;
    return true;
  };
  /** Position of the truth vertex a cell drawn after `last` would stand for; undefined when there is none within T. */
  const standsFor = (
    turned: readonly GridCell[],
    reached: number,
    last: GridCell,
    cell: GridCell,
  ): number | undefined => {
    let best: number | undefined;
    let smallest = threshold;
    for (let j = reached; j < turned.length; j++) {
      const away = cellDistance(cell, turned[j]!, metric);
      const distance = j === reached || j === truth.length ? Math.max(LEAST_SURPLUS, away) : away;
      if (
        distance > smallest ||
        (best !== undefined && distance === smallest) ||
        !covers(turned, reached, j, last, cell)
      )
        continue;
      smallest = distance;
      best = j;
    }
    return best;
  };
  const follow = following(
    (first) => ({ turned: [...turn(truth, first, metric), truth[closestIndex(first, truth, metric)]!], reached: 0 }),
    ({ turned, reached }, cell, last) => ({ turned, reached: standsFor(turned, reached, last, cell) ?? reached }),
  );
  return (drawn, proposed) => {
    if (drawn.length === 0) {
      const closest = truth[closestIndex(proposed!, truth, metric)]!;
      return cellDistance(proposed!, closest, metric) > threshold ? closest : proposed;
    }
    const { turned, reached } = follow(drawn);
    const last = drawn.at(-1)!;
    if (proposed !== undefined && standsFor(turned, reached, last, proposed) !== undefined) return proposed;
    if (covers(turned, reached, truth.length, last, drawn[0]!)) return undefined;
    const next = turned.filter(
      (vertex, j) => j > reached && j < truth.length && covers(turned, reached, j, last, vertex),
    );
    return proposed === undefined ? next.at(-1) : next[closestIndex(proposed, next, metric)];
  };
}

/**
 * `ring`. Source: the authors' released training code: the truth is turned to start at the vertex nearest the first
 * prediction, and at step t the proposal is compared with truth vertex t, by Manhattan distance there; further than T
 * it is replaced by it. The truth's end-of-sequence forces the end. The first vertex is compared with the vertex the
 * truth was turned to.
 *
 * There the end is forced whatever T is. Here ends are judged with the same T, so that T says how much help was given:
 * an end at step t is accepted when u(t) and all after it lie within T of the closing edge, else u(t) is drawn; a
 * vertex after the truth's end is accepted within T of u(n), but not below T = 1, else the polygon ends.
 *
 * @param truth     cells of the truth's ring, clockwise, at least three
 * @param threshold T in cells, 0 or more
 */
export function ringRule(truth: readonly GridCell[], threshold: number, metric: ClickMetric): ClickRule {
  return (drawn, proposed) => {
    const turned = turn(truth, drawn[0] ?? proposed!, metric);
    const remaining = turned.slice(drawn.length);
    const expected = remaining[0];
    if (proposed === undefined) {
      const isRight = remaining.every(
        (vertex) => distanceToEdge(vertex, drawn.at(-1)!, drawn[0]!, metric) <= threshold,
      );
      return isRight ? undefined : expected;
    }
    const distance =
      expected === undefined
        ? Math.max(LEAST_SURPLUS, cellDistance(proposed, turned[0]!, metric))
        : cellDistance(proposed, expected, metric);
    return distance > threshold ? expected : proposed;
  };
}

/** The ring from its vertex closest to a cell on. */
function turn(truth: readonly GridCell[], first: GridCell, metric: ClickMetric): readonly GridCell[] {
  const start = closestIndex(first, truth, metric);
  return [...truth.slice(start), ...truth.slice(0, start)];
}

/**
 * A fold over the vertices drawn so far that remembers its last result: a drawing grows by one vertex at a time. Same
 * answers as without memory.
 */
export function following<S>(
  begin: (first: GridCell) => S,
  extend: (state: S, cell: GridCell, last: GridCell) => S,
): (drawn: readonly GridCell[]) => S {
  let known: readonly GridCell[] = [];
  let state: S | undefined;
  return (drawn) => {
    const isLonger =
      state !== undefined && known.every((cell, i) => cell.col === drawn[i]?.col && cell.row === drawn[i].row);
    let result = isLonger ? state! : begin(drawn[0]!);
    for (let i = isLonger ? known.length : 1; i < drawn.length; i++) result = extend(result, drawn[i]!, drawn[i - 1]!);
    known = drawn;
    state = result;
    return result;
  };
}

/* Distances between cells and edges on the grid, in cells, by the metric of the click simulation. Pure. */

export function cellDistance(a: GridCell, b: GridCell, metric: ClickMetric): number {
  return metric === "chessboard" ? chessboardDistance(a, b) : manhattanDistance(a, b);
}

/** Smallest distance from a cell to the points of the edge a-b, which may be a point. */
export function distanceToEdge(cell: GridCell, a: GridCell, b: GridCell, metric: ClickMetric): number {
  const dcol = b.col - a.col;
  const drow = b.row - a.row;
  const col = a.col - cell.col;
  const row = a.row - cell.row;
  // Both metrics are convex and linear in pieces along the edge: the smallest value lies where a piece ends.
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

/* The annotator in the decode loop: asks a click rule, counts what it corrects, and stops when the clicks are spent. */

/**
 * One simulated annotator at work on one polygon. A click is one replaced proposal: a vertex put elsewhere, an end put
 * in the place of a vertex, or a vertex in the place of an end.
 */
export class SimulatedAnnotator implements DecodingRule<SimulatedAnnotator> {
  private corrected = 0;

  /**
   * @param run      what the caller knows this polygon by; forks carry it on
   * @param budget   clicks the annotator has; Infinity for no limit
   * @param forkUpTo with each of the first that many + 1 corrections a second polygon starts, by an annotator who stops
   *   before it; -1 for none
   * @param isFork   true for those
   */
  constructor(
    readonly run: number,
    private readonly rule: ClickRule,
    private readonly budget: number,
    private readonly forkUpTo: number,
    readonly isFork = false,
  ) {}

  get clicks(): number {
    return this.corrected;
  }

  decide(drawn: readonly number[], proposed: number): Decision<SimulatedAnnotator> {
    if (this.corrected >= this.budget) return { taken: proposed };
    const wanted = this.rule(drawn.map(indexToCell), proposed === EOS ? undefined : indexToCell(proposed));
    const taken = wanted === undefined ? EOS : cellToIndex(wanted);
    if (taken === proposed) return { taken };
    const clicks = this.corrected++;
    return clicks <= this.forkUpTo ? { taken, fork: this.stoppedAt(clicks) } : { taken };
  }

  /** The same annotator with all its clicks spent. */
  private stoppedAt(clicks: number): SimulatedAnnotator {
    const stopped = new SimulatedAnnotator(this.run, this.rule, clicks, -1, true);
    stopped.corrected = clicks;
    return stopped;
  }
}
