/**
 * report.html: one file that needs no network and no script. Every number in it is in report.json or, in columns that
 * say so, in report/published.ts.
 */
import type { CropWindow } from "../geometry/grid.js";
import { chartFigure } from "../page/chart.js";
import type { Fragment, Markup } from "../page/markup.js";
import { html, oneDecimal, rangeOf, ratio, whole } from "../page/markup.js";
import { descriptionList, renderPage } from "../page/page.js";
import type { Outline } from "../page/photograph.js";
import { jpegGround, photograph } from "../page/photograph.js";
import {
  iouAfterCorrections,
  iouAgainstClicks,
  iouAgainstScore,
  iouAgainstSize,
  iouHistogram,
  vertexHistogram,
} from "./html-charts.js";
import {
  classTable,
  methodTable,
  nocTable,
  oneClassTable,
  publishedMethods,
  reasonTable,
  sizeTable,
  sourceTable,
  thresholdTable,
} from "./html-tables.js";
import { PUBLISHED_LATER } from "./published.js";
import type { EvaluationReport, Example, GroupBy, ReportInputs, ReportRing } from "./types.js";

/** @param pictures photographs of the examples @returns a whole HTML document */
export function renderReportHtml(report: EvaluationReport, pictures: ExamplePictures): string {
  const charts = [
    ...(report.clicks === undefined
      ? []
      : [
          iouAgainstClicks(report.clicks, report.methods[0]?.instanceMean.mean ?? null),
          iouAfterCorrections(report.clicks),
        ]),
    iouHistogram(report),
    vertexHistogram(report),
    iouAgainstSize(report),
    iouAgainstScore(report),
  ].filter((chart) => chart !== undefined);
  return renderPage(
    "polyrnn report",
    html`<h1>Polygons against ground truth</h1>
      ${lead(report)} ${keyFigures(report)}
      <h2>Methods on the same instances</h2>
      ${methodTable(report)}
      <p class="note">
        grid-ceiling is the truth itself sent through the 28 × 28 grid: no network with these crops can do better.
        Published on Cityscapes since (${PUBLISHED_LATER.source}):
        ${PUBLISHED_LATER.rows.map(({ method, iou }) => `${method} ${ratio(iou / 100)}`).join(", ")}.
      </p>
      ${report.clicks === undefined ? html`` : clickSection(report)}
      <h2>Charts</h2>
      <div class="charts">${charts.map(chartFigure)}</div>
      <h2>Pictures</h2>
      <p>
        <span class="key" style="border-color:#999;border-top-style:dashed"></span>truth<span
          class="key"
          style="border-color:#e69f00"
        ></span
        >automatic<span class="key" style="border-color:#56b4e9"></span>after corrections
      </p>
      ${exampleRow("Worst", report.examples.worst, pictures)}
      ${exampleRow("Around the median", report.examples.median, pictures)}
      ${exampleRow("Best", report.examples.best, pictures)}
      <h2>Per class, size and source</h2>
      ${classTable(report)} ${publishedMethods()} ${sizeTable(report)} ${sourceTable(report)}
      <h2>What was counted, and what was not</h2>
      ${reasonTable("Instances without a usable prediction, counted as IoU 0", report.counts.failures)}
      ${reasonTable("Annotations and predictions that take no part in any mean", report.counts.exclusions)}
      ${reasonTable("Evaluated, but worth a look", report.counts.remarks)}
      ${report.clicks === undefined ? html`` : reasonTable("Annotations the click simulation could not take part in", report.clicks.exclusions)}
      <h2>How it was measured</h2>
      ${inputList(report)}`,
  );
}

function lead(report: EvaluationReport): Markup {
  const [main, ...baselines] = report.methods;
  if (main === undefined || report.counts.evaluated === 0)
    return html`<p class="lead">
      There was nothing to evaluate: no annotation of the truth could take part. The reasons are listed below.
    </p>`;
  const beside = baselines.map(({ name, instanceMean }): Markup => html`${name} ${ratio(instanceMean.mean)}`);
  const range = rangeOf(main.instanceMean);
  return html`<p class="lead">
    Over ${whole(report.counts.evaluated)} instances the polygons reach a mean IoU of
    <b>${ratio(main.instanceMean.mean)}</b
    >${range === "" ? "" : ` (95 % interval ${range})`}${beside.length === 0 ? "" : [html`; on the same instances: `, ...beside.flatMap((part, at) => (at === 0 ? [part] : [", ", part]))]}.
  </p>`;
}

function keyFigures({ methods, counts, clicks, gridCeiling }: EvaluationReport): Markup {
  const figures: [string, string][] = [
    [ratio(methods[0]?.instanceMean.mean), "mean IoU over instances"],
    [ratio(methods[0]?.classMean.mean), "mean of the class means"],
    [ratio(methods[0]?.boundaryInstanceMean.mean), "boundary IoU"],
    [ratio(gridCeiling.instanceMean.mean), "ceiling of the grid"],
    [whole(counts.failed), "failed, counted as 0"],
  ];
  const first = clicks?.perThreshold.reduce((a, b) => (b.threshold < a.threshold ? b : a), clicks.perThreshold[0]!);
  if (first !== undefined)
    figures.push([oneDecimal(first.clicksInstanceMean.mean), `clicks per instance at T = ${first.threshold}`]);
  return html`<div class="figures">
    ${figures.map(([value, words]) => html`<div><b>${value}</b><span>${words}</span></div>`)}
  </div>`;
}

