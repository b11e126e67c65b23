/** `polyrnn simulate-clicks`: options in, words and exit code out; the work is evaluate/simulate-clicks.ts. */
import { DEFAULT_CANDIDATES } from "../../predict/decode-best.js";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EXIT, usageError, type ExitCode } from "../../errors.js";
import { summarizeClicks, type ClickSource } from "../../evaluate/click-summary.js";
import { readLastRun, type LastRun } from "../../evaluate/last-run.js";
import { parseComparisons, parseGroupBy } from "../../evaluate/parse-comparisons.js";
import { parseThresholds } from "../../evaluate/parse-thresholds.js";
import { prepareReportFolder } from "../../evaluate/report-folder.js";
import type { SimulateOptions } from "../../evaluate/simulate-options.js";
import { clickStudyWords } from "../click-study-words.js";
import { studyClicks } from "../click-study.js";
import type { SimulateClicksFlags } from "../options/simulate-clicks-table.js";
import { packageVersion } from "../package-version.js";
import { paintFor, printable } from "../terminal-text.js";
import { writeLine, type Terminal } from "../terminal.js";

const DEFAULT_MODEL = "mobile";
const DEFAULT_MAX_STEPS = 71;
/** Folder of the report where the user names none. */
const REPORT_FOLDER = "polyrnn-clicks";

export async function simulateClicksCommand(flags: SimulateClicksFlags, terminal: Terminal): Promise<ExitCode> {
  if (flags.quiet && flags.verbose) throw usageError("--quiet and --verbose exclude each other", "Leave one of them.");
  const thresholds = parseThresholds(flags.threshold, "--threshold");
  const compare = parseComparisons(flags.compare);
  const inputs = await inputsOf(flags);
  const say = (line: string): void => {
    if (!flags.quiet) terminal.stderr.write(`${printable(line)}\n`);
  };
  say(`polyrnn ${packageVersion()}: ${inputs.words}`);
  const out = flags.out ?? inputs.defaultOut;
  await prepareReportFolder(
    out,
    [inputs.truth, ...compare.flatMap((comparison) => (comparison.kind === "file" ? [comparison.path] : []))],
    flags.force,
  );

  const request = {
    simulate: toSimulateOptions(flags, inputs, thresholds),
    evaluate: { compare, minArea: 0, generator: `polyrnn ${packageVersion()}` },
    out,
  };
  const paint = paintFor(terminal.stderr, terminal.env, flags.color);
  const { study, written } = await studyClicks(request, terminal, terminal.stopSignal(), {
    quiet: flags.quiet,
    verbose: flags.verbose,
    paint,
    now: () => terminal.now(),
  });
  const summary = summarizeClicks(study.report, inputs, { out, written }, flags.failOverClicks);
  for (const line of clickStudyWords(summary, study.report)) say(line);
  if (flags.json) await writeLine(terminal.stdout, JSON.stringify(summary));
  return study.failed > 0 || summary.failOverClicks?.passed === false ? EXIT.failures : EXIT.ok;
}

/** What is simulated on. */
interface StudyInputs {
  readonly source: ClickSource;
  readonly images: string;
  readonly truth: string;
  readonly run?: LastRun;
  readonly defaultOut: string;
  /** For people. */
  readonly words: string;
}

/** The named data set, else the last run, else the sample that comes with the program. */
async function inputsOf({ images, truth, run: folder }: SimulateClicksFlags): Promise<StudyInputs> {
  if (images !== undefined) {
    if (truth === undefined)
      throw usageError(
        `simulate-clicks ${images}: expected the ground truth of these images, received none`,
        "Name it with --truth FILE.",
      );
    return { source: "given", images, truth, defaultOut: REPORT_FOLDER, words: `simulating clicks on ${truth}` };
  }
  const run = await readLastRun(folder);
  if (run !== undefined) {
    const boxes = truth ?? run.boxes;
    return {
      source: "run",
      images: run.images,
      truth: boxes,
      run,
      defaultOut: join(folder, REPORT_FOLDER),
      words: `simulating clicks on the run in ${folder} (${boxes})`,
    };
  }
  if (truth !== undefined) {
    throw usageError(
      `--truth ${truth}: expected a folder of images with it, received none, and there is no run in ${folder}`,
      "Name the image folder: polyrnn simulate-clicks IMAGES --truth FILE.",
    );
  }
  const sample = fileURLToPath(new URL("../../../fixtures/", import.meta.url));
  return {
    source: "sample",
    images: join(sample, "images"),
    truth: join(sample, "boxes.json"),
    defaultOut: REPORT_FOLDER,
    words: `there is no run in ${folder} and no images were named: simulating clicks on the bundled sample`,
  };
}

/** What the flags leave open is as it was in the run; a model of the user's own brings its own context. */
function toSimulateOptions(
  flags: SimulateClicksFlags,
  { images, truth, run }: StudyInputs,
  thresholds: readonly number[],
): SimulateOptions {
  const { device, match, metric, maxClicks, batchSize, threads, rasterizer, seed } = flags;
  const context = flags.context ?? (flags.model === undefined ? run?.context : undefined);
  const limit = flags.limit ?? run?.limit;
  return {
    images,
    truth,
    thresholds,
    match,
    device,
    rasterizer,
    seed,
    model: flags.model ?? run?.modelFolder ?? DEFAULT_MODEL,
    maxSteps: flags.maxSteps ?? run?.maxSteps ?? DEFAULT_MAX_STEPS,
    candidates: flags.candidates ?? run?.candidates ?? DEFAULT_CANDIDATES,
    categories: flags.categories.length > 0 ? flags.categories : (run?.categories ?? []),
    groupBy: parseGroupBy(flags.groupBy),
    resamples: flags.bootstrap,
    ...(metric !== undefined && { metric }),
    ...(maxClicks !== undefined && { maxClicks }),
    ...(batchSize !== undefined && { batchSize }),
    ...(threads !== undefined && { threads }),
    ...(context !== undefined && { context }),
    ...(limit !== undefined && { limit }),
  };
}
