/** Curves of a training run: losses, accuracy, validation IoU per source, learning rates; all over steps. */
import type { Axis, Chart } from "../../page/chart.js";
import { drawChart, LINE_COLORS } from "../../page/chart.js";
import { shownText } from "../../page/markup.js";
import type { StepLine, ValidationLine } from "../events.js";

/** [step, value] */
export type CurvePoint = readonly [number, number];

/** Points of a curve; more are averaged in groups. */
const MOST_POINTS = 300;
/** Sources with a curve of their own, those with most instances first; the page's table has all. */
const MOST_SOURCES = 11;
/** Characters of a source's name in the legend. */
const NAME_LENGTH = 24;
/** Characters that fit on a line of the legend, line samples included. */
const LEGEND_WIDTH = 46;
/** Width of a line sample and the gap beside it, in characters. */
const LEGEND_SAMPLE = 7;

interface Curve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
  readonly isWide?: boolean;
  readonly isDashed?: boolean;
  readonly showsPoints?: boolean;
}

/** Charts without a single point are left out. */
export function trainingCharts(steps: readonly StepLine[], validations: readonly ValidationLine[]): readonly Chart[] {
  const charts: (Chart | undefined)[] = [
    chart(
      "Loss",
      "Smoothed cross-entropy per decoder step, in natural units, and the weighted sum that is minimized; " +
        "means since the line before.",
      { name: "loss", min: 0 },
      [
        { name: "total", points: pointsOf(steps, ({ losses }) => losses.total), isWide: true },
        { name: "decoder steps", points: pointsOf(steps, ({ losses }) => losses.steps) },
      ],
    ),
    chart("Loss of the maps", "Binary cross-entropies per grid cell, before their weights.", { name: "loss", min: 0 }, [
      { name: "edge", points: pointsOf(steps, ({ losses }) => losses.edge) },
      { name: "vertex", points: pointsOf(steps, ({ losses }) => losses.vertex) },
      { name: "mask", points: pointsOf(steps, ({ losses }) => losses.mask) },
      { name: "refined mask", points: pointsOf(steps, ({ losses }) => losses.fineMask) },
    ]),
    chart(
      "Right in training",
      "Share of decoder steps whose best class is the true one, given the true vertices before it, " +
        "and mean IoU of the mask map on the grid.",
      { name: "share, IoU", min: 0, max: 1 },
      [
        { name: "step accuracy", points: pointsOf(steps, ({ accuracy }) => accuracy) },
        { name: "mask map IoU", points: pointsOf(steps, ({ maskIou }) => maskIou) },
      ],
    ),
    validationChart(validations),
    chart("Gradient", "Global norm of the gradient before it is clipped.", { name: "norm", min: 0 }, [
      { name: "norm", points: pointsOf(steps, ({ gradientNorm }) => gradientNorm) },
    ]),
    chart("Learning rates", "As the schedule sets them.", { name: "learning rate", min: 0 }, [
      { name: "head", points: pointsOf(steps, ({ rates }) => rates.head) },
      { name: "backbone", points: pointsOf(steps, ({ rates }) => rates.trunk) },
    ]),
  ];
  return charts.filter((one) => one !== undefined);
}

/** Sources by name, those with most instances first. */
export function sourcesOf(validations: readonly ValidationLine[]): readonly string[] {
  const last = validations.at(-1);
  if (last === undefined) return [];
  return Object.entries(last.bySource)
    .sort(([, a], [, b]) => b.instances - a.instances)
    .map(([source]) => source);
}

function validationChart(validations: readonly ValidationLine[]): Chart | undefined {
  const sources = sourcesOf(validations);
  const curves: Curve[] = [
    { name: "all", points: pointsOf(validations, ({ all }) => all.iou), isWide: true, showsPoints: true },
    { name: "the box itself", points: pointsOf(validations, ({ all }) => all.boxIou), isDashed: true },
  ];
  // One source is the same curve as all.
  if (sources.length > 1) {
    sources.slice(0, MOST_SOURCES).forEach((source) =>
      curves.push({
        name: shownText(source, NAME_LENGTH),
        points: pointsOf(validations, ({ bySource }) =>
          Object.hasOwn(bySource, source) ? bySource[source]!.iou : undefined,
        ),
        showsPoints: true,
      }),
    );
  }
  const lowest = Math.min(1, ...curves.flatMap(({ points }) => points.map(([, value]) => value)));
  const more = sources.length > MOST_SOURCES ? ` The ${MOST_SOURCES} largest of ${sources.length} sources.` : "";
  return chart(
    "Validation IoU",
    "Mean IoU of the predicted polygons with the truth, over instances; a sequence that is no polygon counts as 0. " +
      `"The box itself" is what no model at all would give.${more}`,
    { name: "mean IoU", min: Math.max(0, Math.floor(lowest * 10) / 10), max: 1 },
    curves,
  );
}

function chart(title: string, words: string, y: Axis, curves: readonly Curve[]): Chart | undefined {
  const filled = curves.filter(({ points }) => points.length > 0);
  if (filled.length === 0) return undefined;
  const shown = filled.map(({ name }) => name);
  const names = shown.map((_, at) => seriesName(at));
  const legend = {
    names: filled.length === 1 ? [] : names,
    words: (name: string) => shown[names.indexOf(name)]!,
    lines: legendLines(shown),
  };
  return { title, words, svg: drawChart({ name: "step", min: 0 }, y, filled.map(line), legend) };
}

/** ECharts sees numbers in place of the names of sources. */
function seriesName(at: number): string {
  return `curve ${at}`;
}

function line({ points, isWide, isDashed, showsPoints }: Curve, at: number): object {
  const color = LINE_COLORS[at % LINE_COLORS.length]!;
  const type = isDashed === true || at >= LINE_COLORS.length ? "dashed" : "solid";
  const thin = thinOut(points, MOST_POINTS);
  return {
    name: seriesName(at),
    type: "line",
    color,
    itemStyle: { color },
    lineStyle: { width: isWide === true ? 3 : 1.6, type },
    // A curve of a single point would be invisible without its symbol.
    showSymbol: showsPoints === true || thin.length === 1,
    symbolSize: 5,
    data: thin,
  };
}

function legendLines(names: readonly string[]): number {
  let lines = 1;
  let room = LEGEND_WIDTH;
  for (const name of names) {
    const width = name.length + LEGEND_SAMPLE;
    if (width > room && room < LEGEND_WIDTH) {
      lines++;
      room = LEGEND_WIDTH;
    }
    room -= width;
  }
  return lines;
}

function pointsOf<L extends { readonly step: number }>(
  lines: readonly L[],
  value: (line: L) => number | undefined,
): CurvePoint[] {
  return lines.flatMap((one) => {
    const y = value(one);
    return y === undefined || !Number.isFinite(y) ? [] : [[one.step, y] as const];
  });
}

/**
 * A long curve as a short one: 300 points show what 30,000 do, and the page opens at once.
 * @param most points that are kept, 1 or more
 * @returns the points as they are when they are few; else means over runs of neighbors of equal length (the last may be
 *   shorter)
 */
export function thinOut(points: readonly CurvePoint[], most: number): readonly CurvePoint[] {
  if (points.length <= most) return points;
  const length = Math.ceil(points.length / most);
  return Array.from({ length: Math.ceil(points.length / length) }, (_, at) => {
    const run = points.slice(at * length, (at + 1) * length);
    return [meanOf(run.map(([step]) => step)), meanOf(run.map(([, value]) => value))] as const;
  });
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
