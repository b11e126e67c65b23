/** The options of `polyrnn simulate-clicks`. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SimulateOptions } from "../../clicks/options.js";
import { parseThresholds } from "../../clicks/options.js";
import { studyClicks } from "../../clicks/study.js";
import type { ClickSource } from "../../clicks/tally.js";
import { summarizeClicks } from "../../clicks/tally.js";
import type { DeviceChoice } from "../../engine/devices.js";
import type { ExitCode } from "../../errors.js";
import { EXIT, usageError } from "../../errors.js";
import { parseComparisons, parseGroupBy } from "../../evaluate/methods/open-methods.js";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../../predict/options.js";
import { prepareReportFolder } from "../../report/folder.js";
import type { ClickMatch, ClickMetric, Rasterizer } from "../../report/types.js";
import type { LastRun } from "../../runs/last-run.js";
import { readLastRun } from "../../runs/last-run.js";
import { packageVersion } from "../../version.js";
import type { OptionTable } from "../option-table.js";
import { clickStudyMessages } from "../run-summary.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import {
  bootstrapRow,
  candidatesRow,
  colorRow,
  configRow,
  contextRow,
  deviceRow,
  groupByRow,
  jsonRow,
  maxStepsRow,
  modelRow,
  rasterizerRow,
  seedRow,
  threadsRow,
} from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { paintFor, printable, writeLine } from "../terminal.js";

export interface SimulateClicksFlags extends JsonOption, ConfigOption {
  readonly images?: string;
  readonly truth?: string;
  readonly threshold: readonly string[];
  readonly match: ClickMatch;
  readonly metric?: ClickMetric;
  readonly maxClicks?: number;
  readonly run: string;
  readonly out?: string;
  readonly model?: string;
  readonly device: DeviceChoice;
  readonly failOverClicks?: number;
  readonly compare: readonly string[];
  readonly groupBy: string;
  readonly categories: readonly string[];
  readonly limit?: number;
  readonly batchSize?: number;
  readonly threads?: number;
  readonly context?: number;
  readonly maxSteps?: number;
  readonly candidates?: number;
  readonly rasterizer: Rasterizer;
  readonly seed: number;
  readonly bootstrap: number;
  readonly force: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: ColorChoice;
}

export const simulateClicksTable = {
  images: {
    type: "text",
    position: 0,
    placeholder: "IMAGES",
    group: "common",
    whenAbsent: "those of the last run, or the bundled sample without one",
    describe: "Folder that is searched for images, at any depth",
  },
  truth: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    whenAbsent: "the boxes of the last run",
    describe: "Boxes with ground truth polygons or masks: COCO file or Cityscapes folder",
  },
  threshold: {
    type: "list",
    placeholder: "T,T,...",
    group: "common",
    default: ["1", "2", "3", "4"],
    describe:
      "What the annotator tolerates, in grid cells; with --match area in cells of area; all are simulated at once",
  },
  match: {
    type: "text",
    choices: ["closest", "ring", "area"],
    group: "common",
    default: "closest",
    describe:
      "When a vertex is corrected: too far from the closest ground truth vertex (the paper), from the one at the same place in the ring (the authors' training code), or too much area between the outlines",
  },
  metric: {
    type: "text",
    choices: ["chessboard", "manhattan"],
    group: "common",
    whenAbsent: "chessboard, with --match ring manhattan",
    describe: "How distances between grid cells are measured",
  },
  maxClicks: {
    type: "number",
    integer: true,
    min: 0,
    group: "common",
    unit: "clicks per instance",
    whenAbsent: "no limit",
    describe: "After these everything is accepted",
  },
  run: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    default: "polyrnn-out",
    describe: "Output folder of the run that is used when no images are named",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "polyrnn-clicks, in the run's folder where a run is used",
    describe: "Output folder",
  },
  model: { ...modelRow, whenAbsent: "the run's, else mobile" },
  device: deviceRow,
  failOverClicks: {
    type: "number",
    min: 0,
    unit: "clicks",
    group: "common",
    whenAbsent: "no limit",
    describe: "Exit code 1 when the mean clicks per instance at the smallest threshold are more",
  },
  compare: {
    type: "list",
    placeholder: "NAME|NAME=FILE",
    group: "advanced",
    default: ["box", "square", "ellipse"],
    describe:
      "Methods beside the automatic polygons in the report: box, square, ellipse, grabcut, result files as name=other.json, or none",
  },
  groupBy: groupByRow,
  categories: {
    type: "list",
    placeholder: "NAME|ID",
    group: "advanced",
    default: [],
    describe: "Simulate only these categories, separated by commas",
  },
  limit: {
    type: "number",
    integer: true,
    min: 1,
    unit: "instances",
    group: "advanced",
    whenAbsent: "the run's, else all",
    describe: "Simulate at most this many instances, in input order",
  },
  batchSize: {
    type: "number",
    integer: true,
    min: 1,
    max: 256,
    unit: "crops",
    group: "advanced",
    whenAbsent: "chosen from the device",
    describe: "Crops per call of the encoder; does not change the polygons",
  },
  threads: { ...threadsRow, whenAbsent: "all" },
  context: { ...contextRow, whenAbsent: "the run's, else the model card's" },
  maxSteps: { ...maxStepsRow, whenAbsent: `the run's, else ${MAX_STEPS}` },
  candidates: {
    ...candidatesRow,
    whenAbsent: `the run's, else ${DEFAULT_CANDIDATES}`,
    describe:
      "Where a polygon fits the network's own mask and its box badly, start from the best of up to so many, drawn here and in the mirror",
  },
  rasterizer: rasterizerRow,
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
    describe: "No progress and no closing words; failures and errors are still printed",
  },
  verbose: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Print every failure instead of the first five",
  },
  color: colorRow,
} as const satisfies OptionTable<SimulateClicksFlags>;

/* `polyrnn simulate-clicks`: options in, words and exit code out; the work is clicks/simulate-clicks.ts. */

const DEFAULT_MODEL = "mobile";
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
  for (const line of clickStudyMessages(summary, study.report)) say(line);
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
    maxSteps: flags.maxSteps ?? run?.maxSteps ?? MAX_STEPS,
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
