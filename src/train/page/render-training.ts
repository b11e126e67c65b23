/**
 * training.html in the run folder: one file that needs no network and runs no script. Every number in it is in
 * metrics.ndjson or run.json.
 */
import { basename, join } from "node:path";
import { count } from "../../count.js";
import { writeAtomic } from "../../files/atomic-file.js";
import { chartFigure } from "../../page/chart.js";
import type { Fragment, Markup } from "../../page/markup.js";
import { html, NOTHING, ratio, shownText, table, whole } from "../../page/markup.js";
import { descriptionList, renderPage } from "../../page/page.js";
import type { RunStarted, StepLine, TrainingHistory, ValidationLine } from "../events.js";
import type { TrainOptions } from "../options.js";
import { cropGrounds, cropStrips } from "./crop-strips.js";
import { sourcesOf, trainingCharts } from "./curves.js";

export const TRAINING_PAGE = "training.html";

/** What the page says about the run beside its history. */
export interface TrainingPageFacts {
  readonly run: RunStarted;
  /** Options of the run by name, with their values as text (`describeOptions`). */
  readonly options: readonly (readonly [string, string])[];
  readonly generator: string;
}

/** Newest rows that the table of validations shows; the best one is added to them. */
const MOST_ROWS = 40;
/** Characters of a source's name in the head of a column. */
const NAME_LENGTH = 40;

/** @throws E_WRITE; the page that was there is whole then */
export async function writeTrainingPage(
  folder: string,
  history: TrainingHistory,
  facts: TrainingPageFacts,
): Promise<void> {
  await writeAtomic(join(folder, TRAINING_PAGE), await renderTrainingHtml(history, facts));
}

/** @returns a whole HTML document */
export async function renderTrainingHtml({ lines, crops }: TrainingHistory, facts: TrainingPageFacts): Promise<string> {
  const steps = lines.filter((line): line is StepLine => line.type === "step");
  const validations = lines.filter((line): line is ValidationLine => line.type === "validation");
  const charts = trainingCharts(steps, validations);
  return renderPage(
    "polyrnn training",
    html`<h1>Training of ${facts.run.architecture}</h1>
      ${lead(validations, facts.run)} ${keyFigures(steps, validations, facts.run)}
      ${
        charts.length === 0
          ? html``
          : html`<h2>Curves</h2>
<div class="charts">${charts.map(chartFigure)}</div>`
      }
      <h2>The same crops at every validation</h2>
      <p>
        <span class="key" style="border-color:#999;border-top-style:dashed"></span>truth<span
          class="key"
          style="border-color:#e69f00"
        ></span
        >drawn by the model of that step
      </p>
      ${cropStrips(validations, await cropGrounds(crops))}
      <h2>Validations</h2>
      ${validationTable(validations)}
      <h2>What it is trained on</h2>
      ${dataTables(facts.run)}
      <h2>How</h2>
      ${descriptionList(settings(facts))} `,
  );
}

function settings({ run, options, generator }: TrainingPageFacts): readonly (readonly [string, string])[] {
  return [
    ["folder", run.folder],
    ["starts from", run.start],
    ["computes on", run.device],
    ["weights", `${whole(run.trainable)} trained, ${whole(run.frozen)} frozen`],
    ...options,
    ["made by", generator],
  ];
}

function bestOf(validations: readonly ValidationLine[]): ValidationLine | undefined {
  return validations.findLast(({ isBest }) => isBest);
}

function lead(validations: readonly ValidationLine[], { folder }: RunStarted): Markup {
  const best = bestOf(validations);
  if (best === undefined) return html`<p class="lead">There was no validation yet.</p>`;
  return html`<p class="lead">The best model so far is of step ${whole(best.step)}: mean IoU <b>${ratio(best.all.iou)}</b> over ${whole(best.all.instances)} validation instances; the box itself gives ${ratio(best.all.boxIou)}. It is in ${folder}, which every command takes as a model.</p>`;
}

function keyFigures(steps: readonly StepLine[], validations: readonly ValidationLine[], run: RunStarted): Markup {
  const last = steps.at(-1);
  const done = Math.max(last?.step ?? 0, validations.at(-1)?.step ?? 0);
  const figures: (readonly [string, string])[] = [
    [whole(done), `of ${count(run.steps, "step", "steps", whole)} of ${count(run.batchSize, "crop")}`],
    [ratio(bestOf(validations)?.all.iou), "best validation IoU"],
    [ratio(last?.losses.total), "loss, last line"],
    [ratio(last?.accuracy), "step accuracy, last line"],
    ...(last?.maskIou === undefined ? [] : [[ratio(last.maskIou), "IoU of the mask map, last line"] as const]),
    [
      last === undefined ? NOTHING : last.instancesPerSecond.toFixed(last.instancesPerSecond < 10 ? 1 : 0),
      "instances per second",
    ],
  ];
  return html`<div class="figures">
    ${figures.map(([value, label]) => html`<div><b>${value}</b><span>${label}</span></div>`)}
  </div>`;
}

