/** Charts of report.html: clicks, histograms, IoU against size and against score. */
import type { Chart } from "../page/chart.js";
import { BLUE, drawChart, GREEN, LINE_COLORS, measurable, ORANGE } from "../page/chart.js";
import type { Markup } from "../page/markup.js";
import { cutText } from "../page/markup.js";
import { PUBLISHED_CLICKS } from "./published.js";
import type { ClickReport, EvaluationReport, HistogramBin, MethodReport } from "./types.js";

/**
 * Figure 5 of the paper: what corrections buy.
 * @param isPublished whether the paper's line is drawn as well, which was measured on other images
 */
export function iouAgainstClicks(clicks: ClickReport, methods: readonly MethodReport[], isPublished: boolean): Chart {
  const automaticIou = methods[0]?.instanceMean.mean ?? null;
  const others = levelsOf(methods);
  const measured = clicks.perThreshold
    .map(({ threshold, clicksInstanceMean, iouInstanceMean }) => ({
      threshold,
      clicks: clicksInstanceMean.mean,
      iou: iouInstanceMean.mean,
    }))
    .filter((point) => point.clicks !== null && point.iou !== null)
    .sort((a, b) => b.threshold - a.threshold);
  const points = measured.map((point) => ({ value: [point.clicks, point.iou], label: `T=${point.threshold}` }));
  if (automaticIou !== null) points.unshift({ value: [0, automaticIou], label: "automatic" });
  const published = (isPublished ? PUBLISHED_CLICKS[0].rows : [])
    .map(({ threshold, clicks: count, iou }) => ({
      value: [count ?? 0, iou / 100],
      label: threshold === null ? "automatic" : `T=${threshold}`,
    }))
    .sort((a, b) => a.value[0]! - b.value[0]!);
  const last = Math.ceil(1.06 * Math.max(1, ...[...points, ...published].map(({ value }) => value[0] ?? 0)));
  return {
    title: "What corrections buy",
    words:
      "Mean IoU against clicks per instance, one point per threshold T (grid cells)." +
      (others.length > 0 ? " Level lines are methods without an annotator." : "") +
      (isPublished ? " The dashed line is the paper's, on Cityscapes: other images, other classes." : ""),
    svg: drawChart(
      { name: "clicks per instance", min: 0, max: last },
      {
        name: "mean IoU",
        min: floorTo(
          Math.min(1, ...[...points, ...published].map(({ value }) => value[1]!), ...others.map(({ iou }) => iou)),
          0.1,
        ),
        max: 1,
      },
      [
        labeledLine(points, { name: "measured here", color: BLUE, type: "solid", position: "top" }),
        ...(isPublished
          ? [labeledLine(published, { name: PUBLISHED_LINE, color: ORANGE, type: "dashed", position: "bottom" })]
          : []),
        ...others.map((level) => levelLine(level, last)),
      ],
      { names: isPublished ? ["measured here", PUBLISHED_LINE] : [], atEnds: others.length > 0 },
    ),
  };
}

const PUBLISHED_LINE = "published (Cityscapes)";

interface LabeledPoint {
  readonly value: readonly (number | null)[];
  readonly label: string;
}

interface LineStyle {
  readonly name: string;
  readonly color: string;
  readonly type: "solid" | "dashed";
  /** Of the labels. */
  readonly position: "top" | "bottom";
}

function labeledLine(points: readonly LabeledPoint[], { name, color, type, position }: LineStyle): object {
  return {
    name,
    type: "line",
    symbolSize: 8,
    color,
    lineStyle: { type, width: 2 },
    itemStyle: { color },
    labelLayout: { hideOverlap: true },
    data: points.map(({ value, label }) => ({
      value,
      label: {
        ...{ show: true, formatter: label, color: "currentColor", fontSize: 11 },
        // At the axis the name begins at the point, on the other side: it would cover the axis' numbers.
        ...(value[0] === 0 ? { position: position === "top" ? "bottom" : "top", align: "left" } : { position }),
      },
    })),
  };
}

/** A method that needs no annotator, and its mean IoU. */
interface Level {
  /** Fixed text: names from files are no keys of a chart. */
  readonly key: string;
  readonly name: string;
  readonly color: string;
  readonly iou: number;
}

/** More lines than this are told apart by nobody. */
const MOST_LEVELS = 10;
const LONGEST_LEVEL_NAME = 13;

function levelsOf(methods: readonly MethodReport[]): Level[] {
  return methods.slice(1, 1 + MOST_LEVELS).flatMap(({ name, instanceMean: { mean } }, at) => {
    const color = LINE_COLORS[(at + 1) % LINE_COLORS.length]!;
    return mean === null ? [] : [{ key: `method ${at + 1}`, name, color, iou: mean }];
  });
}

