/**
 * 95 % intervals of means by the percentile bootstrap (Efron 1979): each group is resampled from its own instances,
 * with replacement, and the interval spans the middle 95 % of the resulting means.
 *
 * A resample of n instances has n - 1 of them: n would make the intervals of small groups too narrow by the factor
 * sqrt((n - 1) / n) (Rao and Wu 1988). One instance has no interval. For the mean over instances, all of them are one
 * group; the mean of classes keeps every class in every resample (`MeanOfClasses`).
 *
 * Instances of one image are treated as independent, which makes the intervals somewhat too narrow. All methods and
 * both measures share the resamples. Memory: resamples x columns per group, nothing per instance.
 */
import type { Random } from "../random.js";
import type { Interval } from "../report/types.js";

/** Values of all instances: `columns` numbers per instance side by side, so that a sample reads one place in memory. */
export interface ValueTable {
  readonly columns: number;
  /** instances * columns */
  readonly values: Float64Array;
}

/**
 * Means of one group: of the group itself, and of every resample (resample r, column c at r * columns + c); of one
 * instance there are no resamples.
 */
export interface GroupMeans {
  readonly count: number;
  readonly means: Float64Array;
  readonly resampled: Float64Array;
}

const NO_RESAMPLES = new Float64Array(0);

/**
 * @param members row numbers of the group's instances, at least one
 * @param resamples 0 or more
 */
export function resampleGroup(table: ValueTable, members: Uint32Array, resamples: number, random: Random): GroupMeans {
  const { columns } = table;
  const count = members.length;
  const means = new Float64Array(columns);
  for (const row of members) addRow(means, 0, table, row);
  for (let c = 0; c < columns; c++) means[c]! /= count;
  if (count === 1) return { count, means, resampled: NO_RESAMPLES };
  const resampled = new Float64Array(resamples * columns);
  for (let r = 0; r < resamples; r++) {
    for (let sampled = 1; sampled < count; sampled++)
      addRow(resampled, r * columns, table, members[Math.floor(random.next() * count)]!);
  }
  for (let i = 0; i < resampled.length; i++) resampled[i]! /= count - 1;
  return { count, means, resampled };
}

function addRow(sums: Float64Array, at: number, { columns, values }: ValueTable, row: number): void {
  for (let c = 0; c < columns; c++) sums[at + c]! += values[row * columns + c]!;
}

/**
 * Mean of class means. In each resample a class takes the mean of its own resample; a class of one instance, which says
 * nothing of its own spread, takes the value of any class of one instance (collapsed strata, Cochran 1977, section
 * 5A.12). Where it is the only such class, it takes the mean of any class.
 */
export class MeanOfClasses {
  private readonly means: Float64Array[] = [];
  private readonly singles: Float64Array[] = [];
  /** Sums over the classes of two and more. */
  private readonly resampled: Float64Array;

  constructor(
    private readonly columns: number,
    private readonly resamples: number,
  ) {
    this.resampled = new Float64Array(resamples * columns);
  }

  add({ count, means, resampled }: GroupMeans): void {
    this.means.push(means);
    if (count === 1) this.singles.push(means);
    else for (let i = 0; i < resampled.length; i++) this.resampled[i]! += resampled[i]!;
  }

  /** To be called once, after the last class. @returns the classes as one group, whose count is theirs */
  finish(random: Random): GroupMeans {
    const { columns, resampled } = this;
    const count = this.means.length;
    const means = new Float64Array(columns);
    for (const ofClass of this.means) for (let c = 0; c < columns; c++) means[c]! += ofClass[c]! / count;
    if (count === 1 && this.singles.length === 1) return { count, means, resampled: NO_RESAMPLES };
    const values = this.singles.length === 1 ? this.means : this.singles;
    for (let r = 0; r < this.resamples; r++) {
      for (let single = 0; single < this.singles.length; single++) {
        const value = values[Math.floor(random.next() * values.length)]!;
        for (let c = 0; c < columns; c++) resampled[r * columns + c]! += value[c]!;
      }
    }
    for (let i = 0; i < resampled.length; i++) resampled[i]! /= count;
    return { count, means, resampled };
  }
}

/** The mean over nothing. */
export const EMPTY: Interval = { mean: null, low: null, high: null, count: 0 };

export function intervalOf(group: GroupMeans, columns: number, column: number): Interval {
  if (group.count === 0) return EMPTY;
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

/** Without resamples the interval has no ends, and neither has that of one instance. */
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
