/** Tables of report.html, in the shape of the paper's Tables 3 to 6. Published numbers have columns named as such. */
import { count } from "../count.js";
import type { Column, Fragment, Markup } from "../page/markup.js";
import { html, NOTHING, oneDecimal, rangeOf, ratio, shownText, table, whole } from "../page/markup.js";
import type { PublishedClickTable } from "./published.js";
import { PUBLISHED_CITYSCAPES, PUBLISHED_CLICKS } from "./published.js";
import type {
  ClickMatch,
  ClickReport,
  EvaluationReport,
  GroupScore,
  Interval,
  ListedReason,
  MethodReport,
} from "./types.js";

/** The mean, and below it the interval in small print. */
function withRange(interval: Interval, format: (value: number | null) => string = ratio): Markup {
  const range = rangeOf(interval, format);
  return html`${format(interval.mean)}${range === "" ? "" : html`<small>${range}</small>`}`;
}

/** All methods on the same instances; means over everything. */
export function methodTable(report: EvaluationReport): Markup {
  const methods = [...report.methods, report.gridCeiling];
  return table(
    "Mean IoU of every method on the same instances, with 95 % bootstrap intervals",
    [
      { head: "Method", isText: true },
      { head: "Mean of class means" },
      { head: "Mean over instances" },
      { head: "Boundary IoU" },
      { head: "Failed" },
      { head: "What it is", isText: true },
    ],
    methods.map((method) => [
      shownText(method.name),
      withRange(method.classMean),
      withRange(method.instanceMean),
      withRange(method.boundaryInstanceMean),
      whole(method.failed),
      method.words,
    ]),
  );
}

/**
 * The paper's Table 3 transposed: a row per class, a column per method, the published mean where the class is theirs.
 */
export function classTable(report: EvaluationReport): Markup {
  const published = PUBLISHED_CITYSCAPES.rows.find(({ method }) => method === "Polygon-RNN")!;
  const isShared =
    report.inputs.published === true &&
    (report.methods[0]?.perClass.some(({ name }) => PUBLISHED_CITYSCAPES.classes.includes(name.toLowerCase())) ??
      false);
  const publishedOf = (name: string): Fragment => {
    const at = PUBLISHED_CITYSCAPES.classes.indexOf(name.toLowerCase());
    return at === -1 ? NOTHING : ratio(published.perClass[at]! / 100);
  };
  return groupTable(report.methods, {
    caption: "Mean IoU per class (the paper's Table 3)",
    head: "Class",
    groupsOf: ({ perClass }) => perClass,
    ...(isShared && { extra: { head: "Published: Polygon-RNN on Cityscapes", cell: publishedOf } }),
  });
}

export function sizeTable(report: EvaluationReport): Markup {
  return groupTable(report.methods, {
    caption: "Mean IoU per object size (COCO: small below 32², medium below 96² pixels of area)",
    head: "Size",
    groupsOf: ({ perSize }) => perSize,
  });
}

export function sourceTable(report: EvaluationReport): Markup {
  if (report.methods[0]?.perSource === undefined) return html``;
  return groupTable(report.methods, {
    caption: "Mean IoU per source",
    head: "Source",
    groupsOf: ({ perSource }) => perSource ?? [],
  });
}

interface GroupColumns {
  readonly caption: string;
  /** Heads the column of the groups' names. */
  readonly head: string;
  readonly groupsOf: (method: MethodReport) => readonly GroupScore[];
  /** Last column; its cells by the group's name. */
  readonly extra?: { readonly head: string; readonly cell: (name: string) => Fragment };
}

/** A row per group, a column per method. */
function groupTable(methods: readonly MethodReport[], { caption, head, groupsOf, extra }: GroupColumns): Markup {
  const [main, ...others] = methods;
  if (main === undefined) return html``;
  const columns: Column[] = [
    { head, isText: true },
    { head: "Instances" },
    ...methods.map(({ name }) => ({ head: shownText(name) })),
  ];
  if (extra !== undefined) columns.push({ head: extra.head });
  return table(
    caption,
    columns,
    groupsOf(main).map((group) => [
      shownText(group.name),
      whole(group.iou.count),
      withRange(group.iou),
      ...others.map((method) => ratio(groupsOf(method).find(({ name }) => name === group.name)?.iou.mean)),
      ...(extra === undefined ? [] : [extra.cell(group.name)]),
    ]),
  );
}

/** The paper's Table 3 as published, folded away. */
export function publishedMethods(): Markup {
  const { classes, rows, source, data } = PUBLISHED_CITYSCAPES;
  const published = table(
    `${source}. ${data}; here as ratios, like every other table. Other images and classes than here.`,
    [{ head: "Method", isText: true }, ...classes.map((head) => ({ head })), { head: "mean" }],
    rows.map(({ method, perClass, mean }) => [
      method,
      ...perClass.map((value) => ratio(value / 100)),
      ratio(mean / 100),
    ]),
  );
  return html`<details><summary>Published numbers on Cityscapes</summary>${published}</details>`;
}

