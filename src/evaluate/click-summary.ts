/** The few numbers of a click simulation that a program asks for: the object `simulate-clicks --json` prints. Adding a field is free, changing one is a new version. */
import type { ClickMatch, ClickMetric, ClickReport, Interval, NocReport } from "./report-types.js";

export interface ClickSummary {
  readonly version: 1;
  readonly type: "clicks";
  /** What was simulated on: the named data set, an earlier run, or the bundled sample. */
  readonly source: ClickSource;
  readonly truth: string;
  readonly images: string;
  readonly instances: number;
  /** Annotations that could not take part. */
  readonly excluded: number;
  readonly match: ClickMatch;
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
  readonly secondsPerClick: number | null;
  readonly wallSeconds: number;
  /** What `--fail-over-clicks` asked for, and whether it was kept; absent without it. */
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
