/** `polyrnn simulate-clicks`: counts an annotator's corrections; the work is clicks/study.ts. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BoxUnit } from "../../dataset/relative-boxes.js";
import type { SimulateOptions } from "../../clicks/options.js";
import { parseThresholds } from "../../clicks/options.js";
import type { ClickSource } from "../../clicks/tally.js";
import type { DeviceChoice } from "../../engine/devices.js";
import type { PrecisionChoice } from "../../engine/precision.js";
import { EXIT, invalidData, usageError } from "../../errors.js";
import type { Rasterizer } from "../../geometry/iou.js";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../../predict/options.js";
import type { ClickChoice, ClickMatch, ClickMetric } from "../../report/types.js";
import type { MeasuredReview } from "../../review/measured.js";
import type { LastRun } from "../../runs/run-file.js";
import { packageVersion } from "../../version.js";
import { defineCommand } from "../command.js";
import type { OptionTable } from "../option-table.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import {
  batchSizeRow,
  bootstrapRow,
  boxesAreRow,
  candidatesRow,
  SURE_WHEN_ABSENT,
  sureRow,
  colorRow,
  compareRow,
  configRow,
  contextRow,
  deviceRow,
  forceReportRow,
  groupByRow,
  jsonRow,
  maxStepsRow,
  modelRow,
  precisionRow,
  publishedRow,
  quietRow,
  rasterizerRow,
  seedRow,
  threadsRow,
  truthRow,
} from "../shared-rows.js";
import { paintFor, printable, writeJsonLine } from "../terminal.js";

interface SimulateClicksFlags extends JsonOption, ConfigOption {
  readonly images?: string;
  readonly truth?: string;
  readonly threshold: readonly string[];
  readonly match: ClickMatch;
  readonly choice?: ClickChoice;
  readonly metric?: ClickMetric;
  readonly maxClicks?: number;
  readonly run: string;
  readonly reviewed?: string;
  readonly out?: string;
  readonly model?: string;
  readonly device: DeviceChoice;
  readonly precision: PrecisionChoice;
  readonly failOverClicks?: number;
  readonly compare: readonly string[];
  readonly groupBy: string;
  readonly categories: readonly string[];
  readonly limit?: number;
  readonly batchSize?: number;
  readonly threads?: number;
  readonly context?: number;
  readonly boxesAre?: BoxUnit;
  readonly maxSteps?: number;
  readonly candidates?: number;
  readonly sure?: number;
  readonly rasterizer: Rasterizer;
  readonly published: boolean;
  readonly seed: number;
  readonly bootstrap: number;
  readonly force: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: ColorChoice;
}

const simulateClicksTable = {
  images: {
    type: "text",
    position: 0,
    placeholder: "IMAGES",
    group: "common",
    whenAbsent: "those of the last run, or the bundled sample without one",
    describe: "Images: a folder (searched at any depth), a zip file, a text file of paths, or one image",
  },
  truth: { ...truthRow, whenAbsent: "the boxes of the last run" },
  threshold: {
    type: "list",
    placeholder: "T,T,...",
    group: "common",
    default: ["1", "2", "3", "4"],
    describe: "Tolerances to simulate, in grid cells; with --match area, in cells of area",
  },
  match: {
    type: "text",
    choices: ["closest", "ring", "area", "worst"],
    group: "common",
    default: "closest",
    describe: "Judge vertices by closest true one, ring or area, or correct the worst place first",
  },
  choice: {
    type: "text",
    choices: ["true", "never", "always"],
    group: "common",
    whenAbsent: "true with --match worst",
    describe: "With --match worst: take the network's way where it is truly better, never, or always",
  },
  metric: {
    type: "text",
    choices: ["chessboard", "manhattan"],
    group: "common",
    whenAbsent: "manhattan with --match ring, else chessboard",
    describe: "How distances between grid cells are measured",
  },
  maxClicks: {
    type: "number",
    integer: true,
    min: 0,
    group: "common",
    unit: "clicks per instance",
    whenAbsent: "no limit",
    describe: "Accept everything after this many clicks",
  },
  run: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    default: "polyrnn-out",
    describe: "Folder of the run to use when no images are named",
  },
  reviewed: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "none",
    describe: "Reviewed run whose clicks stand beside the simulated ones, on the same instances",
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
  precision: precisionRow,
  failOverClicks: {
    type: "number",
    min: 0,
    unit: "clicks",
    group: "common",
    whenAbsent: "no limit",
    describe: "Exit with code 1 when the smallest threshold takes more clicks per instance on average",
  },
  compare: { ...compareRow, group: "advanced" },
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
  batchSize: batchSizeRow,
  threads: { ...threadsRow, whenAbsent: "all" },
  boxesAre: { ...boxesAreRow, whenAbsent: "the run's, else pixels" },
  context: { ...contextRow, whenAbsent: "the run's, else the model card's" },
  maxSteps: { ...maxStepsRow, whenAbsent: `the run's, else ${MAX_STEPS}` },
  candidates: { ...candidatesRow, whenAbsent: `the run's, else ${DEFAULT_CANDIDATES}` },
  sure: { ...sureRow, whenAbsent: `the run's, else ${SURE_WHEN_ABSENT}` },
  rasterizer: rasterizerRow,
  published: publishedRow,
  seed: seedRow,
  bootstrap: bootstrapRow,
  config: configRow,
  force: forceReportRow,
  json: jsonRow,
  quiet: { ...quietRow, describe: "Print only failures and errors" },
  verbose: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Print every failure instead of the first five of each reason",
  },
  color: colorRow,
} as const satisfies OptionTable<SimulateClicksFlags>;

const DEFAULT_MODEL = "mobile";
/** Folder of the report where the user names none. */
const REPORT_FOLDER = "polyrnn-clicks";

