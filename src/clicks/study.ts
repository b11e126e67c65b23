/**
 * A click simulation and the evaluation of the same instances, in one report: for `simulate-clicks`, and for `annotate
 * --simulate-clicks`.
 */
import { join } from "node:path";
import type { ProgressOptions } from "../cli/progress.js";
import { showProgress } from "../cli/progress.js";
import type { Terminal } from "../cli/terminal.js";
import { EXIT, PolyrnnError } from "../errors.js";
import { readableRings } from "../evaluate/examples.js";
import type { EvaluateOptions } from "../evaluate/options.js";
import { ClicksCsv, InstancesCsv } from "../report/csv.js";
import { AUTOMATIC_FILE, CLICKS_FILE, INSTANCES_FILE } from "../report/folder.js";
import type { Evaluation, Example } from "../report/types.js";
import type { ClickStudy, SimulateHost, SimulateOptions } from "./options.js";

export interface StudyRequest {
  readonly simulate: SimulateOptions;
  readonly evaluate: Pick<EvaluateOptions, "compare" | "minArea" | "generator">;
  /** Polygons of the same instances for the IoU; absent: those the simulation begins with, written to the folder. */
  readonly predictions?: string;
  /** Exists. */
  readonly out: string;
}

export interface StudyResult {
  readonly evaluation: Evaluation;
  readonly study: ClickStudy;
  /** Relative to the folder. */
  readonly written: readonly string[];
}

/**
 * @throws PolyrnnError: whatever simulation, evaluation or writing throws; E_STOPPED when the user stopped it, and no
 *   report is written then
 */
export async function studyClicks(
  request: StudyRequest,
  terminal: Terminal,
  signal: AbortSignal,
  progressOptions: ProgressOptions,
): Promise<StudyResult> {
  const progress = showProgress(terminal.stderr, progressOptions);
  const note = (line: string): void => {
    progress.note(line);
  };
  try {
    const host = { signal, note, progress: progress.progress, failure: progress.failure };
    await checkComparisons(request.evaluate);
    const study = await simulateInto(request, host);
    const evaluation = addClicks(await evaluateInto(request, study, host), study);
    const { writeReportFiles, appendStepSummary } = await import("../report/write-report.js");
    const files = await writeReportFiles(evaluation, request.out, note);
    const stepSummary = terminal.env["GITHUB_STEP_SUMMARY"];
    if (stepSummary !== undefined && stepSummary !== "") await appendStepSummary(stepSummary, evaluation);
    const written = [
      ...files,
      CLICKS_FILE,
      INSTANCES_FILE,
      ...(request.predictions === undefined ? [AUTOMATIC_FILE] : []),
    ];
    return { evaluation, study, written };
  } finally {
    progress.end();
  }
}

/** A result file that cannot be read is found before the simulation, not after it. */
async function checkComparisons({ compare }: StudyRequest["evaluate"]): Promise<void> {
  const { openPredictions } = await import("../evaluate/methods/prediction-file.js");
  for (const comparison of compare)
    if (comparison.kind === "file") await (await openPredictions(comparison.path)).close();
}

/** Rows go to the file as they come; on an error or a stop nothing of it stays. */
async function simulateInto(
  { simulate, predictions, out }: StudyRequest,
  host: Omit<SimulateHost, "row">,
): Promise<ClickStudy> {
  const csv = await ClicksCsv.open(join(out, CLICKS_FILE));
  try {
    const { simulateClicks } = await import("./simulate-clicks.js");
    const options = predictions === undefined ? { ...simulate, automaticFile: join(out, AUTOMATIC_FILE) } : simulate;
    const study = await simulateClicks(options, { ...host, row: (row) => csv.row(row) });
    if (study.stopped) throw stopped();
    await csv.commit();
    return study;
  } catch (error) {
    await csv.abort();
    throw error;
  }
}

async function evaluateInto(
  { simulate, evaluate: settings, predictions, out }: StudyRequest,
  study: ClickStudy,
  host: Omit<SimulateHost, "row">,
): Promise<Evaluation> {
  const { truth, images, rasterizer, groupBy, seed, resamples } = simulate;
  const csv = await InstancesCsv.open(join(out, INSTANCES_FILE));
  try {
    const { evaluate } = await import("../evaluate/evaluate.js");
    const options: EvaluateOptions = {
      ...settings,
      predictions: predictions ?? join(out, AUTOMATIC_FILE),
      truth,
      images,
      rasterizer,
      groupBy,
      seed,
      resamples,
      matchBy: "id",
      context: study.context,
      only: (ordinal) => study.isAsked(ordinal),
    };
    const evaluation = await evaluate(options, {
      signal: host.signal,
      note: (line) => {
        host.note(line);
      },
      progress: (seen, total) => {
        host.progress({ finished: seen, total, failed: 0, finishedNow: seen });
      },
      methods: (names) => csv.methods(names),
      row: (row) => csv.row(row),
    });
    await csv.commit();
    return evaluation;
  } catch (error) {
    await csv.abort();
    throw host.signal.aborted ? stopped() : error;
  }
}

function stopped(): PolyrnnError {
  return new PolyrnnError(
    "stopped before the last instance; no report was written",
    "E_STOPPED",
    EXIT.stopped,
    "Run the command again.",
  );
}

/* Puts a click study into the report of the same instances: the tables, and the corrected polygon in every example. */

export function addClicks(evaluation: Evaluation, study: ClickStudy): Evaluation {
  const withCorrection = (example: Example): Example => {
    const corrected = study.corrected(example.annotationId);
    if (corrected === undefined) return example;
    const [ring] = readableRings([corrected.ring]);
    return {
      ...example,
      correctedIou: corrected.iou,
      correctedThreshold: corrected.threshold,
      clicks: corrected.clicks,
      ...(ring !== undefined && { corrected: ring }),
    };
  };
  const { worst, median, best } = evaluation.report.examples;
  const examples = {
    worst: worst.map(withCorrection),
    median: median.map(withCorrection),
    best: best.map(withCorrection),
  };
  const { model, engine, device } = study.report;
  const inputs = {
    ...(model !== undefined && { model }),
    ...(engine !== undefined && { engine }),
    ...(device !== undefined && { device }),
    ...evaluation.report.inputs,
  };
  return { ...evaluation, report: { ...evaluation.report, inputs, examples, clicks: study.report } };
}
