/** The click simulation in Markdown: tables in the shape of the paper's Tables 4, 5 and 6. */
import { NOTHING, oneDecimal, ratio, whole } from "../write/html/numbers.js";
import { LONGEST_SENTENCE, plainText, table, withRange } from "./markdown.js";
import { PUBLISHED_CLICKS, type PublishedClickTable } from "./published.js";
import type { ClickMatch, ClickReport } from "./report-types.js";

/** Corrections whose IoU is shown; all are in report.json. */
const SHOWN_CORRECTIONS = [0, 1, 2, 3, 5, 10, 15, 20];

export function clickSections(clicks: ClickReport): string[] {
  return [
    "## Annotator in the loop, simulated",
    "",
    `${whole(clicks.instances)} instances; metric ${clicks.metric}, match ${clicks.match}, ${clicks.maxClicks === null ? "no cap on clicks" : `at most ${clicks.maxClicks} clicks`}. ${clicks.secondsPerClick === null ? "" : `${clicks.secondsPerClick.toFixed(3)} s of computing per click; `}${oneDecimal(clicks.wallSeconds)} s in all.`,
    ...clicks.rules.map((rule) => `- ${plainText(rule, LONGEST_SENTENCE)}`),
    "",
    ...allClasses(clicks),
    "",
    ...cars(clicks),
    "",
    ...corrections(clicks),
  ];
}

/** The paper's Table 4. */
function allClasses({ perThreshold, match }: ClickReport): string[] {
  const [published] = PUBLISHED_CLICKS;
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
        "Published, other data: clicks*",
        "IoU*",
      ],
      rows,
    ),
    "",
    `\\* ${sourceOf(published)}`,
  ];
}

/** The paper's Tables 5 and 6 are about cars. */
function cars({ perThreshold, match }: ClickReport): string[] {
  const [, cityscapes, kitti] = PUBLISHED_CLICKS;
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
        "Published, Cityscapes: clicks*",
        "IoU*",
        "Published, KITTI: clicks**",
        "IoU**",
      ],
      rows,
    ),
    "",
    `\\* ${sourceOf(cityscapes)}  `,
    `\\*\\* ${sourceOf(kitti)}`,
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

/** An area in cells is no distance: the published thresholds say nothing about it. */
function publishedCells({ rows }: PublishedClickTable, threshold: number, match: ClickMatch): string[] {
  const row = match === "area" ? undefined : rows.find((published) => published.threshold === threshold);
  return row === undefined ? [NOTHING, NOTHING] : [oneDecimal(row.clicks), ratio(row.iou / 100)];
}

function sourceOf({ source, data }: PublishedClickTable): string {
  return `${plainText(source, LONGEST_SENTENCE)} ${plainText(data)}.`;
}

function timesFaster(speedUp: number | null): string {
  return speedUp === null ? NOTHING : `x ${speedUp.toFixed(2)}`;
}