export const simulateClicksCommand = defineCommand<SimulateClicksFlags>({
  path: ["simulate-clicks"],
  summary: "count the corrections an annotator would make, and what they bring",
  examples: [
    {
      why: "on the last run in polyrnn-out/, or on the bundled sample",
      line: "polyrnn simulate-clicks --threshold 2",
    },
    {
      why: "on a data set, four annotators from strict to lenient",
      line: "polyrnn simulate-clicks ./images --truth gt.json --threshold 1,2,3,4 --out study",
    },
    {
      why: "in a CI job: fail above 10 clicks per instance",
      line: "polyrnn simulate-clicks ./images --truth gt.json --threshold 2 --fail-over-clicks 10 --json",
    },
  ],
  table: simulateClicksTable,
  async run(flags, terminal) {
    const { quiet, verbose } = flags;
    if (quiet && verbose) throw usageError("--quiet and --verbose exclude each other", "Leave one of them.");
    if (flags.choice !== undefined && flags.match !== "worst")
      throw usageError(
        `--choice ${flags.choice}: expected --match worst with it, received --match ${flags.match}`,
        "Only that annotator is shown the network's way: add --match worst, or leave --choice out.",
      );
    const { locateComparisons, parseComparisons } = await import("../../evaluate/methods/open-methods.js");
    const { prepareReportFolder } = await import("../../report/folder.js");
    const thresholds = parseThresholds(flags.threshold, "--threshold");
    const compare = await locateComparisons(parseComparisons(flags.compare));
    const inputs = await inputsOf(flags);
    const say = (line: string): void => {
      if (!quiet) terminal.stderr.write(`${printable(line)}\n`);
    };
    say(`polyrnn ${packageVersion()}: ${inputs.message}`);
    const out = flags.out ?? inputs.defaultOut;
    const compared = compare.flatMap((comparison) => (comparison.kind === "file" ? [comparison.path] : []));
    const simulate = await toSimulateOptions(flags, inputs, thresholds);
    const paint = paintFor(terminal.stderr, terminal.env, flags.color);
    const { runStudy } = await import("../click-study.js");
    const { summary, messages, failed } = await withReview(flags.reviewed, say, async (review) => {
      const { lockFolder } = await import("../../runs/lock.js");
      const folder = await prepareReportFolder(out, [inputs.truth, ...compared], {
        force: flags.force,
        lock: lockFolder(say),
      });
      const asked = {
        source: inputs.source,
        simulate: review === undefined ? simulate : { ...simulate, review },
        evaluate: { compare, minArea: 0, published: flags.published, generator: `polyrnn ${packageVersion()}` },
        out,
        ...(flags.failOverClicks !== undefined && { failOverClicks: flags.failOverClicks }),
      };
      return runStudy(asked, terminal, terminal.stopSignal(), {
        quiet,
        verbose,
        paint,
        now: () => terminal.now(),
      })
        .catch(async (error: unknown) => {
          await folder.takeBack();
          throw error;
        })
        .finally(() => folder.release());
    });
    for (const line of messages) say(line);
    if (flags.json) await writeJsonLine(terminal.stdout, summary);
    return failed > 0 || summary.failOverClicks?.passed === false ? EXIT.failures : EXIT.ok;
  },
});

