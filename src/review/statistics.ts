/**
 * What a review cost and changed. Seconds are active ones: gaps above 60 s between inputs do not count, and the page
 * counts them. A click is a vertex moved, added or deleted, or a box drawn. Nothing here leaves the machine.
 */
import { rasterizePolygon } from "../geometry/rasterize.js";
import { iouOfRles } from "../geometry/iou.js";
import { polygonBounds } from "../geometry/ring.js";
import { createRandom } from "../random.js";
import type { Ring } from "../types.js";
import type { ClickCounts, Interval, Spent, Statistics, StatisticsRow } from "./api.js";
import { CLICK_KINDS } from "./api.js";
import type { KnownDecision } from "./journal.js";

/** One decided instance, as the statistics see it. */
export interface DecidedInstance {
  readonly ordinal: number;
  readonly category: string;
  readonly decision: KnownDecision;
}

export const NO_CLICKS = {
  move: 0,
  add: 0,
  delete: 0,
  redraw: 0,
  redrawTaken: 0,
  redrawLeft: 0,
  box: 0,
  manual: 0,
  category: 0,
  undo: 0,
} satisfies ClickCounts;
export const NOTHING_SPENT: Spent = { counts: NO_CLICKS, activeMs: 0, openMs: 0, networkMs: 0 };
const RESAMPLES = 1000;
/** Instances of each arm below which an interval says nothing. */
const FEWEST_PER_ARM = 5;
const DECILES = 10;

/** @param session whose decisions are the person's own; undefined without one */
export function statisticsOf(
  decided: readonly DecidedInstance[],
  { counts, revision, session }: Pick<Statistics, "counts" | "revision"> & { readonly session?: number },
): Statistics {
  const finished = decided.filter(({ decision: { status } }) => status === "accepted" || status === "edited");
  const clicks = { ...NO_CLICKS };
  for (const { decision } of decided) for (const kind of CLICK_KINDS) clicks[kind] += decision.counts[kind];
  return {
    revision,
    counts,
    all: rowOf("all", decided),
    own:
      session === undefined
        ? null
        : rowOf(
            "own",
            decided.filter(({ decision }) => decision.session === session),
          ),
    byCategory: groupBy(decided, ({ category }) => category),
    byScore: groupBy(decided, ({ decision }) => decileName(decision.before.score)).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    ),
    acceptedUnchanged: finished.filter(({ decision }) => !decision.isChanged).length,
    clicks,
    networkSeconds: seconds(decided.reduce((sum, { decision }) => sum + decision.networkMs, 0)),
    saved: savedSeconds(finished),
    curve: curveOf(finished),
  };
}

function groupBy(decided: readonly DecidedInstance[], nameOf: (instance: DecidedInstance) => string): StatisticsRow[] {
  const groups = new Map<string, DecidedInstance[]>();
  for (const instance of decided) {
    const name = nameOf(instance);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [instance]);
    else group.push(instance);
  }
  return [...groups].map(([name, group]) => rowOf(name, group));
}

/** "0.6-0.7" */
function decileName(score: number | null): string {
  if (score === null) return "none";
  const decile = Math.min(DECILES - 1, Math.floor(score * DECILES));
  return `${(decile / DECILES).toFixed(1)}-${((decile + 1) / DECILES).toFixed(1)}`;
}

export function rowOf(name: string, group: readonly Pick<DecidedInstance, "decision">[]): StatisticsRow {
  const times = group.map(({ decision }) => seconds(decision.activeMs));
  const clicks = group.map(({ decision }) => clicksOf(decision.counts));
  const ious = group.flatMap(({ decision }) => (decision.before.iou === null ? [] : [decision.before.iou]));
  return {
    name,
    count: group.length,
    secondsMean: mean(times),
    secondsMedian: quantile(times, 0.5),
    seconds90: quantile(times, 0.9),
    clicksMean: mean(clicks),
    clicksMedian: quantile(clicks, 0.5),
    iouBefore: mean(ious),
  };
}

export function clicksOf(counts: ClickCounts): number {
  const { move, add, delete: deleted, box, manual } = counts;
  return move + add + deleted + box + manual;
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value that this part of the others does not exceed; null of nothing. */
export function quantile(values: readonly number[], part: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? null;
}

/** Seconds by hand minus seconds with help, with the percentile bootstrap (Efron 1979) over instances. */
function savedSeconds(finished: readonly DecidedInstance[]): Statistics["saved"] {
  const timesOf = (arm: "manual" | "assist"): number[] =>
    finished.filter(({ decision }) => decision.arm === arm).map(({ decision }) => seconds(decision.activeMs));
  const manual = timesOf("manual"),
    assist = timesOf("assist");
  if (Math.min(manual.length, assist.length) < FEWEST_PER_ARM) return null;
  const random = createRandom("review arms");
  const resample = (values: readonly number[]): number => mean(values.map(() => random.pick(values)))!;
  const drawn = Array.from({ length: RESAMPLES }, () => [resample(manual), resample(assist)] as const);
  const byHand = mean(manual)!,
    helped = mean(assist)!;
  const interval = (of: (byHand: number, helped: number) => number): Interval => {
    const values = drawn.map(([a, b]) => of(a, b));
    return { mean: of(byHand, helped), low: quantile(values, 0.025)!, high: quantile(values, 0.975)! };
  };
  return {
    ...interval((a, b) => a - b),
    manual: { count: manual.length, secondsMean: byHand },
    assist: { count: assist.length, secondsMean: helped },
    // Nothing counts as a millisecond, so that the quotient stays finite.
    times: interval((a, b) => a / Math.max(b, 0.001)),
  };
}

/** Mean IoU of what was decided, with the decided as truth, were only the first n from the lowest score corrected. */
function curveOf(finished: readonly DecidedInstance[]): Statistics["curve"] {
  const ious = finished
    .filter(({ decision }) => decision.before.iou !== null || decision.before.score === null)
    .sort((a, b) => (a.decision.before.score ?? -1) - (b.decision.before.score ?? -1) || a.ordinal - b.ordinal)
    .map(({ decision }) => decision.before.iou ?? 0);
  if (ious.length === 0) return [];
  const points = Math.min(20, ious.length);
  return Array.from({ length: points + 1 }, (_, point) => {
    const reviewed = Math.round((point * ious.length) / points);
    const open = ious.slice(reviewed).reduce((sum, iou) => sum + iou, 0);
    return { reviewed, meanIoU: (reviewed + open) / ious.length };
  });
}

/** IoU of two rings by COCO's rule. Only their surroundings are filled: a photograph may have 48 million pixels. */
export function iouOfRings(a: Ring, b: Ring): number {
  const bounds = polygonBounds([a, b]);
  if (bounds === undefined) return 0;
  const left = Math.floor(bounds.left),
    top = Math.floor(bounds.top);
  const width = Math.ceil(bounds.left + bounds.width) - left + 1;
  const height = Math.ceil(bounds.top + bounds.height) - top + 1;
  const fill = (ring: Ring): ReturnType<typeof rasterizePolygon> =>
    rasterizePolygon([ring.map(({ x, y }) => ({ x: x - left, y: y - top }))], height, width);
  return iouOfRles(fill(a), fill(b));
}
