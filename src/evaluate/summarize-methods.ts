/** From the table of instances to means with intervals for each method: overall, per class, per size, per source. */
import type { Random } from "../random.js";
import type { GroupScore, Interval, MethodReport } from "../report/types.js";
import type { GroupMeans } from "./bootstrap.js";
import { EMPTY, intervalOf, MeanOfClasses, resampleGroup } from "./bootstrap.js";
import type { InstanceTable } from "./instance-table.js";
import { SIZE_NAMES, sizeOfArea } from "./instance-table.js";

/** Names by the numbers in the table. */
export interface GroupNames {
  readonly categories: readonly string[];
  /** Absent when no grouping was asked for. */
  readonly sources?: readonly string[];
}

export interface Resampling {
  readonly resamples: number;
  readonly random: Random;
}

/** The numbers of a method's report; name and description come from the method. */
export type MethodNumbers = Pick<
  MethodReport,
  | "classMean"
  | "instanceMean"
  | "boundaryClassMean"
  | "boundaryInstanceMean"
  | "failed"
  | "perClass"
  | "perSize"
  | "perSource"
>;

/** One entry per method of the table. */
export function summarizeMethods(
  table: InstanceTable,
  names: GroupNames,
  { resamples, random }: Resampling,
): MethodNumbers[] {
  const values = table.values;
  const classes = new MeanOfClasses(values.columns, resamples);
  const scores = Array.from({ length: table.methods }, () => ({
    perClass: [] as GroupScore[],
    perSize: [] as GroupScore[],
    perSource: [] as GroupScore[],
  }));
  const resample = (members: Uint32Array, stream: string): GroupMeans | undefined =>
    members.length === 0 ? undefined : resampleGroup(values, members, resamples, random.fork(stream));
  const addScores = (kind: "perClass" | "perSize" | "perSource", name: string, group: GroupMeans | undefined): void => {
    for (const [method, score] of scores.entries()) {
      const [iou, boundaryIou] = [2 * method, 2 * method + 1].map((column) =>
        group === undefined ? EMPTY : intervalOf(group, values.columns, column),
      );
      score[kind].push({ name, iou: iou!, boundaryIou: boundaryIou! });
    }
  };

  for (const [number, members] of groupRows(table.category, names.categories.length).entries()) {
    const group = resample(members, `class/${number}`);
    if (group === undefined) continue;
    classes.add(group);
    addScores("perClass", names.categories[number]!, group);
  }
  const classMean = classes.finish(random.fork("class mean"));
  const instanceMean = resample(allRows(table.count), "instances");
  const sizes = Int32Array.from(table.area, (area) => SIZE_NAMES.indexOf(sizeOfArea(area)));
  for (const [number, members] of groupRows(sizes, SIZE_NAMES.length).entries())
    addScores("perSize", SIZE_NAMES[number]!, resample(members, `size/${number}`));
  const sources = names.sources ?? [];
  const sourceGroups = names.sources === undefined ? [] : groupRows(table.source, sources.length);
  for (const name of [...sources].sort()) {
    const members = sourceGroups[sources.indexOf(name)]!;
    if (members.length > 0) addScores("perSource", name, resample(members, `source/${name}`));
  }

  const meanIn = (group: GroupMeans | undefined, column: number): Interval =>
    group === undefined ? EMPTY : intervalOf(group, values.columns, column);
  return scores.map(({ perClass, perSize, perSource }, method) => ({
    classMean: meanIn(classMean, 2 * method),
    instanceMean: meanIn(instanceMean, 2 * method),
    boundaryClassMean: meanIn(classMean, 2 * method + 1),
    boundaryInstanceMean: meanIn(instanceMean, 2 * method + 1),
    failed: table.failed[method]!,
    perClass,
    perSize,
    ...(names.sources !== undefined && { perSource }),
  }));
}

export function allRows(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, row) => row);
}

/** Rows by group number, ascending. */
export function groupRows(numbers: Int32Array, groups: number): Uint32Array[] {
  const counts = new Uint32Array(groups);
  for (const number of numbers) counts[number]! += 1;
  const rows = Array.from(counts, (count) => new Uint32Array(count));
  counts.fill(0);
  for (let row = 0; row < numbers.length; row++) {
    const number = numbers[row]!;
    rows[number]![counts[number]!++] = row;
  }
  return rows;
}