function validationTable(validations: readonly ValidationLine[]): Markup {
  if (validations.length === 0) return html`<p class="note">None yet.</p>`;
  const named = sourcesOf(validations);
  // One source is the same column as all.
  const sources = named.length > 1 ? named : [];
  const best = bestOf(validations);
  const newest = validations.slice(-MOST_ROWS);
  const shown = best === undefined || newest.includes(best) ? newest : [best, ...newest];
  const last = validations.at(-1)!;
  const scoreOf = ({ bySource }: ValidationLine, source: string): number | undefined =>
    Object.hasOwn(bySource, source) ? bySource[source]!.iou : undefined;
  const rows: Fragment[][] = [...shown]
    .reverse()
    .map((line) => [
      html`${whole(line.step)}${line === best ? " best" : ""}`,
      ratio(line.all.iou),
      ...sources.map((source) => ratio(scoreOf(line, source))),
      whole(line.failed),
    ]);
  rows.push([
    "the box itself",
    ratio(last.all.boxIou),
    ...sources.map((source) => ratio(last.bySource[source]?.boxIou)),
    NOTHING,
  ]);
  rows.push([
    "instances",
    whole(last.all.instances),
    ...sources.map((source) => whole(last.bySource[source]?.instances ?? 0)),
    NOTHING,
  ]);
  const of =
    shown.length < validations.length
      ? `; ${whole(shown.length)} of ${whole(validations.length)}, the rest is in metrics.ndjson`
      : "";
  return table(
    `Mean IoU over validation instances, newest first${of}`,
    [
      { head: "Step", isText: true },
      { head: "all" },
      ...sources.map((source) => ({ head: shownText(source, NAME_LENGTH) })),
      { head: "No polygon" },
    ],
    rows,
  );
}

function dataTables({ instances, images, bySource, dropped, validationInstances }: RunStarted): Markup {
  return html`<p>${count(instances, "instance", "instances", whole)} on ${count(images, "image", "images", whole)}; validated on ${count(validationInstances, "instance", "instances", whole)}.</p>
${table(
  "Training instances per source",
  [{ head: "Source", isText: true }, { head: "Instances" }],
  [...bySource].map(([source, count]) => [shownText(source), whole(count)]),
)}
${
  dropped.size === 0
    ? html`<p class="note">No instance was left out.</p>`
    : table(
        "Instances that are left out",
        [{ head: "Reason", isText: true }, { head: "Instances" }],
        [...dropped].map(([reason, count]) => [reason, whole(count)]),
      )
}`;
}

/** Options of a run for its page, with their values as text. run.json has them as they are. */
export function describeOptions({ data, validation, ...recipe }: TrainOptions): readonly (readonly [string, string])[] {
  const { lossWeights, freeze, truncate } = recipe;
  const schedule = recipe.schedule === "cosine" ? "cosine" : `a tenth after every ${count(recipe.dropEvery, "step")}`;
  const weights = (named: object): string =>
    Object.entries(named)
      .map(([name, value]) => `${shownText(name)} ${String(value)}`)
      .join(", ");
  return [
    ["outlines", shownText(basename(data.boxes))],
    ["validated on", validation === undefined ? "nothing" : shownText(basename(validation.boxes))],
    ...(data.sourceWeights === undefined ? [] : [["weights of sources", weights(data.sourceWeights)] as const]),
    ...(data.filter === undefined ? [] : [["limits of outlines", weights(data.filter)] as const]),
    ...(data.maxInstances === undefined ? [] : [["instances at most", String(data.maxInstances)] as const]),
    ["crops are varied by", data.augmentation === undefined ? "the defaults" : weights(data.augmentation)],
    [
      "learning rates",
      `${recipe.learningRate}, backbone ${recipe.backboneLearningRate}; ${schedule}, warm-up ${count(recipe.warmup, "step")}`,
    ],
    ["optimizer", `AdamW, decay ${recipe.weightDecay}, gradient clipped at ${recipe.clipNorm}`],
    ["moving average", recipe.ema > 0 ? String(recipe.ema) : "none"],
    ["loss weights", `${weights(lossWeights)}; smoothing ${recipe.smoothing}`],
    ...(freeze === undefined ? [] : [["frozen up to", freeze] as const]),
    ...(truncate === undefined ? [] : [["gradients reach back", `${truncate} decoder steps`] as const]),
    ["seed", String(recipe.seed)],
  ];
}
