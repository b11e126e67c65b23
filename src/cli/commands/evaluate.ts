/** `polyrnn evaluate`: options in, words and exit code out; the work is evaluate/evaluate.ts. */
import { join } from "node:path";
import { EXIT, PolyrnnError, type ExitCode } from "../../errors.js";
import { summarizeEvaluation } from "../../evaluate/evaluation-summary.js";
import type { EvaluateHost, EvaluateOptions, Evaluation } from "../../evaluate/options.js";
import { parseComparisons, parseGroupBy } from "../../evaluate/parse-comparisons.js";
import { defaultReportFolder, prepareReportFolder } from "../../evaluate/report-folder.js";
import { INSTANCES_FILE, InstancesCsv } from "../../evaluate/write-instances-csv.js";
import { evaluationWords } from "../evaluation-words.js";
import type { EvaluateFlags } from "../options/evaluate-table.js";
import { packageVersion } from "../package-version.js";
import { showProgress } from "../progress.js";
import { paintFor, printable } from "../terminal-text.js";
import { writeLine, type Terminal } from "../terminal.js";

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
    const { writeReportFiles, appendStepSummary } = await import("../../evaluate/write-report-files.js");
    written = [...(await writeReportFiles(evaluation, out, note)), INSTANCES_FILE];
    const stepSummary = terminal.env["GITHUB_STEP_SUMMARY"];
    if (stepSummary !== undefined && stepSummary !== "") await appendStepSummary(stepSummary, evaluation);
  } finally {
    progress.end();
  }
  const summary = summarizeEvaluation(evaluation.report, { out, written }, flags.failUnder);
  if (!flags.quiet) {
    for (const line of evaluationWords(evaluation.report, summary)) terminal.stderr.write(`${printable(line)}\n`);
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
