/**
 * The click simulation in report.md: the paper's Tables 4, 5 and 6 and the numbers of its Figure 5, with the rows of the
 * methods that need no annotator.
 */
import { count } from "../count.js";
import { NOTHING, oneDecimal, ratio, whole } from "../page/markup.js";
import { plainText, sourceOf, table, WHOLE, withRange } from "./markdown-text.js";
import type { PublishedClickTable } from "./published.js";
import { PUBLISHED_CLICKS } from "./published.js";
import type { ClickMatch, ClickReport, EvaluationReport, MethodReport } from "./types.js";

/** Corrections whose IoU is shown; all are in report.json. */
const SHOWN_CORRECTIONS = [0, 1, 2, 3, 5, 10, 15, 20];

export function clickSections(report: EvaluationReport, clicks: ClickReport): string[] {
  const isPublished = report.inputs.published === true;
  const cap = clicks.maxClicks === null ? "no cap on clicks" : `at most ${count(clicks.maxClicks, "click")}`;
  const setting = `metric ${clicks.metric}, match ${clicks.match}, ${cap}`;
  const perClick =
    clicks.secondsPerClick === null ? "" : `${clicks.secondsPerClick.toFixed(3)} s of computing per click; `;
  return [
    "## Annotator in the loop, simulated",
    "",
    `${count(clicks.instances, "instance", "instances", whole)}; ${setting}. ${perClick}${oneDecimal(clicks.wallSeconds)} s in all.`,
    ...clicks.rules.map((rule) => `- ${plainText(rule, WHOLE)}`),
    "",
    ...allClasses(report.methods, clicks, isPublished),
    "",
    ...cars(report.methods, clicks, isPublished),
    "",
    ...corrections(report.methods, clicks),
    "",
    ...efforts(clicks),
  ];
}

/** How a method without an annotator is called in a column of thresholds. */
function withoutClicks({ name }: MethodReport, at: number): string {
  return at === 0 ? "automatic" : `${plainText(name)}, automatic`;
}

/** The paper's Table 4: methods without an annotator, then a row per threshold. */
function allClasses(
  methods: readonly MethodReport[],
  { perThreshold, match }: ClickReport,
  isPublished: boolean,
): string[] {
  const [published] = isPublished ? PUBLISHED_CLICKS : [];
  const automatic = methods.map((method, at) => [
    withoutClicks(method, at),
    "0",
    withRange(method.classMean),
    "0",
    withRange(method.instanceMean),
    NOTHING,
    NOTHING,
    ...(at === 0 ? publishedCells(published, null, "closest") : publishedCells(published, undefined, match)),
  ]);
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
      [...automatic, ...rows],
    ),
    ...(published === undefined ? [] : ["", `\\* ${sourceOf(published)}`]),
  ];
}

/** The paper's Tables 5 and 6 are about cars. */
function cars(methods: readonly MethodReport[], { perThreshold, match }: ClickReport, isPublished: boolean): string[] {
  const [, cityscapes, kitti] = isPublished ? PUBLISHED_CLICKS : [];
  const automatic = methods.flatMap((method, at) => {
    const car = method.perClass.find(({ name }) => name.toLowerCase() === "car");
    if (car === undefined) return [];
    const published = [cityscapes, kitti].flatMap((paper) =>
      at === 0 ? publishedCells(paper, null, "closest") : publishedCells(paper, undefined, match),
    );
    return [[withoutClicks(method, at), "0", withRange(car.iou), NOTHING, NOTHING, ...published]];
  });
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
      [...automatic, ...rows],
    ),
    ...(cityscapes === undefined || kitti === undefined
      ? []
      : ["", `\\* ${sourceOf(cityscapes)}  `, `\\*\\* ${sourceOf(kitti)}`]),
  ];
}

/** Also the numbers of the paper's Figure 5. */
function corrections(methods: readonly MethodReport[], { noc, iouAfterClicks, curveThreshold }: ClickReport): string[] {
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
      [
        ["IoU", ...shown.map(({ iou }) => ratio(iou))],
        ...methods
          .slice(1)
          .map((method, at) => [
            withoutClicks(method, at + 1),
            ...shown.map(({ clicks }) => (clicks === 0 ? ratio(method.instanceMean.mean) : NOTHING)),
          ]),
      ],
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
function publishedCells(
  table: PublishedClickTable | undefined,
  threshold: number | null | undefined,
  match: ClickMatch,
): string[] {
  if (table === undefined) return [];
  const row =
    match === "area" || match === "worst"
      ? undefined
      : table.rows.find((published) => published.threshold === threshold);
  return row === undefined ? [NOTHING, NOTHING] : [oneDecimal(row.clicks), ratio(row.iou / 100)];
}

function timesFaster(speedUp: number | null): string {
  return speedUp === null ? NOTHING : `x ${speedUp.toFixed(2)}`;
}
