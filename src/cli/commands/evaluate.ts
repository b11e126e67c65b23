/** The options of `polyrnn evaluate`. */
import { join } from "node:path";
import type { ExitCode } from "../../errors.js";
import { EXIT, PolyrnnError } from "../../errors.js";
import type { MatchBy } from "../../evaluate/methods/match-predictions.js";
import { parseGroupBy } from "../../evaluate/groups.js";
import { parseComparisons } from "../../evaluate/methods/open-methods.js";
import type { EvaluateHost, EvaluateOptions } from "../../evaluate/options.js";
import type { Rasterizer } from "../../geometry/iou.js";
import { InstancesCsv } from "../../report/csv.js";
import { defaultReportFolder, INSTANCES_FILE, prepareReportFolder } from "../../report/folder.js";
import { summarizeEvaluation } from "../../report/summary.js";
import type { Evaluation } from "../../report/types.js";
import { packageVersion } from "../../version.js";
import type { OptionTable } from "../option-table.js";
import { showProgress } from "../progress.js";
import { evaluationMessages } from "../run-summary.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import { bootstrapRow, colorRow, configRow, groupByRow, jsonRow, rasterizerRow, seedRow } from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { paintFor, printable, writeLine } from "../terminal.js";

export interface EvaluateFlags extends JsonOption, ConfigOption {
  readonly predictions: string;
  readonly truth: string;
  readonly images?: string;
  readonly compare: readonly string[];
  readonly out?: string;
  readonly failUnder?: number;
  readonly groupBy: string;
  readonly rasterizer: Rasterizer;
  readonly matchBy?: MatchBy;
  readonly minArea: number;
  readonly context?: number;
  readonly seed: number;
  readonly bootstrap: number;
  readonly force: boolean;
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

export const evaluateTable = {
  predictions: {
    type: "text",
    position: 0,
    placeholder: "PREDICTIONS",
    group: "common",
    required: true,
    describe: "Polygons to judge: annotations.json of a run, or a COCO results list with segmentations",
  },
  truth: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    required: true,
    describe: "Ground truth with polygons or masks: COCO file or Cityscapes folder",
  },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "that of the run, for pictures and GrabCut",
    describe: "Image folder; also gives the images' sizes where the truth does not",
  },
  compare: {
    type: "list",
    placeholder: "NAME|NAME=FILE",
    group: "common",
    default: ["box", "square", "ellipse"],
    describe:
      "Methods beside the predictions: box, square, ellipse, grabcut, other result files as name=other.json, or none",
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
    describe: "Exit code 1 when the mean IoU over instances is lower",
  },
  groupBy: groupByRow,
  rasterizer: rasterizerRow,
  matchBy: {
    type: "text",
    choices: ["id", "box"],
    group: "advanced",
    whenAbsent: "id, or box for a results list",
    describe: "How a prediction finds its instance: by annotation id, or by image, category and overlap of the boxes",
  },
  minArea: {
    type: "number",
    min: 0,
    unit: "px",
    group: "advanced",
    default: 0,
    describe: "Leave parts of the truth below this area out of it; the Cityscapes protocol has 100",
  },
  context: {
    type: "number",
    min: 0,
    max: 1,
    group: "advanced",
    whenAbsent: "that of the run, else 0.15",
    describe: "Margin of the network's crop around the box, as a part of its long side; for the grid ceiling",
  },
  seed: seedRow,
  bootstrap: bootstrapRow,
  config: configRow,
  force: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Replace the report that is already in the output folder",
  },
  json: jsonRow,
  quiet: {
    type: "flag",
    group: "output",
    default: false,
    describe: "No progress and no closing words; errors are still printed",
  },
  color: colorRow,
} as const satisfies OptionTable<EvaluateFlags>;

/* `polyrnn evaluate`: options in, words and exit code out; the work is evaluate/evaluate.ts. */

export async function evaluateCommand(flags: EvaluateFlags, terminal: Terminal): Promise<ExitCode> {
  const options = toEvaluateOptions(flags);
  const out = flags.out ?? defaultReportFolder(flags.predictions);
  const inputs = [
    flags.predictions,
    flags.truth,
    ...options.compare.flatMap((comparison) => (comparison.kind === "file" ? [comparison.path] : [])),
  ];
  await prepareReportFolder(out, inputs, flags.force);
  const paint = paintFor(terminal.stderr, terminal.env, flags.color);
  const progress = showProgress(terminal.stderr, {
    quiet: flags.quiet,
    verbose: false,
    paint,
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
  const csv = await InstancesCsv.open(join(out, INSTANCES_FILE));
  let evaluation: Evaluation;
  let written: readonly string[];
  try {
    evaluation = await evaluateInto(csv, options, host);
    const { writeReportFiles, appendStepSummary } = await import("../../report/write-report.js");
    written = [...(await writeReportFiles(evaluation, out, note)), INSTANCES_FILE];
    const stepSummary = terminal.env["GITHUB_STEP_SUMMARY"];
    if (stepSummary !== undefined && stepSummary !== "") await appendStepSummary(stepSummary, evaluation);
  } finally {
    progress.end();
  }
  const summary = summarizeEvaluation(evaluation.report, { out, written }, flags.failUnder);
  if (!flags.quiet) {
    for (const line of evaluationMessages(evaluation.report, summary)) terminal.stderr.write(`${printable(line)}\n`);
  }
  if (flags.json) await writeLine(terminal.stdout, JSON.stringify(summary));
  return summary.failUnder?.passed === false ? EXIT.failures : EXIT.ok;
}

/** Rows go to the file as they come; on an error or a stop nothing of it stays. */
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

function toEvaluateOptions(flags: EvaluateFlags): EvaluateOptions {
  const { predictions, truth, images, rasterizer, matchBy, minArea, context, seed } = flags;
  return {
    predictions,
    truth,
    rasterizer,
    minArea,
    seed,
    ...(images !== undefined && { images }),
    compare: parseComparisons(flags.compare),
    groupBy: parseGroupBy(flags.groupBy),
    ...(matchBy !== undefined && { matchBy }),
    ...(context !== undefined && { context }),
    resamples: flags.bootstrap,
    generator: `polyrnn ${packageVersion()}`,
  };
}
