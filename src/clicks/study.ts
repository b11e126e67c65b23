/**
 * A click simulation and the evaluation of the same instances, in one report: the tables of both, and in every example
 * the corrected polygon beside the automatic one.
 */
import { join } from "node:path";
import { EXIT, PolyrnnError } from "../errors.js";
import { evaluate } from "../evaluate/evaluate.js";
import { readableRings } from "../evaluate/examples.js";
import { SHAPE_BASELINES } from "../evaluate/methods/baselines.js";
import { NEEDS_HEADS } from "../evaluate/methods/learned-masks.js";
import { openPredictions } from "../evaluate/methods/prediction-file.js";
import type { EvaluateOptions } from "../evaluate/options.js";
import { findModelFolder, HEADS_MODEL } from "../model/folder.js";
import { ClicksCsv, InstancesCsv } from "../report/csv.js";
import { AUTOMATIC_FILE, CLICKS_FILE, INSTANCES_FILE } from "../report/folder.js";
import type { Evaluation, Example } from "../report/types.js";
import { writeReportFiles } from "../report/write-report.js";
import type { ClickStudy, SimulateHost, SimulateOptions } from "./options.js";
import { simulateClicks } from "./simulate-clicks.js";

export interface StudyRequest {
  readonly simulate: SimulateOptions;
  readonly evaluate: Pick<EvaluateOptions, "compare" | "minArea" | "published" | "generator">;
  /** Polygons of the same instances for the IoU; absent: those the simulation begins with, written to the folder. */
  readonly predictions?: string;
  /** Exists. */
  readonly out: string;
}

/** The caller's side of a study: messages, progress, stop. */
export type StudyHost = Omit<SimulateHost, "row">;

export interface StudyResult {
  readonly evaluation: Evaluation;
  readonly study: ClickStudy;
  /** Relative to the folder. */
  readonly written: readonly string[];
}

/** What only `simulate-clicks` asks for. */
type StudySettings = "match" | "rasterizer" | "groupBy" | "seed" | "resamples";

/**
 * The study of a run that has just ended: the paper's rule, the default of `simulate-clicks` for everything else.
 * @param run of the run; `thresholds` are the user's
 */
export function studyOfRun(
  run: Omit<SimulateOptions, StudySettings>,
  report: Pick<StudyRequest, "out" | "predictions"> & { readonly generator: string; readonly published: boolean },
): StudyRequest {
  const { generator, published, ...places } = report;
  return {
    ...places,
    simulate: { ...run, match: "closest", rasterizer: "coco", groupBy: { kind: "none" }, seed: 1, resamples: 1000 },
    evaluate: { compare: SHAPE_BASELINES.map((name) => ({ kind: "shape", name })), minArea: 0, published, generator },
  };
}

/**
 * @throws PolyrnnError: whatever simulation, evaluation or writing throws; E_STOPPED when the user stopped it, and no
 *   report is written then
 */
export async function studyClicks(request: StudyRequest, host: StudyHost): Promise<StudyResult> {
  await checkComparisons(request.evaluate);
  const study = await simulateInto(request, host);
  const evaluation = addClicks(await evaluateInto(request, study, host), study);
  const files = await writeReportFiles(evaluation, request.out, (line) => {
    host.note(line);
  });
  const written = [
    ...files,
    CLICKS_FILE,
    INSTANCES_FILE,
    ...(request.predictions === undefined ? [AUTOMATIC_FILE] : []),
  ];
  return { evaluation, study, written };
}

/** A result file or a model that is not there is found before the simulation, not after it. */
async function checkComparisons({ compare }: StudyRequest["evaluate"]): Promise<void> {
  const needsHeads = compare.some((each) => each.kind === "learned" && NEEDS_HEADS.includes(each.name));
  if (needsHeads) await findModelFolder(HEADS_MODEL);
  for (const comparison of compare)
    if (comparison.kind === "file") await (await openPredictions(comparison.path)).close();
}

/** Rows go to the file as they come; on an error or a stop the file is removed. */
async function simulateInto({ simulate, predictions, out }: StudyRequest, host: StudyHost): Promise<ClickStudy> {
  const csv = await ClicksCsv.open(join(out, CLICKS_FILE));
  try {
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
  host: StudyHost,
): Promise<Evaluation> {
  const { truth, images, rasterizer, groupBy, seed, resamples } = simulate;
  const csv = await InstancesCsv.open(join(out, INSTANCES_FILE));
  try {
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

function addClicks(evaluation: Evaluation, study: ClickStudy): Evaluation {
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
