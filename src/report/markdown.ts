/**
 * report.md: the report for a pull request or the summary of a CI job. Tables have the shape of the paper's, the click
 * simulation that of its Tables 4, 5 and 6; published numbers have columns named as such. Every name is escaped.
 *
 * More than 300 lines: the sections share their columns and their escaping.
 */
import { count } from "../count.js";
import { cutText, NOTHING, oneDecimal, rangeOf, ratio, whole } from "../page/markup.js";
import type { PublishedClickTable, PublishedTable } from "./published.js";
import { PUBLISHED_CITYSCAPES, PUBLISHED_CLICKS } from "./published.js";
import type {
  ClickMatch,
  ClickReport,
  EvaluationReport,
  GroupScore,
  Interval,
  ListedReason,
  MethodReport,
  ReportInputs,
} from "./types.js";

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
    report.clicks === undefined ? [] : clickSections(report.clicks, report.inputs.published === true),
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

/** The paper's Table 3 with classes as rows. */
function classSection(report: EvaluationReport): string[] {
  const columns = columnsOf(report);
  const isPublished = report.inputs.published === true;
  const paper = PUBLISHED_CITYSCAPES.rows.at(-1)!;
  const published = (percent: number | undefined): string[] => (isPublished ? [publishedRatio(percent)] : []);
  const classes = report.methods[0]?.perClass ?? [];
  const rows = classes.map(({ name, iou }, i) => [
    plainText(name),
    whole(iou.count),
    ...columns.map(({ perClass }) => withRange(perClass[i]!.iou)),
    ...published(paper.perClass[PUBLISHED_CITYSCAPES.classes.indexOf(name.toLowerCase())]),
  ]);
  rows.push([
    "Mean of classes",
    String(classes.length),
    ...columns.map(({ classMean }) => ratio(classMean.mean)),
    ...published(paper.mean),
  ]);
  const lines = table(
    [
      "Class",
      "Instances",
      ...columns.map(({ name }) => plainText(name)),
      ...(isPublished ? ["Published, other data*"] : []),
    ],
    rows,
  );
  const source = `\\* Polygon-RNN on Cityscapes: ${plainText(PUBLISHED_CITYSCAPES.source, WHOLE)}.`;
  const note = isPublished ? ["", source] : [];
  return [
    "## IoU by class",
    "",
    ...(classes.length > OPEN_CLASSES
      ? folded(count(classes.length, "class", "classes"), [...lines, ...note])
      : [...lines, ...note]),
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
    const more = count > SHOWN_IDS ? ", ..." : "";
    return `- ${plainText(reason)}: ${count} ${plainText(words, WHOLE)} (ids ${ids}${more})`;
  });
  return [heading, "", ...lines];
}

/** The papers give per cent; here everything is a ratio. */
function publishedRatio(percent: number | undefined): string {
  return percent === undefined ? NOTHING : ratio(percent / 100);
}

/** Corrections whose IoU is shown; all are in report.json. */
const SHOWN_CORRECTIONS = [0, 1, 2, 3, 5, 10, 15, 20];

function clickSections(clicks: ClickReport, isPublished: boolean): string[] {
  const cap = clicks.maxClicks === null ? "no cap on clicks" : `at most ${count(clicks.maxClicks, "click")}`;
  const setting = `metric ${clicks.metric}, match ${clicks.match}, ${cap}`;
  const perClick =
    clicks.secondsPerClick === null ? "" : `${clicks.secondsPerClick.toFixed(3)} s of computing per click; `;
  return [
    "## Annotator in the loop, simulated",
    "",
    `${instances(clicks.instances)}; ${setting}. ${perClick}${oneDecimal(clicks.wallSeconds)} s in all.`,
    ...clicks.rules.map((rule) => `- ${plainText(rule, WHOLE)}`),
    "",
    ...allClasses(clicks, isPublished),
    "",
    ...cars(clicks, isPublished),
    "",
    ...corrections(clicks),
    "",
    ...efforts(clicks),
  ];
}

/** The paper's Table 4. */
function allClasses({ perThreshold, match }: ClickReport, isPublished: boolean): string[] {
  const [published] = isPublished ? PUBLISHED_CLICKS : [];
  const rows = perThreshold.map((measured) => [
    String(measured.threshold),
    withRange(measured.clicksClassMean, oneDecimal),
    withRange(measured.iouClassMean),
    withRange(measured.clicksInstanceMean, oneDecimal),
    withRange(measured.iouInstanceMean),
    oneDecimal(measured.truthVertices),
    timesFaster(measured.speedUp),
    ...publishedCells(published, measured.threshold, match),
  ]);
  return [
    "### All classes",
    "",
    ...table(
      [
        "T",
        "Clicks, mean of classes",
        "IoU, mean of classes",
        "Clicks, mean of instances",
        "IoU, mean of instances",
        "Truth vertices",
        "Speed-up",
        ...(isPublished ? ["Published, other data: clicks*", "IoU*"] : []),
      ],
      rows,
    ),
    ...(published === undefined ? [] : ["", `\\* ${sourceOf(published)}`]),
  ];
}