function clickSection({ clicks, methods }: EvaluationReport): Markup {
  if (clicks === undefined) return html``;
  return html`<h2>Clicks</h2>
    <p>A simulated annotator corrected ${whole(clicks.instances)} instances; a click is one replaced vertex.</p>
    <ul>
      ${clicks.rules.map((rule) => html`<li>${rule}</li>`)}
    </ul>
    ${thresholdTable(clicks, methods[0])} ${oneClassTable(clicks)} ${nocTable(clicks)}
    <p class="note">
      ${clicks.secondsPerClick === null ? "" : `${(clicks.secondsPerClick * 1000).toFixed(1)} ms of computing per simulated click; `}${oneDecimal(clicks.wallSeconds)}
      s in all${clicks.device === undefined ? "" : ` on ${clicks.device} (${clicks.engine ?? ""})`}.
    </p>`;
}

function inputList({ inputs, counts, generator }: EvaluationReport): Fragment {
  const entries: [string, Fragment][] = [
    ["predictions", inputs.predictions],
    ["truth", inputs.truth],
    ...optional("images", inputs.images),
    ...optional("model", inputs.model),
    ...optional("engine", inputs.engine),
    ...optional("device", inputs.device),
    ["masks", rasterizerText(inputs)],
    ["truth annotations", whole(counts.truthAnnotations)],
    ["images in the truth", whole(counts.images)],
    ["grouped by", groupText(inputs.groupBy)],
    ["truth parts left out", inputs.minArea === 0 ? "none" : `below ${inputs.minArea} pixels`],
    ["intervals", `bootstrap over instances, ${whole(inputs.resamples)} resamples, seed ${inputs.seed}`],
    ["made by", generator],
  ];
  return descriptionList(entries);
}

function optional(name: string, value: string | undefined): [string, Fragment][] {
  return value === undefined ? [] : [[name, value]];
}

function rasterizerText({ rasterizer }: ReportInputs): string {
  return rasterizer === "coco" ? "filled by COCO's own rule, as pycocotools does" : "filled by Pillow's ImageDraw rule";
}

function groupText(groupBy: GroupBy): string {
  switch (groupBy.kind) {
    case "none":
      return "class and size only";
    case "prefix":
      return "file name up to the first underscore";
    case "field":
      return `field ${groupBy.field} of the image record`;
  }
}

/* Instances as pictures: the photograph, and over it truth, automatic polygon and corrected polygon, as SVG. */

/** What is shown of an example's photograph. */
export interface ExamplePicture {
  readonly window: CropWindow;
  readonly jpeg: Uint8Array;
}

/** Pictures of the examples of a report; an example without one is shown on an empty ground. */
export type ExamplePictures = ReadonlyMap<Example, ExamplePicture>;

/** Border around the box that is drawn when there is no photograph. */
const MARGIN = 0.2;

export function exampleRow(title: string, examples: readonly Example[], pictures: ExamplePictures): Markup {
  if (examples.length === 0) return html``;
  return html`<h3>${title}</h3>
    <div class="examples">${examples.map((example) => figure(example, pictures.get(example)))}</div>`;
}

function figure(example: Example, picture: ExamplePicture | undefined): Markup {
  const window = picture?.window ?? windowAround(example.box);
  const outline =
    (kind: Outline["kind"]) =>
    (points: ReportRing): Outline => ({ points, kind });
  const outlines = [
    ...example.truth.map(outline("truth")),
    ...example.automatic.map(outline("automatic")),
    ...(example.corrected === undefined ? [] : [example.corrected].map(outline("corrected"))),
  ];
  const corrected =
    example.correctedIou === undefined
      ? html``
      : html`; T = ${example.correctedThreshold ?? ""}: ${ratio(example.correctedIou)} after ${example.clicks ?? 0}
        click${example.clicks === 1 ? "" : "s"}`;
  return html`<figure>
    ${photograph(window, picture === undefined ? "" : jpegGround(picture.jpeg), outlines, `annotation ${example.annotationId}`)}
    <figcaption>
      <b>${example.category}</b> IoU
      ${ratio(example.iou)}${example.score === undefined ? html`` : html`, score ${ratio(example.score)}`}${corrected}<br /><small
        >annotation ${example.annotationId}, ${example.fileName}</small
      >
    </figcaption>
  </figure>`;
}

function windowAround([left, top, width, height]: Example["box"]): CropWindow {
  const side = Math.max(width, height) * (1 + MARGIN);
  return { left: left + width / 2 - side / 2, top: top + height / 2 - side / 2, side };
}
