/** How the numbers are spread: histograms, IoU against object size and score, and samples of points for charts. */
import type { Random } from "../random.js";
import type { HistogramBin, Histograms, IouByScore, IouBySize } from "../report/types.js";
import { SAMPLE_POINTS } from "../report/types.js";
import type { InstanceTable } from "./instance-table.js";

const IOU_BINS = 20;
const SCORE_BINS = 10;
const FEWEST_VERTICES = 3;
/** The bin that also holds all longer polygons. */
const LAST_VERTEX_BIN = 80;

export function histogramsOf(table: InstanceTable): Histograms {
  const ious = new Uint32Array(IOU_BINS);
  for (const iou of table.predictedIou()) ious[binOf(iou, IOU_BINS)]! += 1;
  return {
    iou: Array.from(ious, (count, bin) => ({ low: bin / IOU_BINS, high: (bin + 1) / IOU_BINS, count })),
    vertices: vertexBins(table.vertices),
  };
}

/** Bin of a value in 0..1; 1 belongs to the last. */
function binOf(value: number, bins: number): number {
  return Math.min(bins - 1, Math.max(0, Math.floor(value * bins)));
}

function vertexBins(vertices: Int32Array): HistogramBin[] {
  const counts = new Uint32Array(LAST_VERTEX_BIN + 1);
  let most = 0;
  for (const count of vertices) {
    if (count < FEWEST_VERTICES) continue;
    counts[Math.min(count, LAST_VERTEX_BIN)]! += 1;
    most = Math.max(most, count);
  }
  const last = Math.min(most, LAST_VERTEX_BIN);
  return Array.from({ length: Math.max(0, last - FEWEST_VERTICES + 1) }, (_, i) => {
    const low = FEWEST_VERTICES + i;
    return { low, high: low === LAST_VERTEX_BIN && most > LAST_VERTEX_BIN ? null : low + 1, count: counts[low]! };
  });
}

export function iouBySize(table: InstanceTable, random: Random): IouBySize {
  const ious = table.predictedIou();
  const sides = table.area.map(Math.sqrt);
  const bins = new Map<number, { count: number; sum: number }>();
  for (const [row, side] of sides.entries()) {
    const power = Math.floor(Math.log2(side));
    const bin = bins.get(power) ?? { count: 0, sum: 0 };
    bins.set(power, bin);
    bin.count += 1;
    bin.sum += ious[row]!;
  }
  const powers = [...bins.keys()];
  const first = Math.min(...powers);
  const spread = powers.length === 0 ? 0 : Math.max(...powers) - first + 1;
  return {
    bins: Array.from({ length: spread }, (_, i) => {
      const { count, sum } = bins.get(first + i) ?? { count: 0, sum: 0 };
      return { low: 2 ** (first + i), high: 2 ** (first + i + 1), count, meanIou: count === 0 ? null : sum / count };
    }),
    sample: sampleRows(table.count, random).map((row) => [sides[row]!, ious[row]!] as const),
  };
}

/** @returns undefined when no prediction has a score in 0..1 */
export function iouByScore(table: InstanceTable, random: Random): IouByScore | undefined {
  const rows = Uint32Array.from({ length: table.count }, (_, row) => row).filter(
    (row) => table.score[row]! >= 0 && table.score[row]! <= 1,
  );
  if (rows.length === 0) return undefined;
  const allIous = table.predictedIou();
  const scores = Float64Array.from(rows, (row) => table.score[row]!);
  const ious = Float64Array.from(rows, (row) => allIous[row]!);
  const sums = Array.from({ length: SCORE_BINS }, () => ({ count: 0, score: 0, iou: 0 }));
  for (const [i, score] of scores.entries()) {
    const bin = sums[binOf(score, SCORE_BINS)]!;
    bin.count += 1;
    bin.score += score;
    bin.iou += ious[i]!;
  }
  return {
    bins: sums.map(({ count, score, iou }, bin) => ({
      low: bin / SCORE_BINS,
      high: (bin + 1) / SCORE_BINS,
      count,
      meanScore: count === 0 ? null : score / count,
      meanIou: count === 0 ? null : iou / count,
    })),
    sample: sampleRows(rows.length, random).map((i) => [scores[i]!, ious[i]!] as const),
    rankCorrelation: rankCorrelation(scores, ious),
  };
}

/** At most SAMPLE_POINTS different numbers below `count`, ascending; all of them when there are fewer. */
export function sampleRows(count: number, random: Random): number[] {
  if (count <= SAMPLE_POINTS) return Array.from({ length: count }, (_, row) => row);
  // Floyd's sampling without replacement: memory for the sample only.
  const chosen = new Set<number>();
  for (let last = count - SAMPLE_POINTS; last < count; last++) {
    const row = random.integer(last + 1);
    chosen.add(chosen.has(row) ? last : row);
  }
  return [...chosen].sort((a, b) => a - b);
}

/**
 * Spearman's: Pearson's correlation of the ranks; equal values share their mean rank. Null below 3 pairs or without
 * variation.
 */
export function rankCorrelation(a: Float64Array, b: Float64Array): number | null {
  if (a.length < 3) return null;
  const x = ranksOf(a);
  const y = ranksOf(b);
  const mean = (a.length + 1) / 2;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < x.length; i++) {
    xy += (x[i]! - mean) * (y[i]! - mean);
    xx += (x[i]! - mean) ** 2;
    yy += (y[i]! - mean) ** 2;
  }
  return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
}

function ranksOf(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let i = from; i < to; i++) ranks[order[i]!] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}
