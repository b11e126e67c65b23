/** `annotate --simulate-clicks`: evaluation and click simulation of the run that just ended, into its own folder. */
import { join } from "node:path";
import { usageError } from "../errors.js";
import type { SimulateOptions } from "../evaluate/simulate-options.js";
import { parseThresholds } from "../evaluate/parse-thresholds.js";
import { SHAPE_BASELINES } from "../evaluate/baselines.js";
import { type ClickSummary, summarizeClicks } from "../evaluate/click-summary.js";
import { clickStudyWords } from "./click-study-words.js";
import { studyClicks } from "./click-study.js";
import type { AnnotateFlags } from "./options/annotate-table.js";
import { packageVersion } from "./package-version.js";
import type { ProgressOptions } from "./progress.js";
import type { Terminal } from "./terminal.js";

const SEED = 1;
const BOOTSTRAP_DRAWS = 1000;

/**
 * Before the run: what would fail after it fails now.
 * @returns the thresholds; undefined when no simulation is asked for
 * @throws E_USAGE and, where the boxes have no ground truth, E_DATA
 */
export async function checkStudy(flags: AnnotateFlags): Promise<readonly number[] | undefined> {
  if (flags.simulateClicks === undefined) return undefined;
  const thresholds = parseThresholds(flags.simulateClicks, "--simulate-clicks");
  if (flags.out === "-")
    throw usageError(
      "--simulate-clicks needs an output folder for its report: --out - has none",
      "Name a folder with --out.",
    );
  if (flags.existing === "keep") {
    throw usageError(
      "--simulate-clicks and --existing keep exclude each other: kept polygons are the ground truth, and what is drawn has none",
      "Leave one of them.",
    );
  }
  if (flags.shard !== undefined) {
    throw usageError(
      "--simulate-clicks and --shard exclude each other: one part says nothing about the whole",
      "Simulate on the joined run: polyrnn merge, then polyrnn simulate-clicks --run DIR.",
    );
  }
  const { checkTruth } = await import("../evaluate/click-subjects.js");
  await checkTruth(flags.boxes, flags);
  return thresholds;
}

/** @returns the summary and the closing words @throws as `studyClicks`; the run's own files are whole by then and stay */
export async function studyRun(
  flags: AnnotateFlags,
  thresholds: readonly number[],
  terminal: Terminal,
  signal: AbortSignal,
  progress: ProgressOptions,
): Promise<{ summary: ClickSummary; words: string[] }> {
  const { out, images, boxes: truth } = flags;
  const result = await studyClicks(
    {
      simulate: toSimulateOptions(flags, thresholds),
      evaluate: {
        compare: SHAPE_BASELINES.map((name) => ({ kind: "shape", name })),
        minArea: 0,
        generator: `polyrnn ${packageVersion()}`,
      },
      ...(flags.format.includes("coco") && { predictions: join(out, "annotations.json") }),
      out,
    },
    terminal,
    signal,
    progress,
  );
  const { study, written } = result;
  const summary = summarizeClicks(study.report, { source: "run", truth, images }, { out, written }, undefined);
  return { summary, words: clickStudyWords(summary, study.report) };
}

function toSimulateOptions(flags: AnnotateFlags, thresholds: readonly number[]): SimulateOptions {
  const { images, boxes, model, device, batchSize, threads, context, maxSteps, candidates, categories, limit } = flags;
  return {
    images,
    truth: boxes,
    model,
    device,
    maxSteps,
    candidates,
    thresholds,
    categories,
    match: "closest",
    rasterizer: "coco",
    groupBy: { kind: "none" },
    seed: SEED,
    resamples: BOOTSTRAP_DRAWS,
    ...(batchSize !== undefined && { batchSize }),
    ...(threads !== undefined && { threads }),
    ...(context !== undefined && { context }),
    ...(limit !== undefined && { limit }),
  };
}
