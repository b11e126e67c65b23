/** Tables of report.html, in the shape of the paper's Tables 3 to 6. Published numbers have columns named as such. */
import { count } from "../count.js";
import type { Column, Fragment, Markup } from "../page/markup.js";
import { html, NOTHING, oneDecimal, rangeOf, ratio, shownText, signedRatio, table, whole } from "../page/markup.js";
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
import { comparedAs } from "./types.js";

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
      { head: "Compared as", isText: true },
      { head: "Mean of class means" },
      { head: "Mean over instances" },
      { head: "Boundary IoU" },
      { head: "Failed" },
      { head: "What it is", isText: true },
    ],
    methods.map((method) => [
      shownText(method.name),
      comparedAs(method),
      withRange(method.classMean),
      withRange(method.instanceMean),
      withRange(method.boundaryInstanceMean),
      whole(method.failed),
      method.words,
    ]),
  );
}

/** The paper's Table 3; published rows where a class is theirs. */
export function classTable(report: EvaluationReport): Markup {
  const { classes, rows } = PUBLISHED_CITYSCAPES;
  const isShared =
    report.inputs.published === true &&
    (report.methods[0]?.perClass.some(({ name }) => classes.includes(name.toLowerCase())) ?? false);
  const published = rows.map(({ method, perClass, mean }): PublishedRow => ({
    name: method,
    valueOf: (name) => {
      const value = perClass[classes.indexOf(name.toLowerCase())];
      return value === undefined ? NOTHING : ratio(value / 100);
    },
    mean: ratio(mean / 100),
  }));
  return groupTable(report, {
    caption: "Mean IoU per class (the paper's Table 3)",
    head: "Class",
    groupsOf: ({ perClass }) => perClass,
    means: { published: isShared ? published : [] },
  });
}

export function sizeTable(report: EvaluationReport): Markup {
  return groupTable(report, {
    caption: "Mean IoU per object size (COCO: small below 32², medium below 96² pixels of area)",
    head: "Size",
    groupsOf: ({ perSize }) => perSize,
  });
}

export function sourceTable(report: EvaluationReport): Markup {
  if (report.methods[0]?.perSource === undefined) return html``;
  return groupTable(report, {
    caption: "Mean IoU per source",
    head: "Source",
    groupsOf: ({ perSource }) => perSource ?? [],
  });
}

interface PublishedRow {
  /** Of the method in the paper. */
  readonly name: string;
  /** By the group's name. */
  readonly valueOf: (group: string) => Fragment;
  readonly mean: string;
}

interface GroupColumns {
  readonly caption: string;
  /** Heads the column of the groups' names, where they are rows. */
  readonly head: string;
  readonly groupsOf: (method: MethodReport) => readonly GroupScore[];
  /** Of classes: their mean is shown, and rows of papers where given. */
  readonly means?: { readonly published: readonly PublishedRow[] };
}

/** More groups than this do not fit beside each other. */
const MOST_COLUMNS = 12;

/** A row per method and a column per group, as in the paper's Table 3; of many groups a row per group. */
function groupTable(report: EvaluationReport, groups: GroupColumns): Markup {
  const [main] = report.methods;
  if (main === undefined) return html``;
  const { groupsOf } = groups;
  return groupsOf(main).length > MOST_COLUMNS ? tallTable(report, groups) : wideTable(report, groups);
}

function wideTable({ methods, gridCeiling }: EvaluationReport, { caption, groupsOf, means }: GroupColumns): Markup {
  const groups = groupsOf(methods[0]!);
  const ofGroups = (method: MethodReport): Fragment[] => groupsOf(method).map(({ iou }) => withRange(iou));
  return table(
    caption,
    [
      { head: "Method", isText: true },
      { head: "Compared as", isText: true },
      ...groups.map(({ name }) => ({ head: shownText(name) })),
      ...(means === undefined ? [] : [{ head: "Mean of classes" }]),
    ],
    [
      ["Instances", "", ...groups.map(({ iou }) => whole(iou.count)), ...(means === undefined ? [] : [""])],
      ...[...methods, gridCeiling].map((method) => [
        shownText(method.name),
        comparedAs(method),
        ...ofGroups(method),
        ...(means === undefined ? [] : [ratio(method.classMean.mean)]),
      ]),
      ...(means?.published ?? []).map(({ name, valueOf, mean }) => [
        `Published on Cityscapes: ${name}`,
        "",
        ...groups.map((group) => valueOf(group.name)),
        mean,
      ]),
    ],
  );
}