/** The paper's Tables 5 and 6 are about cars. */
function cars({ perThreshold, match }: ClickReport, isPublished: boolean): string[] {
  const [, cityscapes, kitti] = isPublished ? PUBLISHED_CLICKS : [];
  const rows = perThreshold.flatMap(({ threshold, perClass }) => {
    const car = perClass.find(({ name }) => name.toLowerCase() === "car");
    if (car === undefined) return [];
    return [
      [
        String(threshold),
        withRange(car.clicks, oneDecimal),
        withRange(car.iou),
        oneDecimal(car.truthVertices),
        timesFaster(car.speedUp),
        ...publishedCells(cityscapes, threshold, match),
        ...publishedCells(kitti, threshold, match),
      ],
    ];
  });
  if (rows.length === 0) return [];
  return [
    "### Cars",
    "",
    ...table(
      [
        "T",
        "Clicks",
        "IoU",
        "Truth vertices",
        "Speed-up",
        ...(isPublished ? ["Published, Cityscapes: clicks*", "IoU*", "Published, KITTI: clicks**", "IoU**"] : []),
      ],
      rows,
    ),
    ...(cityscapes === undefined || kitti === undefined
      ? []
      : ["", `\\* ${sourceOf(cityscapes)}  `, `\\*\\* ${sourceOf(kitti)}`]),
  ];
}

function corrections({ noc, iouAfterClicks, curveThreshold }: ClickReport): string[] {
  const shown = iouAfterClicks.filter(({ clicks }) => SHOWN_CORRECTIONS.includes(clicks));
  return [
    `### Corrections at T = ${curveThreshold}`,
    "",
    ...table(
      ["IoU to reach", "Corrections, mean", "Never reached", "Cap"],
      noc.map(({ target, meanClicks, failures, cap }) => [
        String(target),
        oneDecimal(meanClicks),
        whole(failures),
        String(cap),
      ]),
    ),
    "",
    ...table(
      ["After corrections", ...shown.map(({ clicks }) => String(clicks))],
      [["IoU", ...shown.map(({ iou }) => ratio(iou))]],
    ),
  ];
}

function efforts({ effort, reviewed, match, choice }: ClickReport): string[] {
  if (effort.length === 0) return [];
  const rule = choice === undefined ? match : `${match}, network's way ${choice}`;
  return [
    reviewed === undefined ? "### Simulated work" : "### Simulated and measured work",
    "",
    ...table(
      [
        "Annotator",
        "Instances",
        "Clicks, mean",
        "Median",
        "Proposals taken",
        "Left",
        "IoU before",
        "IoU after",
        "Seconds, median",
      ],
      effort.map((row) => [
        row.who === "measured" ? "people, measured" : `simulated (${rule}), T = ${row.threshold ?? NOTHING}`,
        whole(row.instances),
        row.clicksMean.toFixed(2),
        String(row.clicksMedian),
        row.redrawTaken === null ? NOTHING : whole(row.redrawTaken),
        row.redrawLeft === null ? NOTHING : whole(row.redrawLeft),
        ratio(row.iouBefore),
        ratio(row.iouAfter),
        row.secondsMedian === null ? NOTHING : oneDecimal(row.secondsMedian),
      ]),
    ),
    "",
    reviewed === undefined
      ? "A reviewed run (--reviewed) puts what people did beside it."
      : `Only instances that were accepted or edited in the review of ${plainText(reviewed)}; IoU with the ground truth.`,
  ];
}

/** None without a table. Published thresholds are those of annotators who walk along the ring, and distances. */
function publishedCells(table: PublishedClickTable | undefined, threshold: number, match: ClickMatch): string[] {
  if (table === undefined) return [];
  const row =
    match === "area" || match === "worst"
      ? undefined
      : table.rows.find((published) => published.threshold === threshold);
  return row === undefined ? [NOTHING, NOTHING] : [oneDecimal(row.clicks), ratio(row.iou / 100)];
}

function sourceOf({ source, data }: PublishedTable): string {
  return `${plainText(source, WHOLE)} ${plainText(data, WHOLE)}.`;
}

function timesFaster(speedUp: number | null): string {
  return speedUp === null ? NOTHING : `x ${speedUp.toFixed(2)}`;
}

/** Longer texts from outside are cut. */
const LONGEST_NAME = 120;
/** For sentences of our own. */
export const WHOLE = Infinity;

/** Text that stays text: one line, without control characters, and everything escaped that Markdown or HTML acts on. */
export function plainText(text: string, longest = LONGEST_NAME): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ");
  return cutText(line, longest, "...").replace(/[\\`*_{}[\]()#!|~@$<>&:^]/g, "\\$&");
}

/** A table; the first column is aligned left, the others right. @param cells escaped already */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [
    `| ${heading.join(" | ")} |`,
    `|${heading.map((_, i) => (i === 0 ? " :-- |" : " --: |")).join("")}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ];
}

/** Lines that unfold at a click. @param summary escaped already */
function folded(summary: string, lines: readonly string[]): string[] {
  return [`<details><summary>${summary}</summary>`, "", ...lines, "", "</details>"];
}

/** "0.614 (0.596–0.632)"; without ends just the mean. */
function withRange(interval: Interval, format: (value: number | null) => string = ratio): string {
  const range = rangeOf(interval, format);
  return range === "" ? format(interval.mean) : `${format(interval.mean)} (${range})`;
}
