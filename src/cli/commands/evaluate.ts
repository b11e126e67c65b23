/** `polyrnn evaluate`: compares polygons with ground truth; the work is evaluate/evaluate.ts. */
import { join } from "node:path";
import { count } from "../../count.js";
import { EXIT, PolyrnnError } from "../../errors.js";
import type { BoxUnit } from "../../dataset/relative-boxes.js";
import type { MatchBy } from "../../evaluate/methods/match-predictions.js";
import type { EvaluateHost, EvaluateOptions } from "../../evaluate/options.js";
import type { Rasterizer } from "../../geometry/iou.js";
import type { InstancesCsv } from "../../report/csv.js";
import type { EvaluationSummary } from "../../report/summary.js";
import type { Evaluation, EvaluationReport, Interval } from "../../report/types.js";
import { packageVersion } from "../../version.js";
import { defineCommand } from "../command.js";
import type { OptionTable } from "../option-table.js";
import { inFolder, listedReasons } from "../phrases.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import {
  bootstrapRow,
  boxesAreRow,
  colorRow,
  compareRow,
  configRow,
  forceReportRow,
  groupByRow,
  jsonRow,
  publishedRow,
  quietRow,
  rasterizerRow,
  seedRow,
  truthRow,
} from "../shared-rows.js";
import { paintFor, printable, writeJsonLine } from "../terminal.js";

interface EvaluateFlags extends JsonOption, ConfigOption {
  readonly predictions: string;
  readonly truth: string;
  readonly images?: string;
  readonly compare: readonly string[];
  readonly oracle: readonly string[];
  readonly out?: string;
  readonly failUnder?: number;
  readonly groupBy: string;
  readonly rasterizer: Rasterizer;
  readonly matchBy?: MatchBy;
  readonly minArea: number;
  readonly published: boolean;
  readonly context?: number;
  readonly boxesAre?: BoxUnit;
  readonly seed: number;
  readonly bootstrap: number;
  readonly force: boolean;
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

const evaluateTable = {
  predictions: {
    type: "text",
    position: 0,
    placeholder: "PREDICTIONS",
    group: "common",
    required: true,
    describe: "Polygons to evaluate: a run folder, its annotations.json, or a COCO results list",
  },
  truth: { ...truthRow, required: true },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "the run's, for pictures and GrabCut",
    describe: "Image folder; also gives the image sizes that the ground truth lacks",
  },
  compare: { ...compareRow, group: "common" },
  oracle: {
    type: "list",
    placeholder: "NAME",
    group: "advanced",
    default: [],
    describe: "Gains of first,steps,teacher,map,grid: what each part of the truth would bring",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "polyrnn-eval beside the predictions",
    describe: "Output folder",
  },
  failUnder: {
    type: "number",
    min: 0,
    max: 1,
    group: "common",
    whenAbsent: "no limit",
    describe: "Exit with code 1 when the mean IoU over instances is lower",
  },
  groupBy: groupByRow,
  rasterizer: rasterizerRow,
  matchBy: {
    type: "text",
    choices: ["id", "box"],
    group: "advanced",
    whenAbsent: "id, or box for a results list",
    describe: "Match predictions by annotation id, or by image, category and overlap of the boxes",
  },
  minArea: {
    type: "number",
    min: 0,
    unit: "px",
    group: "advanced",
    default: 0,
    describe: "Ignore parts of the ground truth below this area; the Cityscapes protocol uses 100",
  },
  context: {
    type: "number",
    min: 0,
    max: 1,
    group: "advanced",
    whenAbsent: "the run's, else 0.15",
    describe: "Margin around the box, as a fraction of its longer side, for the grid ceiling",
  },
  boxesAre: { ...boxesAreRow, whenAbsent: "pixels; told by the files of Pascal VOC" },
  published: publishedRow,
  seed: seedRow,
  bootstrap: bootstrapRow,
  config: configRow,
  force: forceReportRow,
  json: jsonRow,
  quiet: quietRow,
  color: colorRow,
} as const satisfies OptionTable<EvaluateFlags>;

