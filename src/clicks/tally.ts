/**
 * Collects simulated instances and makes the click report: means with intervals per class and threshold, NoC, and the
 * IoU after k corrections. Also the few numbers of that report which `simulate-clicks --json` prints.
 */
import { NumberColumn } from "../dataset/coco/columns.js";
import type { GroupMeans, ValueTable } from "../evaluate/bootstrap.js";
import { intervalOf, MeanOfClasses, resampleGroup } from "../evaluate/bootstrap.js";
import { allRows, groupRows } from "../evaluate/summarize-methods.js";
import type { Random } from "../random.js";
import type {
  ClassClicks,
  ClickChoice,
  ClickMatch,
  ClickMetric,
  ClickReport,
  Interval,
  NocReport,
  ThresholdReport,
} from "../report/types.js";
import type { SimulatedInstance } from "./simulation.js";

/** NoC counts the corrections needed to reach each of these. */
const NOC_TARGETS = [0.8, 0.85, 0.9] as const;

/** Names by the numbers given with each instance. */
export interface ClickGroups {
  readonly categories: readonly string[];
  /** Absent when no grouping was asked for. */
  readonly sources?: readonly string[];
}

export class ClickTally {
  private readonly categories = new NumberColumn(Int32Array);
  private readonly sources = new NumberColumn(Int32Array);
  /** Per instance: truth vertices, then clicks and IoU of each threshold. */
  private readonly values = new NumberColumn(Float64Array);
  private readonly curve: Float64Array;
  private readonly noc = NOC_TARGETS.map(() => ({ clicks: 0, failures: 0 }));
  /** Clicks of all thresholds together. */
  clicks = 0;

  /** @param cap corrections over which the IoU is followed */
  constructor(
    private readonly thresholds: readonly number[],
    private readonly cap: number,
  ) {
    this.curve = new Float64Array(cap + 1);
  }

  get count(): number {
    return this.categories.length;
  }

  /** @param category position in the categories; likewise `source` */
  add({ truthVertices, perThreshold, iouAfterClicks }: SimulatedInstance, category: number, source: number): void {
    this.categories.push(category);
    this.sources.push(source);
    this.values.push(truthVertices);
    for (const { clicks, iou } of perThreshold) {
      this.values.push(clicks);
      this.values.push(iou);
      this.clicks += clicks;
    }
    for (const [clicks, iou] of iouAfterClicks.entries()) this.curve[clicks]! += iou;
    for (const [i, target] of NOC_TARGETS.entries()) {
      const needed = iouAfterClicks.findIndex((iou) => iou >= target);
      this.noc[i]!.clicks += needed < 0 ? this.cap : needed;
      if (needed < 0) this.noc[i]!.failures += 1;
    }
  }

  numbers(
    groups: ClickGroups,
    resamples: number,
    random: Random,
  ): Pick<ClickReport, "instances" | "perThreshold" | "noc" | "iouAfterClicks"> {
    return {
      instances: this.count,
      perThreshold: this.perThreshold(groups, resamples, random),
      noc: NOC_TARGETS.map((target, i): NocReport => ({
        target,
        cap: this.cap,
        failures: this.noc[i]!.failures,
        meanClicks: this.count === 0 ? null : this.noc[i]!.clicks / this.count,
      })),
      iouAfterClicks:
        this.count === 0 ? [] : Array.from(this.curve, (sum, clicks) => ({ clicks, iou: sum / this.count })),
    };
  }

  private perThreshold({ categories, sources }: ClickGroups, resamples: number, random: Random): ThresholdReport[] {
    const table: ValueTable = { columns: 1 + 2 * this.thresholds.length, values: this.values.view() };
    const resample = (members: Uint32Array, stream: string): GroupMeans =>
      resampleGroup(table, members, resamples, random.fork(stream));
    const meanOfClasses = new MeanOfClasses(table.columns, resamples);
    const classes: NamedMeans[] = [];
    for (const [number, members] of groupRows(this.categories.view(), categories.length).entries()) {
      if (members.length === 0) continue;
      const means = resample(members, `class/${number}`);
      classes.push({ name: categories[number]!, means });
      meanOfClasses.add(means);
    }
    const classMean = meanOfClasses.finish(random.fork("class mean"));
    const instanceMean = resample(allRows(this.count), "instances");
    const rowsOfSource = sources === undefined ? [] : groupRows(this.sources.view(), sources.length);
    const bySource = sources
      ?.map((name, number) => ({ name, members: rowsOfSource[number]! }))
      .filter(({ members }) => members.length > 0)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, members }): NamedMeans => ({ name, means: resample(members, `source/${name}`) }));

    const intervalIn = (group: GroupMeans, column: number): Interval => intervalOf(group, table.columns, column);
    return this.thresholds.map((threshold, at) => {
      const clicks = 1 + 2 * at;
      const iou = clicks + 1;
      const truthVertices = intervalIn(instanceMean, TRUTH_VERTICES).mean;
      const clicksInstanceMean = intervalIn(instanceMean, clicks);
      const scoreOf = ({ name, means }: NamedMeans): ClassClicks => scoreOfGroup(name, means, table.columns, clicks);
      return {
        threshold,
        clicksClassMean: intervalIn(classMean, clicks),
        clicksInstanceMean,
        iouClassMean: intervalIn(classMean, iou),
        iouInstanceMean: intervalIn(instanceMean, iou),
        truthVertices,
        speedUp: speedUp(truthVertices, clicksInstanceMean.mean),
        perClass: classes.map(scoreOf),
        ...(bySource !== undefined && { perSource: bySource.map(scoreOf) }),
      };
    });
  }
}

