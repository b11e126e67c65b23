/**
 * report.html: one file that needs no network and no script, with the examples as pictures. Every number in it is in
 * report.json or, in columns that say so, in report/published.ts.
 */
import { count } from "../count.js";
import type { Picture } from "../crop/picture.js";
import type { CropWindow } from "../geometry/grid.js";
import { chartFigure } from "../page/chart.js";
import type { Fragment, Markup } from "../page/markup.js";
import { html, oneDecimal, rangeOf, ratio, shownText, whole } from "../page/markup.js";
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
  effortTable,
  nocTable,
  oneClassTable,
  oracleTable,
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
  const { clicks, counts, examples, inputs } = report;
  const isPublished = inputs.published === true;
  const clickCharts =
    clicks === undefined
      ? []
      : [iouAgainstClicks(clicks, report.methods, isPublished), iouAfterCorrections(clicks, report.methods)];
  const charts = [
    ...clickCharts,
    iouHistogram(report),
    vertexHistogram(report),
    iouAgainstSize(report),
    iouAgainstScore(report),
  ].filter((chart) => chart !== undefined);
  return renderPage(
    "polyrnn report",
    html`<h1>Polygons against ground truth</h1>
${lead(report)}
${keyFigures(report)}
<h2>Methods on the same instances</h2>
${methodTable(report)}
<p class="note">${CEILING_NOTE}
${isPublished ? publishedSince() : ""}</p>
${clickSection(report)}
${oracleTable(report)}
<h2>Charts</h2>
<div class="charts">${charts.map(chartFigure)}</div>
<h2>Pictures</h2>
<p>${STROKES.filter(({ name }) => clicks !== undefined || name !== CORRECTED).map(strokeKey)}</p>
${exampleRow("Worst", examples.worst, pictures)}
${exampleRow("Around the median", examples.median, pictures)}
${exampleRow("Best", examples.best, pictures)}
<h2>Per class, size and source</h2>
${classTable(report)}
${isPublished ? publishedMethods() : ""}
${sizeTable(report)}
${sourceTable(report)}
<h2>What was counted, and what was not</h2>
${counts.failures.length + counts.exclusions.length === 0 ? ALL_COUNTED : ""}
${reasonTable("Instances without a usable prediction, counted as IoU 0", counts.failures)}
${reasonTable("Annotations and predictions that take no part in any mean", counts.exclusions)}
${reasonTable("Evaluated, but worth a look", counts.remarks)}
${reasonTable("Annotations the click simulation could not take part in", clicks?.exclusions ?? [])}
<h2>How it was measured</h2>
${inputList(report)}`,
  );
}

const CEILING_NOTE =
  "grid-ceiling is the truth itself through the centers of the 28 × 28 grid. Masks and vertices that are placed " +
  "within their cells are not bound to those centers and can lie above it.";

const ALL_COUNTED = html`<p>Every annotation and every prediction took part.</p>`;

function publishedSince(): Markup {
  const scores = PUBLISHED_LATER.rows.map(({ method, iou }) => `${method} ${ratio(iou / 100)}`).join(", ");
  return html`Published on Cityscapes since (${PUBLISHED_LATER.source}): ${scores}.`;
}

const CORRECTED = "after corrections";
/** Strokes of the outlines in the pictures; the colors are those of page/page.ts. */
const STROKES = [
  { name: "truth", style: "border-color:#999;border-top-style:dashed" },
  { name: "automatic", style: "border-color:#e69f00" },
  { name: CORRECTED, style: "border-color:#56b4e9" },
] as const;

function strokeKey({ name, style }: (typeof STROKES)[number]): Markup {
  return html`<span class="key" style="${style}"></span>${name}`;
}

function lead({ methods, counts }: EvaluationReport): Markup {
  const [own, ...others] = methods;
  if (own === undefined || counts.evaluated === 0) {
    const nothing = "There was nothing to evaluate: no annotation of the truth could take part.";
    return html`<p class="lead">${nothing} The reasons are listed below.</p>`;
  }
  const range = rangeOf(own.instanceMean);
  const interval = range === "" ? "" : ` (95 % interval ${range})`;
  const compared = others.map(({ name, instanceMean }) => html`${shownText(name)} ${ratio(instanceMean.mean)}`);
  const beside = compared.length === 0 ? [] : ["; on the same instances: ", joined(compared)];
  const mean = html`<b>${ratio(own.instanceMean.mean)}</b>`;
  const sentence = html`Over ${count(counts.evaluated, "instance", "instances", whole)} the polygons reach a mean IoU of ${mean}`;
  return html`<p class="lead">${sentence}${interval}${beside}.</p>`;
}

