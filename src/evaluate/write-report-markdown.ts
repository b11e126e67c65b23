/**
 * report.md: the report for a pull request or the summary of a CI job. Tables in the shape of the paper's; published numbers stand in
 * columns of their own that say so. Every name is escaped.
 */
import { clickSections } from "./click-markdown.js";
import { NOTHING, ratio, whole } from "../write/html/numbers.js";
import { folded, LONGEST_SENTENCE, plainText, table, withRange } from "./markdown.js";
import { PUBLISHED_CITYSCAPES } from "./published.js";
import type { EvaluationReport, GroupScore, ListedReason, MethodReport, ReportInputs } from "./report-types.js";

/** Classes shown without a click. */
const OPEN_CLASSES = 12;
const SHOWN_IDS = 5;

/** @returns the text, with a line break at its end */
export function reportMarkdown(report: EvaluationReport): string {
  const sections = [
    ["# Polygons against ground truth", "", ...introduction(report)],
    methodSection(report),
    classSection(report),
    groupSection(
      "## By object size",
      "Truth area below 32 x 32 px, below 96 x 96 px, and above (COCO's sizes). Mean IoU over instances.",
      report,
      ({ perSize }) => perSize,
    ),
    report.methods[0]?.perSource === undefined
      ? []
      : groupSection("## By source", "Mean IoU over instances.", report, ({ perSource }) => perSource ?? []),
    report.clicks === undefined ? [] : clickSections(report.clicks),
    listSection("## Counted as IoU 0", report.counts.failures),
    listSection("## Left out of every mean", report.counts.exclusions),
    listSection("## Evaluated, but looks wrong", report.counts.remarks),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

/** The measured methods with the ceiling behind them. */
function columnsOf({ methods, gridCeiling }: EvaluationReport): readonly MethodReport[] {
  return [...methods, gridCeiling];
}

function introduction({ inputs, counts, generator }: EvaluationReport): string[] {
  const drawn =
    inputs.model === undefined
      ? ""
      : `, drawn by model ${plainText(inputs.model)}${inputs.engine === undefined ? "" : ` on ${plainText(inputs.engine)}`}${inputs.device === undefined ? "" : ` (${plainText(inputs.device)})`}`;
  return [
    `${whole(counts.evaluated)} instances in ${whole(counts.images)} images of ${plainText(inputs.truth)}; predictions from ${plainText(inputs.predictions)}${drawn}.`,
    `${whole(counts.failed)} without a usable prediction count as IoU 0. ${settingsWords(inputs)} Written by ${plainText(generator)}.`,
  ];
}

function settingsWords({ rasterizer, minArea, seed, resamples }: ReportInputs): string {
  const rule =
    rasterizer === "coco" ? "Masks are filled by COCO's rule (pycocotools)." : "Masks are filled by Pillow's rule.";
  const small = minArea > 0 ? ` Truth parts below ${minArea} px are left out.` : "";
  const intervals =
    resamples > 0 ? ` In brackets: 95 % bootstrap intervals (${resamples} draws within each class, seed ${seed}).` : "";
  return `${rule}${small}${intervals}`;
}

/** Rows of the paper's Table 3, its classes averaged. */
function methodSection(report: EvaluationReport): string[] {
  const published = new Map(PUBLISHED_CITYSCAPES.rows.map(({ method, mean }) => [method, mean]));
  const own: Readonly<Record<string, string>> = { polyrnn: "Polygon-RNN", square: "Square box" };
  const rows = columnsOf(report).map((method) => [
    plainText(method.name),
    withRange(method.classMean),
    withRange(method.instanceMean),
    withRange(method.boundaryClassMean),
    withRange(method.boundaryInstanceMean),
    String(method.failed),
    publishedRatio(published.get(own[method.name] ?? "")),
  ]);
  return [
    "## IoU by method",
    "",
    ...table(
      [
        "Method",
        "IoU, mean of classes",
        "IoU, mean of instances",
        "Boundary IoU, classes",
        "Boundary IoU, instances",
        "Failed",
        "Published, other data*",
      ],
      rows,
    ),
    "",
    ...columnsOf(report).map(({ name, words }) => `- ${plainText(name)}: ${plainText(words, LONGEST_SENTENCE)}`),
    "",
    `\\* ${plainText(PUBLISHED_CITYSCAPES.source, LONGEST_SENTENCE)} ${plainText(PUBLISHED_CITYSCAPES.data)}.`,
  ];
}

/** The paper's Table 3 with classes as rows. */
function classSection(report: EvaluationReport): string[] {
  const columns = columnsOf(report);
  const paper = PUBLISHED_CITYSCAPES.rows.at(-1)!;
  const published = (name: string): string =>
    publishedRatio(paper.perClass[PUBLISHED_CITYSCAPES.classes.indexOf(name.toLowerCase())]);
  const classes = report.methods[0]?.perClass ?? [];
  const rows = classes.map(({ name, iou }, i) => [
    plainText(name),
    whole(iou.count),
    ...columns.map(({ perClass }) => withRange(perClass[i]!.iou)),
    published(name),
  ]);
  rows.push([
    "Mean of classes",
    String(classes.length),
    ...columns.map(({ classMean }) => ratio(classMean.mean)),
    publishedRatio(paper.mean),
  ]);
  const lines = table(
    ["Class", "Instances", ...columns.map(({ name }) => plainText(name)), "Published, other data*"],
    rows,
  );
  const note = [`\\* Polygon-RNN on Cityscapes: ${plainText(PUBLISHED_CITYSCAPES.source, LONGEST_SENTENCE)}.`];
  return [
    "## IoU by class",
    "",
    ...(classes.length > OPEN_CLASSES
      ? folded(`${classes.length} classes`, [...lines, "", ...note])
      : [...lines, "", ...note]),
  ];
}

function groupSection(
  heading: string,
  words: string,
  report: EvaluationReport,
  groupsOf: (method: MethodReport) => readonly GroupScore[],
): string[] {
  const columns = columnsOf(report);
  const rows = groupsOf(columns[0]!).map(({ name, iou }, i) => [
    plainText(name),
    whole(iou.count),
    ...columns.map((method) => withRange(groupsOf(method)[i]!.iou)),
  ]);
  return [heading, "", ...table(["", "Instances", ...columns.map(({ name }) => plainText(name))], rows), "", words];
}

function listSection(heading: string, reasons: readonly ListedReason[]): string[] {
  if (reasons.length === 0) return [];
  const lines = reasons.map(({ reason, words, count, firstIds }) => {
    const ids = firstIds
      .slice(0, SHOWN_IDS)
      .map((id) => plainText(String(id)))
      .join(", ");
    return `- ${plainText(reason)}: ${count} ${plainText(words, LONGEST_SENTENCE)} (ids ${ids}${count > SHOWN_IDS ? ", ..." : ""})`;
  });
  return [heading, "", ...lines];
}

/** The papers state per cent; here everything is a ratio. */
function publishedRatio(percent: number | undefined): string {
  return percent === undefined ? NOTHING : ratio(percent / 100);
}
