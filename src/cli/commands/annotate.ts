/** The options of `polyrnn annotate`. */
import type { AnnotateHost, AnnotateOptions } from "../../annotate/options.js";
import type { OpenPredictor } from "../../annotate/predictor.js";
import { parseShard } from "../../annotate/shard.js";
import { checkStudy, studyRun } from "../../clicks/annotate-study.js";
import type { ExitCode } from "../../errors.js";
import { EXIT, usageError } from "../../errors.js";
import { DEFAULT_CANDIDATES } from "../../predict/candidates.js";
import { parseImageAddress, parseRedisAddress } from "../../queue/address.js";
import { hideInWord } from "../../secret.js";
import { packageVersion } from "../../version.js";
import type { OutputFormat } from "../../write/writer.js";
import type { OptionTable } from "../option-table.js";
import { showProgress } from "../progress.js";
import { appendStepSummary, summaryMessages } from "../run-summary.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import {
  candidatesRow,
  colorRow,
  configRow,
  contextRow,
  datasetRow,
  deviceRow,
  formatRow,
  jsonRow,
  maxStepsRow,
  modelRow,
  overlaysRow,
  threadsRow,
} from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { paintFor, printable, writeLine } from "../terminal.js";
import { queueRow, queueTimeoutRow } from "./queue.js";

export interface AnnotateFlags extends Omit<AnnotateOptions, "formats" | "shard">, JsonOption, ConfigOption {
  readonly format: readonly OutputFormat[];
  readonly simulateClicks?: readonly string[];
  /** As typed: I/N or auto. */
  readonly shard?: string;
  readonly queue?: string;
  readonly imageAddress?: string;
  readonly attempts: number;
  readonly priority: number;
  readonly queueTimeout: number;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: ColorChoice;
}

export const annotateTable = {
  images: {
    type: "text",
    position: 0,
    placeholder: "IMAGES",
    group: "common",
    required: true,
    describe: "Folder that is searched for images, at any depth",
  },
  boxes: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    required: true,
    describe: "Boxes to draw: COCO file, COCO results list, or Cityscapes folder",
  },
  dataset: { ...datasetRow, whenAbsent: "file names are used" },
  out: {
    type: "text",
    placeholder: "DIR|-",
    group: "common",
    default: "polyrnn-out",
    describe: "Output folder; - streams one annotation per line to standard output",
  },
  format: { ...formatRow, default: ["coco"] },
  model: { ...modelRow, default: "mobile" },
  device: deviceRow,
  resume: {
    type: "flag",
    group: "common",
    default: false,
    describe: "Go on with the run in the output folder; finished instances are kept",
  },
  batchSize: {
    type: "number",
    integer: true,
    min: 1,
    max: 256,
    unit: "crops",
    group: "advanced",
    whenAbsent: "chosen from the device",
    describe: "Crops per model call; does not change the polygons",
  },
  threads: { ...threadsRow, whenAbsent: "all" },
  context: { ...contextRow, whenAbsent: "the model card's" },
  maxSteps: { ...maxStepsRow, default: 71 },
  candidates: { ...candidatesRow, default: DEFAULT_CANDIDATES },
  minScore: {
    type: "number",
    min: 0,
    max: 1,
    group: "advanced",
    default: 0,
    describe: "Leave out polygons with a lower score",
  },
  simplify: {
    type: "number",
    min: 0,
    unit: "px",
    group: "advanced",
    default: 0,
    describe: "Douglas-Peucker tolerance in image pixels; 0 keeps every vertex",
  },
  categories: {
    type: "list",
    placeholder: "NAME|ID",
    group: "advanced",
    default: [],
    describe: "Draw only these categories, separated by commas",
  },
  existing: {
    type: "text",
    choices: ["predict", "keep"],
    group: "advanced",
    default: "predict",
    describe: "predict draws every box; keep passes polygons that the input already has through unchanged",
  },
  limit: {
    type: "number",
    integer: true,
    min: 1,
    unit: "instances",
    group: "advanced",
    whenAbsent: "all",
    describe: "Draw at most this many instances, in input order",
  },
  shard: {
    type: "text",
    placeholder: "I/N|auto",
    group: "advanced",
    whenAbsent: "all images",
    describe: "Draw part I of N, counted from 1, for polyrnn merge; auto asks Kubernetes, Slurm or GitLab",
  },
  simulateClicks: {
    type: "list",
    placeholder: "T,T,...",
    group: "advanced",
    whenAbsent: "none",
    describe:
      "Where the boxes come with ground truth: evaluate the polygons, and count the clicks of annotators who tolerate T grid cells",
  },
  queue: { ...queueRow, group: "advanced", whenAbsent: "this machine draws" },
  imageAddress: {
    type: "text",
    placeholder: "URL",
    group: "advanced",
    whenAbsent: "their own --images folder",
    describe: "With --queue: http(s) address of the image folder, from which workers fetch",
  },
  attempts: {
    type: "number",
    integer: true,
    min: 1,
    max: 10,
    group: "advanced",
    default: 3,
    describe: "With --queue: workers that may fail at a job before it is set aside",
  },
  priority: {
    type: "number",
    integer: true,
    min: 0,
    max: 2097152,
    group: "advanced",
    default: 0,
    describe: "With --queue: 0 goes first, then 1, 2, ...",
  },
  queueTimeout: queueTimeoutRow,
  onlyNew: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "advanced",
    whenAbsent: "draw all",
    describe:
      "annotations.json of an earlier run, or its folder: polygons of boxes that did not change go out as they are there",
  },
  config: configRow,
  overlays: { ...overlaysRow, default: "auto" },
  force: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Replace the run that is already in the output folder",
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
    describe: "Print every failure instead of the first five, and the time per stage",
  },
  color: colorRow,
} as const satisfies OptionTable<AnnotateFlags>;

