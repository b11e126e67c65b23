/**
 * report.md: the report for a pull request or the summary of a CI job. Tables have the shape of the paper's, the click
 * simulation that of its Tables 4, 5 and 6; published numbers have columns named as such. Every name is escaped.
 */
import { count } from "../count.js";
import { NOTHING, ratio, signedRatio, whole } from "../page/markup.js";
import { clickSections } from "./markdown-clicks.js";
import { folded, plainText, sourceOf, table, WHOLE, withRange } from "./markdown-text.js";
import { PUBLISHED_CITYSCAPES } from "./published.js";
import type { EvaluationReport, GroupScore, ListedReason, MethodReport, OracleReport, ReportInputs } from "./types.js";
import { comparedAs } from "./types.js";

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
    report.oracle === undefined ? [] : oracleSection(report.oracle),
    report.clicks === undefined ? [] : clickSections(report, report.clicks),
    listSection("## Counted as IoU 0", report.counts.failures),
    listSection("## Left out of every mean", report.counts.exclusions),
    listSection("## Evaluated, but looks wrong", report.counts.remarks),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

/** The measured methods, then the ceiling. */
function columnsOf({ methods, gridCeiling }: EvaluationReport): readonly MethodReport[] {
  return [...methods, gridCeiling];
}

const instances = (n: number): string => count(n, "instance", "instances", whole);

function introduction({ inputs, counts, generator }: EvaluationReport): string[] {
  const scope = `${instances(counts.evaluated)} in ${count(counts.images, "image", "images", whole)} of ${plainText(inputs.truth)}`;
  const failed = `${whole(counts.failed)} without a usable prediction ${counts.failed === 1 ? "counts" : "count"} as IoU 0.`;
  return [
    `${scope}; predictions from ${plainText(inputs.predictions)}${predictedBy(inputs)}.`,
    `${failed} ${settingsText(inputs)} Written by ${plainText(generator)}.`,
  ];
}

function predictedBy({ model, engine, device }: ReportInputs): string {
  if (model === undefined) return "";
  const on = engine === undefined ? "" : ` on ${plainText(engine)}`;
  const where = device === undefined ? "" : ` (${plainText(device)})`;
  return `, drawn by model ${plainText(model)}${on}${where}`;
}

function settingsText({ rasterizer, minArea, seed, resamples }: ReportInputs): string {
  const rule =
    rasterizer === "coco" ? "Masks are filled by COCO's rule (pycocotools)." : "Masks are filled by Pillow's rule.";
  const small = minArea > 0 ? ` Truth parts below ${minArea} px are left out.` : "";
  const intervals =
    resamples > 0
      ? ` In brackets: 95 % bootstrap intervals (${resamples} draws, seed ${seed}; – where one instance says nothing of the spread).`
      : "";
  return `${rule}${small}${intervals}`;
}

/** Rows of the paper's Table 3, its classes averaged. */
function methodSection(report: EvaluationReport): string[] {
  const isPublished = report.inputs.published === true;
  const published = new Map(PUBLISHED_CITYSCAPES.rows.map(({ method, mean }) => [method, mean]));
  const own: Readonly<Record<string, string>> = { polyrnn: "Polygon-RNN", square: "Square box" };
  const rows = columnsOf(report).map((method) => [
    plainText(method.name),
    comparedAs(method),
    withRange(method.classMean),
    withRange(method.instanceMean),
    withRange(method.boundaryClassMean),
    withRange(method.boundaryInstanceMean),
    String(method.failed),
    ...(isPublished ? [publishedRatio(published.get(own[method.name] ?? ""))] : []),
  ]);
  return [
    "## IoU by method",
    "",
    ...table(
      [
        "Method",
        "Compared as",
        "IoU, mean of classes",
        "IoU, mean of instances",
        "Boundary IoU, classes",
        "Boundary IoU, instances",
        "Failed",
        ...(isPublished ? ["Published, other data*"] : []),
      ],
      rows,
    ),
    "",
    ...columnsOf(report).map(({ name, words }) => `- ${plainText(name)}: ${plainText(words, WHOLE)}`),
    ...(isPublished ? ["", `\\* ${sourceOf(PUBLISHED_CITYSCAPES)} Here as ratios.`] : []),
  ];
}

