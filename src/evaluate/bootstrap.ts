/**
 * 95 % intervals of means by the percentile bootstrap (Efron 1979): each group is resampled from its own instances,
 * with replacement, and the interval spans the middle 95 % of the resulting means.
 *
 * Instances are resampled within their class, so every class keeps its count and the mean of class means always has all
 * classes. Instances of one image are treated as independent, which makes the intervals somewhat too narrow. All
 * methods and both measures share the resamples. Memory: resamples x columns per group, nothing per instance.
 */
import type { Random } from "../random.js";
import type { Interval } from "../report/types.js";

/** Values of all instances: `columns` numbers per instance side by side, so that a sample reads one place in memory. */
export interface ValueTable {
  readonly columns: number;
  /** instances * columns */
  readonly values: Float64Array;
}

/** Means of one group: of the group itself, and of every resample (resample r, column c at r * columns + c). */
export interface GroupMeans {
  readonly count: number;
  readonly means: Float64Array;
  readonly resampled: Float64Array;
}

/**
 * @param members row numbers of the group's instances, at least one
 * @param resamples 0 or more
 */
export function resampleGroup(table: ValueTable, members: Uint32Array, resamples: number, random: Random): GroupMeans {
  const { columns } = table;
  const count = members.length;
  const means = new Float64Array(columns);
  for (const row of members) addRow(means, 0, table, row);
  const resampled = new Float64Array(resamples * columns);
  for (let r = 0; r < resamples; r++) {
    for (let sampled = 0; sampled < count; sampled++)
      addRow(resampled, r * columns, table, members[Math.floor(random.next() * count)]!);
  }
  for (let c = 0; c < columns; c++) means[c]! /= count;
  for (let i = 0; i < resampled.length; i++) resampled[i]! /= count;
  return { count, means, resampled };
}

function addRow(sums: Float64Array, at: number, { columns, values }: ValueTable, row: number): void {
  for (let c = 0; c < columns; c++) sums[at + c]! += values[row * columns + c]!;
}

/**
 * Mean over groups, each with its weight: 1 for a mean of class means, the group's count for the mean over instances.
 */
export class MeanOfGroups {
  private readonly means: Float64Array;
  private readonly resampled: Float64Array;
  private weight = 0;
  private groups = 0;
  private instances = 0;

  constructor(
    private readonly columns: number,
    resamples: number,
    private readonly weighting: "groups" | "instances",
  ) {
    this.means = new Float64Array(columns);
    this.resampled = new Float64Array(resamples * columns);
  }

  add(group: GroupMeans): void {
    const weight = this.weighting === "groups" ? 1 : group.count;
    this.weight += weight;
    this.groups += 1;
    this.instances += group.count;
    for (let i = 0; i < this.means.length; i++) this.means[i]! += weight * group.means[i]!;
    for (let i = 0; i < this.resampled.length; i++) this.resampled[i]! += weight * group.resampled[i]!;
  }

  /** The interval's `count` is the number of groups or of instances, by the weighting. */
  interval(column: number): Interval {
    if (this.weight === 0) return EMPTY;
    const resampled = pick(this.resampled, this.columns, column).map((sum) => sum / this.weight);
    return toInterval(
      this.means[column]! / this.weight,
      resampled,
      this.weighting === "groups" ? this.groups : this.instances,
    );
  }
}

/** The mean over nothing. */
export const EMPTY: Interval = { mean: null, low: null, high: null, count: 0 };

export function intervalOf(group: GroupMeans, columns: number, column: number): Interval {
  return toInterval(group.means[column]!, pick(group.resampled, columns, column), group.count);
}

/** Interval of a mean over one column of values. */
export function bootstrapMean(values: Float64Array, resamples: number, random: Random): Interval {
  if (values.length === 0) return EMPTY;
  const members = Uint32Array.from(values, (_, row) => row);
  return intervalOf(resampleGroup({ columns: 1, values }, members, resamples, random), 1, 0);
}

function pick(resampled: Float64Array, columns: number, column: number): Float64Array {
  return Float64Array.from({ length: resampled.length / columns }, (_, r) => resampled[r * columns + column]!);
}

/** Without resamples the interval has no ends. */
function toInterval(mean: number, resampled: Float64Array, count: number): Interval {
  if (resampled.length === 0) return { mean, low: null, high: null, count };
  resampled.sort();
  return { mean, low: quantile(resampled, 0.025), high: quantile(resampled, 0.975), count };
}

/**
 * Linear between neighbors: definition 7 of Hyndman and Fan 1996, numpy's default.
 * @param sorted at least one value, ascending
 */
export function quantile(sorted: Float64Array, part: number): number {
  const place = part * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}