/* `polyrnn annotate`: options in, words and exit code out; the work is annotate/annotate.ts. */

export async function annotateCommand(
  flags: AnnotateFlags,
  terminal: Terminal,
  rest: readonly string[],
): Promise<ExitCode> {
  checkCombinations(flags);
  const options = toAnnotateOptions(flags, terminal.env);
  const thresholds = await checkStudy(flags);
  const paint = paintFor(terminal.stderr, terminal.env, flags.color);
  const progressOptions = { quiet: flags.quiet, verbose: flags.verbose, paint, now: () => terminal.now() };
  const progress = showProgress(terminal.stderr, progressOptions);
  // Said before the engines are imported: loading takes a while.
  progress.note(`polyrnn ${packageVersion()}: model ${flags.model}, device ${flags.device} ...`);
  const signal = terminal.stopSignal();
  signal.addEventListener("abort", () => {
    progress.note("stopping after the batches in work; interrupt again to stop at once");
  });
  const host: AnnotateHost = {
    signal,
    note: (line) => {
      progress.note(line);
    },
    progress: (report) => {
      progress.progress(report);
    },
    failure: (failure) => {
      progress.failure(failure);
    },
    data: (line) => writeLine(terminal.stdout, line),
  };
  const { annotate } = await import("../../annotate/annotate.js");
  const summary = await annotate(options, host, await openQueueIfAsked(flags)).finally(() => {
    progress.end();
  });
  const say = (words: readonly string[]): void => {
    if (!flags.quiet) for (const line of words) terminal.stderr.write(`${printable(line)}\n`);
  };
  say(summaryMessages(summary, rest.map(hideInWord), flags.verbose));
  await appendStepSummary(terminal.env, summary);
  const study =
    thresholds === undefined || summary.stopped
      ? undefined
      : await studyRun(flags, thresholds, terminal, signal, progressOptions);
  if (study !== undefined) say(study.words);
  if (flags.json)
    await writeLine(
      terminal.stdout,
      JSON.stringify({ ...summary, ...(study !== undefined && { clicks: study.summary }) }),
    );
  if (summary.stopped) return EXIT.stopped;
  return summary.failed > 0 ? EXIT.failures : EXIT.ok;
}

function checkCombinations(flags: AnnotateFlags): void {
  if (flags.quiet && flags.verbose) throw usageError("--quiet and --verbose exclude each other", "Leave one of them.");
  if (flags.resume && flags.force) {
    throw usageError(
      "--resume and --force exclude each other: one goes on with the run in the output folder, the other replaces it",
      "Leave one of them.",
    );
  }
  if (flags.queue !== undefined) {
    parseRedisAddress(flags.queue);
    if (flags.out === "-")
      throw usageError(
        "--queue needs an output folder: results come in any order, and the journal keeps them",
        "Name a folder with --out.",
      );
    if (flags.imageAddress !== undefined) parseImageAddress(flags.imageAddress);
  } else if (flags.imageAddress !== undefined) {
    throw usageError("--image-address is for the workers of a queue", "Add --queue, or leave it out.");
  }
  if (flags.out === "-" && flags.resume) {
    throw usageError(
      "--resume needs an output folder: a stream to standard output (--out -) leaves no run to go on with",
      "Name a folder with --out.",
    );
  }
}

/** @returns undefined where this process draws */
async function openQueueIfAsked({
  queue,
  queueTimeout,
  attempts,
  priority,
  imageAddress,
}: AnnotateFlags): Promise<OpenPredictor | undefined> {
  if (queue === undefined) return undefined;
  const { openQueuePredictor } = await import("../../queue/coordinator.js");
  return openQueuePredictor({
    queue: parseRedisAddress(queue),
    timeoutMs: 1000 * queueTimeout,
    attempts,
    priority,
    ...(imageAddress !== undefined && { imageAddress: parseImageAddress(imageAddress) }),
  });
}

/** Leaves out how to print; names the formats in the plural. */
function toAnnotateOptions(flags: AnnotateFlags, env: Terminal["env"]): AnnotateOptions {
  const { dataset, batchSize, threads, context, limit, shard, onlyNew } = flags;
  return {
    images: flags.images,
    boxes: flags.boxes,
    ...(dataset !== undefined && { dataset }),
    out: flags.out,
    formats: flags.format,
    model: flags.model,
    device: flags.device,
    ...(batchSize !== undefined && { batchSize }),
    ...(threads !== undefined && { threads }),
    ...(context !== undefined && { context }),
    maxSteps: flags.maxSteps,
    candidates: flags.candidates,
    minScore: flags.minScore,
    simplify: flags.simplify,
    categories: flags.categories,
    existing: flags.existing,
    overlays: flags.overlays,
    ...(limit !== undefined && { limit }),
    ...(onlyNew !== undefined && { onlyNew }),
    ...(shard !== undefined && { shard: parseShard(shard, env) }),
    resume: flags.resume,
    force: flags.force,
  };
}