function tallTable({ methods }: EvaluationReport, { caption, head, groupsOf, means }: GroupColumns): Markup {
  const published = means?.published ?? [];
  const columns: Column[] = [
    { head, isText: true },
    { head: "Instances" },
    ...methods.map(({ name }) => ({ head: shownText(name) })),
    ...published.map(({ name }) => ({ head: `${name}, published` })),
  ];
  return table(
    published.length === 0 ? caption : `${caption}; what is published was measured on Cityscapes, on other images`,
    columns,
    groupsOf(methods[0]!).map((group) => [
      shownText(group.name),
      whole(group.iou.count),
      withRange(group.iou),
      ...methods.slice(1).map((method) => ratio(groupsOf(method).find(({ name }) => name === group.name)?.iou.mean)),
      ...published.map(({ valueOf }) => valueOf(group.name)),
    ]),
  );
}

/** What each part of the truth would gain, by size and by the truth's vertices. */
export function oracleTable({ oracle }: EvaluationReport): Markup {
  if (oracle === undefined) return html``;
  const { oracles, groups } = oracle;
  const words = oracles.map(({ name, words }) => html`<li><b>${name}</b>: ${words}</li>`);
  return html`<h2>Where the error comes from</h2>
${table(
  "IoU gained over the predictions when the network is given one part of the truth, and its share of the error, 1 - IoU",
  [
    { head: "Instances with", isText: true },
    { head: "Number" },
    { head: "IoU now" },
    ...oracles.map(({ name }) => ({ head: name })),
  ],
  groups.map(({ kind, name, count, now, shares }) => [
    kind === "vertices" ? `${name} truth vertices` : kind === "size" ? `${name} area` : name,
    whole(count),
    withRange(now),
    ...shares.map(({ gain, ofError }) => [
      withRange(gain, signedRatio),
      ofError === null ? "" : html`<small>${Math.round(ofError * 100)} % of the error</small>`,
    ]),
  ]),
)}
<ul>${words}</ul>
<p class="note">Shares do not add up: parts help each other.</p>`;
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
export function thresholdTable(clicks: ClickReport, methods: readonly MethodReport[], isPublished: boolean): Markup {
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
  const automatic = methods.map((method, at) => [
    withoutClicks(method, at),
    "0",
    "0",
    withRange(method.instanceMean),
    withRange(method.classMean),
    NOTHING,
    NOTHING,
    ...publishedCells(published, at === 0 ? null : undefined, clicks.match),
  ]);
  return table(
    "Annotator in the loop, all classes (the paper's Table 4)",
    [
      { head: thresholdHead(clicks), isText: true },
      { head: "Clicks per instance" },
      { head: "Clicks, mean of classes" },
      { head: "IoU, instances" },
      { head: "IoU, mean of classes" },
      { head: "Truth vertices" },
      { head: "Speed-up" },
      ...(isPublished ? [{ head: "Published clicks (Cityscapes)" }, { head: "Published IoU (Cityscapes)" }] : []),
    ],
    [...automatic, ...rows],
  );
}

/** The paper's Tables 5 and 6: one class alone. Cars when the data has them, else the class with most instances. */
export function oneClassTable(clicks: ClickReport, methods: readonly MethodReport[], isPublished: boolean): Markup {
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
      { head: thresholdHead(clicks), isText: true },
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
    [
      ...methods.flatMap((method, at) => {
        const own = method.perClass.find(({ name }) => name === chosen.name);
        if (own === undefined) return [];
        const published = [cityscapes, kitti].flatMap((paper) =>
          publishedCells(paper, at === 0 ? null : undefined, clicks.match),
        );
        return [[withoutClicks(method, at), "0", withRange(own.iou), NOTHING, ...published]];
      }),
      ...clicks.perThreshold.map((row) => {
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
    ],
  );
}

/** How a method without an annotator is called in a column of thresholds. */
function withoutClicks({ name }: MethodReport, at: number): Fragment {
  return at === 0 ? "automatic" : [shownText(name), ", automatic"];
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
  threshold: number | null | undefined,
  match: ClickMatch,
): Fragment[] {
  if (published === undefined) return [];
  const row =
    (match === "area" || match === "worst") && threshold !== null
      ? undefined
      : published.rows.find((candidate) => candidate.threshold === threshold);
  return [threshold === null ? "0" : oneDecimal(row?.clicks), row === undefined ? NOTHING : ratio(row.iou / 100)];
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
