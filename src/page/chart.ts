/**
 * Charts of a page, drawn by ECharts as SVG without a browser. Text and axes use `currentColor`, so that one drawing is
 * right on a light and on a dark page. Data colors are Okabe and Ito's (2008): color-blind people can tell them apart.
 */
import { BarChart, LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent, MarkLineComponent } from "echarts/components";
import type { EChartsCoreOption } from "echarts/core";
import { init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { SVGRenderer } from "echarts/renderers";
import type { Markup } from "./markup.js";
import { html, trusted } from "./markup.js";

use([BarChart, LineChart, ScatterChart, GridComponent, LabelLayout, LegendComponent, MarkLineComponent, SVGRenderer]);

export const BLUE = "#0072b2";
export const ORANGE = "#d55e00";
export const GREEN = "#009e73";
/** Okabe and Ito's colors that are visible on light and on dark; a chart with more lines repeats them, dashed. */
export const LINE_COLORS = [BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9"] as const;

/** The width of a phone, so that text stays readable there; a wider page enlarges the chart only a little. */
const WIDTH = 420;
const HEIGHT = 300;
/** Height of a line of the legend. */
const LEGEND_LINE = 20;
/** Between the names of a legend: text is wider in some fonts than ECharts takes it to be. */
const LEGEND_GAP = 24;
/** Width left for the names of lines at their ends. */
const END_NAMES = 96;

export interface Chart {
  readonly title: string;
  readonly svg: Markup;
  readonly words: string;
}

export interface Axis {
  readonly name: string;
  readonly min?: number;
  readonly max?: number;
  readonly categories?: readonly string[];
  readonly type?: "log";
  readonly interval?: number;
}

export interface Legend {
  /** Names of the series. ECharts uses them as keys of its objects: fixed text only, never a name from a file. */
  readonly names: readonly string[];
  /** The text shown for a name; the name itself by default. */
  readonly words?: (name: string) => string;
  /** Lines of text to leave room for; 1 by default. */
  readonly lines?: number;
  /** Leaves room right of the chart for the names of lines at their ends. */
  readonly atEnds?: boolean;
}

/** @param series in ECharts' format; those named in the legend are shown there */
export function drawChart(
  x: Axis,
  y: Axis,
  series: readonly object[],
  { names, words, lines = 1, atEnds = false }: Legend = { names: [] },
): Markup {
  const chart = init(null, null, {
    renderer: "svg",
    ssr: true,
    width: WIDTH,
    height: HEIGHT + (lines - 1) * LEGEND_LINE,
  });
  const option: EChartsCoreOption = {
    animation: false,
    textStyle: { color: "currentColor", fontFamily: "inherit" },
    grid: {
      left: 58,
      right: atEnds ? END_NAMES : 16,
      top: names.length > 0 ? 14 + lines * LEGEND_LINE : 14,
      bottom: 48,
    },
    ...(names.length > 0
      ? {
          legend: {
            data: names,
            top: 0,
            itemGap: LEGEND_GAP,
            textStyle: { color: "currentColor" },
            formatter: (name: string) => measurable(words?.(name) ?? name),
          },
        }
      : {}),
    xAxis: { ...axisOption(x), nameGap: 28 },
    yAxis: { ...axisOption(y), nameGap: 40 },
    series,
  };
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return trusted(svg);
}

/** zrender caches text widths in a plain object: the text "__proto__" would change every object of this process. */
export function measurable(text: string): string {
  return text in Object.prototype ? `"${text}"` : text;
}

function axisOption({ name, min, max, categories, type, interval }: Axis): object {
  const line = { lineStyle: { color: "currentColor", opacity: 0.5 } };
  return {
    type: categories !== undefined ? "category" : (type ?? "value"),
    name,
    nameLocation: "middle",
    nameTextStyle: { color: "currentColor", fontSize: 13 },
    axisLabel: {
      color: "currentColor",
      fontSize: 12,
      hideOverlap: true,
      ...(interval === undefined ? {} : { interval }),
    },
    axisLine: { show: true, ...line },
    axisTick: { ...line },
    splitLine: { lineStyle: { color: "currentColor", opacity: 0.12 } },
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(categories === undefined ? {} : { data: categories }),
  };
}

export function chartFigure({ title, words, svg }: Chart): Markup {
  return html`<figure><h3>${title}</h3>${svg}<figcaption>${words}</figcaption></figure>`;
}