export const evaluateCommand = defineCommand<EvaluateFlags>({
  path: ["evaluate"],
  summary: "compare polygons with ground truth",
  examples: [
    {
      why: "a run against its ground truth; the report lies in polyrnn-out/polyrnn-eval/",
      line: "polyrnn evaluate polyrnn-out --truth gt.json",
    },
    {
      why: "beside GrabCut and somebody else's results",
      line: "polyrnn evaluate polyrnn-out/annotations.json --truth gt.json --compare box,grabcut,b=b.json",
    },
    {
      why: "in a CI job: fail below a mean IoU of 0.6",
      line: "polyrnn evaluate polyrnn-out/annotations.json --truth gt.json --fail-under 0.6 --json",
    },
  ],
  table: evaluateTable,
  async run(flags, terminal) {
    const { InstancesCsv } = await import("../../report/csv.js");
    const { defaultReportFolder, INSTANCES_FILE, prepareReportFolder } = await import("../../report/folder.js");
    const { showProgress } = await import("../progress.js");
    const options = await toEvaluateOptions(flags);
    const out = flags.out ?? defaultReportFolder(options.predictions);
    const compared = options.compare.flatMap((comparison) => (comparison.kind === "file" ? [comparison.path] : []));
    const { lockFolder } = await import("../../runs/lock.js");
    const inputs = [options.predictions, flags.truth, ...compared];
    const progress = showProgress(terminal.stderr, {
      quiet: flags.quiet,
      verbose: false,
      paint: paintFor(terminal.stderr, terminal.env, flags.color),
      now: () => terminal.now(),
    });
    const note = (line: string): void => {
      progress.note(line);
    };
    const host = {
      signal: terminal.stopSignal(),
      note,
      progress: (seen: number, total: number) => {
        progress.progress({ finished: seen, total, failed: 0, finishedNow: seen });
      },
    };
    const folder = await prepareReportFolder(out, inputs, { force: flags.force, lock: lockFolder(note) });
    let evaluation: Evaluation;
    let written: readonly string[];
    try {
      const csv = await InstancesCsv.open(join(out, INSTANCES_FILE));
      evaluation = await evaluateInto(csv, options, host);
      const { writeReportFiles, appendStepSummary } = await import("../../report/write-report.js");
      const { stepSummaryFile } = await import("../step-summary.js");
      written = [...(await writeReportFiles(evaluation, out, note)), INSTANCES_FILE];
      const stepSummary = stepSummaryFile(terminal.env);
      if (stepSummary !== undefined) await appendStepSummary(stepSummary, evaluation);
    } catch (error) {
      await folder.takeBack();
      throw error;
    } finally {
      progress.end();
      await folder.release();
    }
    const { summarizeEvaluation } = await import("../../report/summary.js");
    const summary = summarizeEvaluation(evaluation.report, { out, written }, flags.failUnder);
    if (!flags.quiet) {
      for (const line of evaluationMessages(evaluation.report, summary)) terminal.stderr.write(`${printable(line)}\n`);
    }
    if (flags.json) await writeJsonLine(terminal.stdout, summary);
    return summary.failUnder?.passed === false ? EXIT.failures : EXIT.ok;
  },
});

/** Rows go to the file as they come; on an error or a stop the file is removed. */
async function evaluateInto(
  csv: InstancesCsv,
  options: EvaluateOptions,
  host: Pick<EvaluateHost, "signal" | "note" | "progress">,
): Promise<Evaluation> {
  try {
    const { evaluate } = await import("../../evaluate/evaluate.js");
    const evaluation = await evaluate(options, {
      ...host,
      methods: (names) => csv.methods(names),
      row: (row) => csv.row(row),
    });
    await csv.commit();
    return evaluation;
  } catch (error) {
    await csv.abort();
    if (!host.signal.aborted) throw error;
    throw new PolyrnnError(
      "stopped before the last image; no report was written",
      "E_STOPPED",
      EXIT.stopped,
      "Run the command again.",
    );
  }
}

async function toEvaluateOptions(flags: EvaluateFlags): Promise<EvaluateOptions> {
  const { parseGroupBy } = await import("../../evaluate/groups.js");
  const { parseComparisons, parseOracles, locateComparisons } = await import("../../evaluate/methods/open-methods.js");
  const { predictionsAt } = await import("../../evaluate/methods/prediction-file.js");
  const { truth, images, rasterizer, matchBy, minArea, context, seed, boxesAre } = flags;
  const predictions = await predictionsAt(flags.predictions);
  return {
    predictions,
    isRunFolder: predictions !== flags.predictions,
    truth,
    rasterizer,
    minArea,
    published: flags.published,
    seed,
    ...(boxesAre !== undefined && { boxesAre }),
    ...(images !== undefined && { images }),
    compare: await locateComparisons(parseComparisons(flags.compare)),
    oracles: parseOracles(flags.oracle),
    groupBy: parseGroupBy(flags.groupBy),
    ...(matchBy !== undefined && { matchBy }),
    ...(context !== undefined && { context }),
    resamples: flags.bootstrap,
    generator: `polyrnn ${packageVersion()}`,
  };
}

/** The closing messages: the score, what was left out, what was written. */
function evaluationMessages({ counts }: EvaluationReport, summary: EvaluationSummary): string[] {
  const { iou, boundaryIou, failUnder } = summary;
  const compared = [...summary.compared, { name: "grid ceiling", ...summary.gridCeiling }].map(
    ({ name, instanceMean }) => `${name} ${ratio(instanceMean.mean)}`,
  );
  const lines = [
    `mean IoU ${withRange(iou.instanceMean)} over ${count(summary.evaluated, "instance")}; ` +
      `mean of ${count(iou.classMean.count, "class", "classes")} ${withRange(iou.classMean)}`,
    `boundary IoU ${withRange(boundaryIou.instanceMean)}; ` +
      `masks filled by ${summary.rasterizer === "coco" ? "COCO's" : "Pillow's"} rule`,
    `on the same instances: ${compared.join(", ")}`,
  ];
  if (summary.failed > 0) lines.push(`${summary.failed} counted as IoU 0: ${listedReasons(counts.failures)}`);
  if (summary.excluded > 0) lines.push(`${summary.excluded} left out: ${listedReasons(counts.exclusions)}`);
  if (counts.remarks.length > 0) lines.push(`worth a look: ${listedReasons(counts.remarks)}`);
  if (failUnder?.passed === false) lines.push(`mean IoU is below the limit of ${failUnder.limit} (--fail-under)`);
  lines.push(`wrote ${inFolder(summary.out, summary.written)}`);
  return lines;
}

function withRange({ mean, low, high, count }: Interval): string {
  if (low === null || high === null) return count === 1 ? `${ratio(mean)} (95 % interval -)` : ratio(mean);
  return `${ratio(mean)} (95 % interval ${ratio(low)} to ${ratio(high)})`;
}

function ratio(value: number | null): string {
  return value === null ? "none" : value.toFixed(4);
}