function joined(parts: readonly Markup[]): Fragment {
  return parts.map((part, at) => (at === 0 ? [part] : [", ", part]));
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
  const shown = figures.map(([value, words]) => html`<div><b>${value}</b><span>${words}</span></div>`);
  return html`<div class="figures">${shown}</div>`;
}

function clickSection({ clicks, methods, inputs }: EvaluationReport): Markup {
  if (clicks === undefined) return html``;
  const perClick =
    clicks.secondsPerClick === null
      ? ""
      : `${(clicks.secondsPerClick * 1000).toFixed(1)} ms of computing per simulated click; `;
  const on = clicks.device === undefined ? "" : ` on ${shownText(clicks.device)} (${shownText(clicks.engine ?? "")})`;
  return html`<h2>Clicks</h2>
<p>A simulated annotator corrected ${count(clicks.instances, "instance", "instances", whole)}; a click is one replaced vertex.</p>
<ul>${clicks.rules.map((rule) => html`<li>${rule}</li>`)}</ul>
${thresholdTable(clicks, methods, inputs.published === true)}
${oneClassTable(clicks, methods, inputs.published === true)}
${nocTable(clicks)}
${effortTable(clicks)}
<p class="note">${perClick}${oneDecimal(clicks.wallSeconds)} s in all${on}.</p>`;
}

function inputList({ inputs, counts, generator }: EvaluationReport): Fragment {
  const entries: [string, Fragment][] = [
    ["predictions", shownText(inputs.predictions)],
    ["truth", shownText(inputs.truth)],
    ...optional("images", inputs.images),
    ...optional("model", inputs.model),
    ...optional("engine", inputs.engine),
    ...optional("device", inputs.device),
    ["masks", rasterizerText(inputs)],
    ["truth annotations", whole(counts.truthAnnotations)],
    ["images in the truth", whole(counts.images)],
    ["grouped by", groupText(inputs.groupBy)],
    ["truth parts left out", inputs.minArea === 0 ? "none" : `below ${count(inputs.minArea, "pixel")}`],
    [
      "intervals",
      `bootstrap over instances, ${count(inputs.resamples, "resample", "resamples", whole)}, seed ${inputs.seed}`,
    ],
    ["made by", generator],
  ];
  return descriptionList(entries);
}

function optional(name: string, value: string | undefined): [string, Fragment][] {
  return value === undefined ? [] : [[name, shownText(value)]];
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
      return `field ${shownText(groupBy.field)} of the image record`;
  }
}

/** Pictures of a report's examples; an example without one is shown on an empty ground. */
export type ExamplePictures = ReadonlyMap<Example, Picture>;

/** Part of the box's long side that is shown around it where there is no photograph. */
const MARGIN = 0.2;

function exampleRow(title: string, examples: readonly Example[], pictures: ExamplePictures): Markup {
  if (examples.length === 0) return html``;
  const figures = examples.map((example) => exampleFigure(example, pictures.get(example)));
  return html`<h3>${title}</h3><div class="examples">${figures}</div>`;
}

/** The photograph, and over it the truth, the automatic and the corrected polygon, as SVG. */
function exampleFigure(example: Example, picture: Picture | undefined): Markup {
  const { truth, automatic, corrected } = example;
  const outline =
    (kind: Outline["kind"]) =>
    (points: ReportRing): Outline => ({ points, kind });
  const outlines = [
    ...truth.map(outline("truth")),
    ...automatic.map(outline("automatic")),
    ...(corrected === undefined ? [] : [outline("corrected")(corrected)]),
  ];
  const window = picture?.window ?? windowAround(example.box);
  const ground = picture === undefined ? "" : jpegGround(picture.jpeg);
  return html`<figure>${photograph(window, ground, outlines, `annotation ${shownText(example.annotationId)}`)}
<figcaption>${caption(example)}</figcaption></figure>`;
}

function caption(example: Example): Fragment {
  const { category, iou, score, correctedIou, correctedThreshold, clicks, hiddenParts } = example;
  const cost = count(clicks ?? 0, "click");
  return [
    html`<b>${shownText(category)}</b> IoU ${ratio(iou)}`,
    score === undefined ? "" : `, score ${ratio(score)}`,
    correctedIou === undefined ? "" : `; T = ${correctedThreshold ?? ""}: ${ratio(correctedIou)} after ${cost}`,
    hiddenParts === undefined ? "" : `; ${count(hiddenParts, "smallest part")} not drawn`,
    html`<br><small>annotation ${shownText(example.annotationId)}, ${shownText(example.fileName)}</small>`,
  ];
}

function windowAround([left, top, width, height]: Example["box"]): CropWindow {
  const side = Math.max(width, height) * (1 + MARGIN);
  return { left: left + width / 2 - side / 2, top: top + height / 2 - side / 2, side };
}