/** The paper's Table 3: a row per method, a column per class. Many classes are folded, a row each. */
function classSection(report: EvaluationReport): string[] {
  const isPublished = report.inputs.published === true;
  const { classes, rows, source } = PUBLISHED_CITYSCAPES;
  const published = rows.map(({ method, perClass, mean }) => ({
    name: `Published, other data: ${method}*`,
    valueOf: (name: string) => publishedRatio(perClass[classes.indexOf(name.toLowerCase())]),
    mean: publishedRatio(mean),
  }));
  const groups = report.methods[0]?.perClass ?? [];
  const lines = groupTable(report, ({ perClass }) => perClass, isPublished ? published : []);
  const note = isPublished ? ["", `\\* On Cityscapes: ${plainText(source, WHOLE)}.`] : [];
  return [
    "## IoU by class",
    "",
    ...(groups.length > OPEN_CLASSES
      ? folded(count(groups.length, "class", "classes"), [...lines, ...note])
      : [...lines, ...note]),
  ];
}

/** Of a paper; cells by the group's name. */
interface PublishedRow {
  readonly name: string;
  readonly valueOf: (group: string) => string;
  readonly mean: string;
}

/**
 * A row per method and a column per group, as in the paper's Table 3; with more groups than fit beside each other a row
 * per group. The mean of the groups is shown for classes.
 */
function groupTable(
  report: EvaluationReport,
  groupsOf: (method: MethodReport) => readonly GroupScore[],
  published?: readonly PublishedRow[],
): string[] {
  const methods = columnsOf(report);
  const groups = groupsOf(methods[0]!);
  const meanOf = ({ classMean }: MethodReport): string[] => (published === undefined ? [] : [ratio(classMean.mean)]);
  const others = published ?? [];
  if (groups.length <= OPEN_CLASSES) {
    return table(
      [
        "Method",
        "Compared as",
        ...groups.map(({ name }) => plainText(name)),
        ...(published ? ["Mean of classes"] : []),
      ],
      [
        ["Instances", "", ...groups.map(({ iou }) => whole(iou.count)), ...(published ? [""] : [])],
        ...methods.map((method) => [
          plainText(method.name),
          comparedAs(method),
          ...groupsOf(method).map(({ iou }) => withRange(iou)),
          ...meanOf(method),
        ]),
        ...others.map(({ name, valueOf, mean }) => [name, "", ...groups.map((group) => valueOf(group.name)), mean]),
      ],
    );
  }
  const rows = groups.map(({ name, iou }, i) => [
    plainText(name),
    whole(iou.count),
    ...methods.map((method) => withRange(groupsOf(method)[i]!.iou)),
    ...others.map(({ valueOf }) => valueOf(name)),
  ]);
  if (published !== undefined) {
    const means = [...methods.flatMap(meanOf), ...others.map(({ mean }) => mean)];
    rows.push(["Mean of classes", String(groups.length), ...means]);
  }
  const names = [...methods.map(({ name }) => plainText(name)), ...others.map(({ name }) => name)];
  return table(["", "Instances", ...names], rows);
}

function groupSection(
  heading: string,
  words: string,
  report: EvaluationReport,
  groupsOf: (method: MethodReport) => readonly GroupScore[],
): string[] {
  return [heading, "", ...groupTable(report, groupsOf), "", words];
}

/** What each part of the truth would gain. */
function oracleSection({ oracles, groups }: OracleReport): string[] {
  const kinds = { all: "", size: "", vertices: "vertices " } as const;
  const rows = groups.map(({ kind, name, count, now, shares }) => [
    `${kinds[kind]}${plainText(name)}`,
    whole(count),
    withRange(now),
    ...shares.map(({ gain, ofError }) => `${withRange(gain, signedRatio)}${shareOf(ofError)}`),
  ]);
  return [
    "## Where the error comes from",
    "",
    "IoU gained over the predictions when the network is given one part of the truth, and that as a share of the error " +
      "(1 - IoU). Shares do not add up: parts help each other.",
    "",
    ...table(["", "Instances", "IoU now", ...oracles.map(({ name }) => name)], rows),
    "",
    ...oracles.map(({ name, words }) => `- ${name}: ${plainText(words, WHOLE)}`),
  ];
}

function shareOf(part: number | null): string {
  return part === null ? "" : `, ${Math.round(part * 100)} %`;
}

function listSection(heading: string, reasons: readonly ListedReason[]): string[] {
  if (reasons.length === 0) return [];
  const lines = reasons.map(({ reason, words, count, firstIds }) => {
    const ids = firstIds
      .slice(0, SHOWN_IDS)
      .map((id) => plainText(String(id)))
      .join(", ");
    const more = count > SHOWN_IDS ? ", ..." : "";
    return `- ${plainText(reason)}: ${count} ${plainText(words, WHOLE)} (ids ${ids}${more})`;
  });
  return [heading, "", ...lines];
}

/** The papers give per cent; here everything is a ratio. */
function publishedRatio(percent: number | undefined): string {
  return percent === undefined ? NOTHING : ratio(percent / 100);
}