/** @throws E_MISSING and E_DATA where there is no review to compare with; whatever the task throws */
async function withReview<T>(
  folder: string | undefined,
  say: (line: string) => void,
  task: (review: MeasuredReview | undefined) => Promise<T>,
): Promise<T> {
  if (folder === undefined) return task(undefined);
  const { openMeasuredReview } = await import("../../review/measured.js");
  const review = await openMeasuredReview(folder, say);
  try {
    if (review.count > 0) return await task(review);
    throw invalidData(
      `${folder}: expected a run with accepted or edited instances, received none`,
      "Review it first: polyrnn review.",
    );
  } finally {
    await review.close();
  }
}

/** What is simulated on. */
interface StudyInputs {
  readonly source: ClickSource;
  readonly images: string;
  readonly truth: string;
  readonly run?: LastRun;
  readonly defaultOut: string;
  /** For people. */
  readonly message: string;
}

/** The named data set, else the last run, else the sample that comes with the program. */
async function inputsOf({ images, truth, run: folder }: SimulateClicksFlags): Promise<StudyInputs> {
  if (images !== undefined) {
    if (truth === undefined)
      throw usageError(
        `simulate-clicks ${images}: expected the ground truth of these images, received none`,
        "Name it with --truth FILE.",
      );
    return { source: "given", images, truth, defaultOut: REPORT_FOLDER, message: `simulating clicks on ${truth}` };
  }
  const { readLastRun } = await import("../../runs/run-file.js");
  const run = await readLastRun(folder);
  if (run !== undefined) {
    const boxes = truth ?? run.boxes;
    return {
      source: "run",
      images: run.images,
      truth: boxes,
      run,
      defaultOut: join(folder, REPORT_FOLDER),
      message: `simulating clicks on the run in ${folder} (${boxes})`,
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
    message: `there is no run in ${folder} and no images were named: simulating clicks on the bundled sample`,
  };
}

/** What the flags leave open is as it was in the run; a model of the user's own brings its own context. */
async function toSimulateOptions(
  flags: SimulateClicksFlags,
  { images, truth, run }: StudyInputs,
  thresholds: readonly number[],
): Promise<SimulateOptions> {
  const { parseGroupBy } = await import("../../evaluate/groups.js");
  const { device, precision, match, choice, metric, maxClicks, batchSize, threads, rasterizer, seed } = flags;
  const context = flags.context ?? (flags.model === undefined ? run?.context : undefined);
  const limit = flags.limit ?? run?.limit;
  const boxesAre = flags.boxesAre ?? (run !== undefined && truth === run.boxes ? run.boxesAre : undefined);
  const sure = flags.sure ?? run?.sure;
  return {
    images,
    truth,
    thresholds,
    match,
    device,
    precision,
    rasterizer,
    seed,
    model: flags.model ?? run?.modelFolder ?? DEFAULT_MODEL,
    maxSteps: flags.maxSteps ?? run?.maxSteps ?? MAX_STEPS,
    candidates: flags.candidates ?? run?.candidates ?? DEFAULT_CANDIDATES,
    categories: flags.categories.length > 0 ? flags.categories : (run?.categories ?? []),
    groupBy: parseGroupBy(flags.groupBy),
    resamples: flags.bootstrap,
    ...(choice !== undefined && { choice }),
    ...(metric !== undefined && { metric }),
    ...(maxClicks !== undefined && { maxClicks }),
    ...(batchSize !== undefined && { batchSize }),
    ...(threads !== undefined && { threads }),
    ...(context !== undefined && { context }),
    ...(limit !== undefined && { limit }),
    ...(boxesAre !== undefined && { boxesAre }),
    ...(sure !== undefined && { sure }),
  };
}