/** The paper's Table 4: a row per threshold, all classes. */
export function thresholdTable(clicks: ClickReport, automatic: MethodReport | undefined, isPublished: boolean): Markup {
  const published = isPublished ? PUBLISHED_CLICKS[0] : undefined;
  const rows: Fragment[][] = clicks.perThreshold.map((row) => [
    row.threshold,
    withRange(row.clicksInstanceMean, oneDecimal),
    withRange(row.clicksClassMean, oneDecimal),
    withRange(row.iouInstanceMean),
    withRange(row.iouClassMean),
    oneDecimal(row.truthVertices),
    timesFaster(row.speedUp),
    ...publishedCells(published, row.threshold, clicks.match),
  ]);
  if (automatic !== undefined) {
    rows.unshift([
      "automatic",
      "0",
      "0",
      withRange(automatic.instanceMean),
      withRange(automatic.classMean),
      NOTHING,
      NOTHING,
      ...publishedCells(published, null, clicks.match),
    ]);
  }
  return table(
    "Annotator in the loop, all classes (the paper's Table 4)",
    [
      { head: thresholdHead(clicks) },
      { head: "Clicks per instance" },
      { head: "Clicks, mean of classes" },
      { head: "IoU, instances" },
      { head: "IoU, mean of classes" },
      { head: "Truth vertices" },
      { head: "Speed-up" },
      ...(isPublished ? [{ head: "Published clicks (Cityscapes)" }, { head: "Published IoU (Cityscapes)" }] : []),
    ],
    rows,
  );
}

/** The paper's Tables 5 and 6: one class alone. Cars when the data has them, else the class with most instances. */
export function oneClassTable(clicks: ClickReport, isPublished: boolean): Markup {
  const [, cityscapes, kitti] = isPublished ? PUBLISHED_CLICKS : [];
  const classes = clicks.perThreshold[0]?.perClass ?? [];
  const chosen =
    classes.find(({ name }) => name.toLowerCase() === "car") ?? [...classes].sort((a, b) => b.count - a.count)[0];
  if (chosen === undefined) return html``;
  return table(
    [
      html`Annotator in the loop, class ${shownText(chosen.name)} alone, ${count(chosen.count, "instance", "instances", whole)} `,
      isPublished ? html`(the paper's Tables 5 and 6 are of cars)` : "",
    ],
    [
      { head: thresholdHead(clicks) },
      { head: "Clicks" },
      { head: "IoU" },
      { head: "Speed-up" },
      ...(isPublished
        ? [
            { head: "Published: Cityscapes cars, clicks" },
            { head: "IoU" },
            { head: "Published: KITTI cars, clicks" },
            { head: "IoU" },
          ]
        : []),
    ],
    clicks.perThreshold.map((row) => {
      const own = row.perClass.find(({ name }) => name === chosen.name);
      return [
        row.threshold,
        own === undefined ? NOTHING : withRange(own.clicks, oneDecimal),
        own === undefined ? NOTHING : withRange(own.iou),
        timesFaster(own?.speedUp ?? null),
        ...publishedCells(cityscapes, row.threshold, clicks.match),
        ...publishedCells(kitti, row.threshold, clicks.match),
      ];
    }),
  );
}

function timesFaster(speedUp: number | null): string {
  return speedUp === null ? NOTHING : `×${speedUp.toFixed(2)}`;
}

function thresholdHead({ match }: ClickReport): string {
  return match === "area" ? "T, cells of area" : "T, grid cells";
}

/**
 * No cells without a table. Published thresholds are distances and say nothing about an area. Automatic polygons are the same under every rule.
 */
function publishedCells(
  published: PublishedClickTable | undefined,
  threshold: number | null,
  match: ClickMatch,
): Fragment[] {
  if (published === undefined) return [];
  const row =
    (match === "area" || match === "worst") && threshold !== null
      ? undefined
      : published.rows.find((candidate) => candidate.threshold === threshold);
  return [oneDecimal(row?.clicks), row === undefined ? NOTHING : ratio(row.iou / 100)];
}

/** Simulated annotators, and people where a review was given. */
export function effortTable({ effort, reviewed, match, choice }: ClickReport): Markup {
  if (effort.length === 0) return html``;
  const rule = choice === undefined ? match : `${match}, network's way ${choice}`;
  return table(
    reviewed === undefined
      ? "Simulated work; a reviewed run (--reviewed) puts what people did beside it"
      : [
          html`Simulated and measured work, on instances accepted or edited in the review of ${shownText(reviewed)}; `,
          "IoU with the ground truth",
        ],
    [
      { head: "Annotator", isText: true },
      { head: "Instances" },
      { head: "Clicks, mean" },
      { head: "Median" },
      { head: "Proposals taken" },
      { head: "Left" },
      { head: "IoU before" },
      { head: "IoU after" },
      { head: "Seconds, median" },
    ],
    effort.map((row) => [
      row.who === "measured" ? "people, measured" : `simulated (${rule}), T = ${row.threshold ?? NOTHING}`,
      whole(row.instances),
      row.clicksMean.toFixed(2),
      row.clicksMedian,
      row.redrawTaken === null ? NOTHING : whole(row.redrawTaken),
      row.redrawLeft === null ? NOTHING : whole(row.redrawLeft),
      ratio(row.iouBefore),
      ratio(row.iouAfter),
      row.secondsMedian === null ? NOTHING : oneDecimal(row.secondsMedian),
    ]),
  );
}

export function nocTable(clicks: ClickReport): Markup {
  return table(
    `Corrections needed to reach an IoU, at T = ${clicks.curveThreshold} (NoC)`,
    [{ head: "IoU to reach" }, { head: "Mean corrections" }, { head: "Never reached" }, { head: "Cap" }],
    clicks.noc.map(({ target, meanClicks, failures, cap }) => [
      ratio(target),
      oneDecimal(meanClicks),
      whole(failures),
      cap,
    ]),
  );
}

export function reasonTable(caption: string, reasons: readonly ListedReason[]): Markup {
  if (reasons.length === 0) return html``;
  return table(
    caption,
    [{ head: "Reason", isText: true }, { head: "Count" }, { head: "First ids", isText: true }],
    reasons.map(({ words, count, firstIds }) => [words, whole(count), firstIds.map((id) => shownText(id)).join(", ")]),
  );
}
