/** `annotate --simulate-clicks`: evaluation and click simulation of the run that just ended, into its own folder. */
import { join } from "node:path";
import type { AnnotateFlags } from "../cli/commands/annotate.js";
import type { ProgressOptions } from "../cli/progress.js";
import { clickStudyMessages } from "../cli/run-summary.js";
import type { Terminal } from "../cli/terminal.js";
import { usageError } from "../errors.js";
import { SHAPE_BASELINES } from "../evaluate/methods/baselines.js";
import { packageVersion } from "../version.js";
import type { SimulateOptions } from "./options.js";
import { parseThresholds } from "./options.js";
import { studyClicks } from "./study.js";
import type { ClickSummary } from "./tally.js";
import { summarizeClicks } from "./tally.js";

const SEED = 1;
const RESAMPLES = 1000;

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
  const { checkTruth } = await import("./subjects.js");
  await checkTruth(flags.boxes, flags);
  return thresholds;
}

/**
 * @returns the summary and the closing words @throws as `studyClicks`; the run's own files are whole by then and stay
 */
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
  return { summary, words: clickStudyMessages(summary, study.report) };
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
    resamples: RESAMPLES,
    ...(batchSize !== undefined && { batchSize }),
    ...(threads !== undefined && { threads }),
    ...(context !== undefined && { context }),
    ...(limit !== undefined && { limit }),
  };
}