interface NamedMeans {
  readonly name: string;
  readonly means: GroupMeans;
}

/** Column with the vertices of the truth. */
const TRUTH_VERTICES = 0;

function scoreOfGroup(name: string, means: GroupMeans, columns: number, column: number): ClassClicks {
  const clicks = intervalOf(means, columns, column);
  const truthVertices = means.means[TRUTH_VERTICES]!;
  return {
    name,
    count: means.count,
    clicks,
    iou: intervalOf(means, columns, column + 1),
    truthVertices,
    speedUp: speedUp(truthVertices, clicks.mean),
  };
}

/** Null without a click. */
function speedUp(truthVertices: number | null, clicks: number | null): number | null {
  return truthVertices === null || clicks === null || clicks === 0 ? null : truthVertices / clicks;
}

/** What `simulate-clicks --json` prints. Adding a field is free, changing one is a new version. */
export interface ClickSummary {
  readonly version: 1;
  readonly type: "clicks";
  /** What was simulated on: the named data set, an earlier run, or the bundled sample. */
  readonly source: ClickSource;
  readonly truth: string;
  readonly images: string;
  readonly instances: number;
  /** Annotations that took no part. */
  readonly excluded: number;
  readonly match: ClickMatch;
  /** With match "worst" only. */
  readonly choice?: ClickChoice;
  readonly metric: ClickMetric;
  readonly maxClicks: number | null;
  /** Mean IoU over instances without a click. */
  readonly automaticIou: number | null;
  readonly perThreshold: readonly {
    readonly threshold: number;
    /** Per instance. */
    readonly clicks: Interval;
    readonly iou: Interval;
    readonly clicksClassMean: Interval;
    readonly iouClassMean: Interval;
    readonly truthVertices: number | null;
    readonly speedUp: number | null;
  }[];
  readonly curveThreshold: number;
  readonly noc: readonly NocReport[];
  readonly iouAfterClicks: ClickReport["iouAfterClicks"];
  readonly effort: ClickReport["effort"];
  readonly reviewed?: string;
  readonly secondsPerClick: number | null;
  readonly wallSeconds: number;
  /** The limit of `--fail-over-clicks` and whether it was kept; absent without one. */
  readonly failOverClicks?: {
    readonly limit: number;
    readonly threshold: number;
    readonly clicks: number | null;
    readonly passed: boolean;
  };
  readonly out: string;
  /** Relative to `out`. */
  readonly written: readonly string[];
}

export type ClickSource = "given" | "run" | "sample";

/** @param failOver most mean clicks per instance at the smallest threshold */
export function summarizeClicks(
  clicks: ClickReport,
  { source, truth, images }: { readonly source: ClickSource; readonly truth: string; readonly images: string },
  { out, written }: { readonly out: string; readonly written: readonly string[] },
  failOver: number | undefined,
): ClickSummary {
  const smallest = clicks.perThreshold.find(({ threshold }) => threshold === clicks.curveThreshold)!;
  const needed = smallest.clicksInstanceMean.mean;
  return {
    version: 1,
    type: "clicks",
    source,
    truth,
    images,
    instances: clicks.instances,
    excluded: clicks.exclusions.reduce((sum, { count }) => sum + count, 0),
    match: clicks.match,
    ...(clicks.choice !== undefined && { choice: clicks.choice }),
    metric: clicks.metric,
    maxClicks: clicks.maxClicks,
    automaticIou: clicks.iouAfterClicks[0]?.iou ?? null,
    perThreshold: clicks.perThreshold.map(
      ({ threshold, clicksInstanceMean, clicksClassMean, iouInstanceMean, iouClassMean, truthVertices, speedUp }) => ({
        threshold,
        clicks: clicksInstanceMean,
        iou: iouInstanceMean,
        clicksClassMean,
        iouClassMean,
        truthVertices,
        speedUp,
      }),
    ),
    curveThreshold: clicks.curveThreshold,
    noc: clicks.noc,
    iouAfterClicks: clicks.iouAfterClicks,
    effort: clicks.effort,
    ...(clicks.reviewed !== undefined && { reviewed: clicks.reviewed }),
    secondsPerClick: clicks.secondsPerClick,
    wallSeconds: clicks.wallSeconds,
    ...(failOver !== undefined && {
      failOverClicks: {
        limit: failOver,
        threshold: clicks.curveThreshold,
        clicks: needed,
        passed: needed !== null && needed <= failOver,
      },
    }),
    out,
    written,
  };
}