/** Its name stands at its end: a legend of ten lines in six colors would be a riddle. */
function levelLine({ key, name, color, iou }: Level, to: number): object {
  const shown = measurable(cutText(name, LONGEST_LEVEL_NAME, "..."));
  return {
    name: key,
    type: "line",
    symbol: "none",
    color,
    lineStyle: { width: 1.5, type: "dotted" },
    endLabel: { show: true, formatter: () => shown, color: "currentColor", fontSize: 11 },
    labelLayout: { moveOverlap: "shiftY" },
    data: [
      [0, iou],
      [to, iou],
    ],
  };
}

export function iouAfterCorrections(clicks: ClickReport, methods: readonly MethodReport[]): Chart {
  const others = levelsOf(methods);
  const last = Math.max(1, ...clicks.iouAfterClicks.map(({ clicks: k }) => k));
  const least = Math.min(1, ...clicks.iouAfterClicks.map(({ iou }) => iou), ...others.map(({ iou }) => iou));
  const name = "after corrections";
  return {
    title: "IoU after k corrections",
    words:
      `Mean IoU when the annotator stops after k corrections, at T = ${clicks.curveThreshold} (the paper's Figure 5).` +
      (others.length > 0 ? " Level lines are methods without an annotator." : ""),
    svg: drawChart(
      { name: "corrections allowed per instance", min: 0, max: last },
      { name: "mean IoU", max: 1, min: floorTo(least, 0.1) },
      [
        {
          ...{ name, type: "line", color: BLUE, symbolSize: 6 },
          data: clicks.iouAfterClicks.map(({ clicks: k, iou }) => [k, iou]),
        },
        ...others.map((level) => levelLine(level, last)),
      ],
      { names: [], atEnds: others.length > 0 },
    ),
  };
}

export function iouHistogram(report: EvaluationReport): Chart {
  return {
    title: "IoU of the instances",
    words:
      "How many instances reach which IoU, in steps of 0.05, named by their lower ends; failed ones are in the first bar.",
    svg: histogram(report.histograms.iou, { name: "IoU", label: (low) => low.toFixed(2) }, 3),
  };
}

export function vertexHistogram(report: EvaluationReport): Chart {
  return {
    title: "Length of the polygons",
    words: "Vertices per predicted polygon; the last bar holds that many and more.",
    svg: histogram(
      report.histograms.vertices,
      { name: "vertices", label: (low, high) => (high === null ? `${low}+` : String(low)) },
      4,
    ),
  };
}

function histogram(
  bins: readonly HistogramBin[],
  { name, label }: { name: string; label: (low: number, high: number | null) => string },
  interval: number,
): Markup {
  return drawChart(
    { name, categories: bins.map(({ low, high }) => label(low, high)), interval },
    { name: "instances", min: 0 },
    [{ type: "bar", color: BLUE, barCategoryGap: "12%", data: bins.map(({ count }) => count) }],
  );
}

export function iouAgainstSize({ iouBySize }: EvaluationReport): Chart {
  return {
    title: "IoU against object size",
    words: "One dot per instance (a sample of them); the line is the mean per size step.",
    svg: drawChart(
      { name: "square root of the object's area, pixels", type: "log", ...rangeOfLog(iouBySize.bins) },
      { name: "IoU", min: 0, max: 1 },
      [
        dots(iouBySize.sample),
        {
          type: "line",
          color: ORANGE,
          symbolSize: 8,
          lineStyle: { width: 3 },
          data: iouBySize.bins.flatMap(({ low, high, meanIou }) =>
            meanIou === null ? [] : [[Math.sqrt(low * high), meanIou]],
          ),
        },
      ],
    ),
  };
}

function rangeOfLog(bins: EvaluationReport["iouBySize"]["bins"]): { min: number; max: number } {
  return { min: bins[0]?.low ?? 1, max: bins.at(-1)?.high ?? 1000 };
}

/** @returns undefined when the predictions carry no score */
export function iouAgainstScore({ iouByScore }: EvaluationReport): Chart | undefined {
  if (iouByScore === undefined) return undefined;
  const { rankCorrelation } = iouByScore;
  const correlation =
    rankCorrelation === null
      ? "Too few instances for a rank correlation."
      : `Rank correlation (Spearman): ${rankCorrelation.toFixed(2)}; ` +
        "1 would mean that sorting by score sorts by quality.";
  return {
    title: "Is the score worth trusting?",
    words: `IoU against the score, a sample of instances; the line is the mean per tenth of the score. ${correlation}`,
    svg: drawChart({ name: "score", min: 0, max: 1 }, { name: "IoU", min: 0, max: 1 }, [
      dots(iouByScore.sample),
      {
        type: "line",
        color: ORANGE,
        symbolSize: 8,
        lineStyle: { width: 3 },
        data: iouByScore.bins.flatMap(({ meanScore, meanIou }) =>
          meanScore === null || meanIou === null ? [] : [[meanScore, meanIou]],
        ),
      },
    ]),
  };
}

function dots(data: readonly (readonly [number, number])[]): object {
  return { type: "scatter", symbolSize: 4, color: GREEN, itemStyle: { opacity: 0.35 }, silent: true, data };
}

function floorTo(value: number, step: number): number {
  return Math.max(0, Math.round(Math.floor(value / step) * step * 10) / 10);
}
