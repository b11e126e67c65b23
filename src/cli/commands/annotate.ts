/** `polyrnn annotate`: predicts a polygon for every box; the work is annotate/annotate.ts. */
import { join } from "node:path";
import type { AnnotateHost, AnnotateOptions } from "../../annotate/options.js";
import type { OpenPredictor } from "../../annotate/predictor.js";
import type { ClickSummary } from "../../clicks/tally.js";
import type { PrecisionChoice } from "../../engine/precision.js";
import { EXIT } from "../../errors.js";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../../predict/options.js";
import { parseImageAddress, parseRedisAddress } from "../../queue/address.js";
import type { Secret } from "../../secret.js";
import { packageVersion } from "../../version.js";
import type { OutputFormat } from "../../write/writer.js";
import type { FormatFlags } from "../format-rows.js";
import { formatRows, toFormatOptions } from "../format-rows.js";
import type { AskedStudy } from "../click-study.js";
import { defineCommand } from "../command.js";
import { judgeRun, parseMaxFailed } from "../max-failed.js";
import type { OptionTable } from "../option-table.js";
import { summaryMessages } from "../run-summary.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import {
  batchSizeRow,
  boxesAreRow,
  candidatesRow,
  SURE_WHEN_ABSENT,
  sureRow,
  colorRow,
  configRow,
  contextRow,
  datasetRow,
  deviceRow,
  forceRunRow,
  formatRow,
  jsonRow,
  maxFailedRow,
  maxStepsRow,
  modelRow,
  overlaysRow,
  precisionRow,
  publishedRow,
  queueRow,
  queueTimeoutRow,
  quietRow,
  threadsRow,
} from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { paintFor, printable, writeJsonLine } from "../terminal.js";
import { checkCombinations, checkStudy } from "./annotate-combinations.js";

export interface AnnotateFlags
  extends
    Omit<AnnotateOptions, "formats" | "formatOptions" | "shard" | "precision">,
    FormatFlags,
    JsonOption,
    ConfigOption {
  readonly format: readonly OutputFormat[];
  readonly precision: PrecisionChoice;
  readonly simulateClicks?: readonly string[];
  readonly published: boolean;
  /** As typed: I/N or auto. */
  readonly shard?: string;
  readonly queue?: Secret;
  readonly imageAddress?: Secret;
  readonly attempts: number;
  readonly priority: number;
  readonly queueTimeout: number;
  readonly maxFailed?: string;
  readonly dryRun: boolean;
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
    describe: "Images: a folder (searched at any depth), a zip file, a text file of paths, or one image",
  },
  boxes: {
    type: "text",
    placeholder: "FILE|DIR|-",
    group: "common",
    required: true,
    describe: "Boxes to turn into polygons, in any format of docs/formats.md; - reads standard input",
  },
  boxesAre: { ...boxesAreRow, whenAbsent: "pixels; told by the files of Pascal VOC" },
  dataset: { ...datasetRow, whenAbsent: "image ids are taken as file names" },
  out: {
    type: "text",
    placeholder: "DIR|-",
    group: "common",
    default: "polyrnn-out",
    describe: "Output folder; - streams one annotation per line to standard output",
  },
  format: { ...formatRow, default: ["coco"] },
  ...formatRows,
  model: { ...modelRow, default: "mobile" },
  device: deviceRow,
  precision: precisionRow,
  resume: {
    type: "flag",
    group: "common",
    default: false,
    describe: "Continue the run in the output folder; finished instances are kept",
  },
  dryRun: {
    type: "flag",
    group: "common",
    default: false,
    describe: "Write nothing: count boxes and images, and estimate time and memory from ten instances",
  },
  batchSize: batchSizeRow,
  threads: { ...threadsRow, whenAbsent: "all" },
  context: { ...contextRow, whenAbsent: "the model card's" },
  maxSteps: { ...maxStepsRow, default: MAX_STEPS },
  candidates: { ...candidatesRow, default: DEFAULT_CANDIDATES },
  sure: { ...sureRow, whenAbsent: SURE_WHEN_ABSENT },
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
    describe: "Predict only these categories, separated by commas",
  },
  existing: {
    type: "text",
    choices: ["predict", "keep"],
    group: "advanced",
    default: "predict",
    describe: "Whether polygons that the input already has are predicted anew or kept unchanged",
  },
  limit: {
    type: "number",
    integer: true,
    min: 1,
    unit: "instances",
    group: "advanced",
    whenAbsent: "all",
    describe: "Predict at most this many instances, in input order",
  },
  shard: {
    type: "text",
    placeholder: "I/N|auto",
    group: "advanced",
    whenAbsent: "all images",
    describe: "Predict part I of N for polyrnn merge; auto takes I/N from Kubernetes, Slurm or GitLab",
  },
  simulateClicks: {
    type: "list",
    placeholder: "T,T,...",
    group: "advanced",
    whenAbsent: "none",
    describe: "Given ground truth, also evaluate, and simulate annotators who tolerate T grid cells",
  },
  published: { ...publishedRow, describe: "With --simulate-clicks: show published figures of the papers as well" },
  queue: { ...queueRow, group: "advanced", whenAbsent: "this machine predicts" },
  imageAddress: {
    type: "address",
    placeholder: "URL",
    group: "advanced",
    whenAbsent: "workers read their own --images folder",
    describe: "With --queue: http(s) address of the image folder, for workers to fetch from",
  },
  attempts: {
    type: "number",
    integer: true,
    min: 1,
    max: 10,
    group: "advanced",
    default: 3,
    describe: "With --queue: how many workers may fail at a job before it is set aside",
  },
  priority: {
    type: "number",
    integer: true,
    min: 0,
    max: 2097152,
    group: "advanced",
    default: 0,
    describe: "With --queue: runs with lower numbers go first",
  },
  queueTimeout: queueTimeoutRow,
  maxFailed: maxFailedRow,
  onlyNew: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "advanced",
    whenAbsent: "all boxes are predicted",
    describe: "Earlier annotations.json or its run folder; boxes that did not change keep their polygons",
  },
  config: configRow,
  overlays: { ...overlaysRow, default: "auto" },
  force: forceRunRow,
  json: jsonRow,
  quiet: { ...quietRow, describe: "Print only failures and errors" },
  verbose: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Print every failure instead of the first five of each reason, and the time per stage",
  },
  color: colorRow,
} as const satisfies OptionTable<AnnotateFlags>;

export const annotateCommand = defineCommand<AnnotateFlags>({
  path: ["annotate"],
  summary: "predict a polygon for every box",
  examples: [
    { why: "one COCO file, results in polyrnn-out/", line: "polyrnn annotate ./images --boxes boxes.json" },
    { why: "go on after a stop", line: "polyrnn annotate ./images --boxes boxes.json --resume" },
    {
      why: "stream, one annotation per line",
      line: "polyrnn annotate ./images --boxes boxes.json --out - | jq .score",
    },
  ],
  table: annotateTable,
  async run(asked, terminal, args) {
    checkCombinations(asked);
    const flags = asked.boxes === "-" ? { ...asked, boxes: await boxesOfInput(asked, terminal) } : asked;
    if (flags.maxFailed !== undefined) parseMaxFailed(flags.maxFailed);
    const options = await toAnnotateOptions(flags, terminal.env);
    const thresholds = await checkStudy(flags);
    const { showProgress } = await import("../progress.js");
    const progressOptions = {
      quiet: flags.quiet,
      verbose: flags.verbose,
      paint: paintFor(terminal.stderr, terminal.env, flags.color),
      now: () => terminal.now(),
    };
    const progress = showProgress(terminal.stderr, progressOptions);
    // Printed before the engines are imported: loading takes a while.
    progress.note(`polyrnn ${packageVersion()}: model ${flags.model}, device ${flags.device} ...`);
    const signal = terminal.stopSignal();
    signal.addEventListener("abort", () => {
      progress.note("stopping after the batches in work; interrupt again to stop at once");
    });
    const host: AnnotateHost = {
      ...progress,
      signal,
      data: (line) => writeJsonLine(terminal.stdout, line),
    };
    if (flags.dryRun) {
      const { runDry } = await import("../dry-run.js");
      return await runDry(options, flags, host, terminal).finally(() => {
        progress.end();
      });
    }
    const { annotate } = await import("../../annotate/annotate.js");
    const summary = await annotate(options, host, await openQueueIfAsked(flags)).finally(() => {
      progress.end();
    });
    const say = (messages: readonly string[]): void => {
      if (!flags.quiet) for (const line of messages) terminal.stderr.write(`${printable(line)}\n`);
    };
    say(summaryMessages(summary, args, flags.verbose));
    const { appendStepSummary } = await import("../step-summary.js");
    await appendStepSummary(terminal.env, summary);
    let clicks: ClickSummary | undefined;
    if (thresholds !== undefined && !summary.stopped) {
      // What the study throws leaves the run as it is: its files are whole by now.
      const { runStudy } = await import("../click-study.js");
      const asked = await toAskedStudy(flags, thresholds);
      const { withFolderLock } = await import("../../runs/lock.js");
      const note = (line: string): void => {
        say([line]);
      };
      const study = await withFolderLock(flags.out, note, () => runStudy(asked, terminal, signal, progressOptions));
      say(study.messages);
      clicks = study.summary;
    }
    const { exitCode, message, maxFailed } = judgeRun(summary, flags.maxFailed);
    if (message !== undefined && (!flags.quiet || exitCode === EXIT.dataInvalid))
      terminal.stderr.write(`${printable(message)}\n`);
    if (flags.json) {
      const asked = { ...(maxFailed !== undefined && { maxFailed }), ...(clicks !== undefined && { clicks }) };
      await writeJsonLine(terminal.stdout, { ...summary, ...asked });
    }
    return exitCode;
  },
});

/** @returns the file that standard input was saved to */
async function boxesOfInput({ out, force }: AnnotateFlags, terminal: Terminal): Promise<string> {
  const { saveStandardInput } = await import("../standard-input.js");
  const path = await saveStandardInput(terminal.stdin, out, force || out === "-");
  terminal.stderr.write(`standard input was saved to ${printable(path)}\n`);
  return path;
}

/** @returns undefined where this process predicts */
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

async function toAnnotateOptions(flags: AnnotateFlags, env: Terminal["env"]): Promise<AnnotateOptions> {
  const { parseShard } = await import("../../annotate/shard.js");
  const { boxesAre, dataset, batchSize, threads, context, sure, limit, shard, onlyNew } = flags;
  const formatOptions = toFormatOptions(flags);
  return {
    images: flags.images,
    boxes: flags.boxes,
    ...(boxesAre !== undefined && { boxesAre }),
    ...(dataset !== undefined && { dataset }),
    out: flags.out,
    formats: flags.format,
    ...(formatOptions !== undefined && { formatOptions }),
    model: flags.model,
    device: flags.device,
    precision: flags.precision,
    ...(batchSize !== undefined && { batchSize }),
    ...(threads !== undefined && { threads }),
    ...(context !== undefined && { context }),
    maxSteps: flags.maxSteps,
    candidates: flags.candidates,
    ...(sure !== undefined && { sure }),
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

async function toAskedStudy(flags: AnnotateFlags, thresholds: readonly number[]): Promise<AskedStudy> {
  const { studyOfRun } = await import("../../clicks/study.js");
  const { out, images, model, device, batchSize, threads, context, maxSteps, candidates, categories, limit, boxesAre } =
    flags;
  const request = studyOfRun(
    {
      images,
      truth: flags.boxes,
      ...(boxesAre !== undefined && { boxesAre }),
      model,
      device,
      precision: flags.precision,
      maxSteps,
      candidates,
      thresholds,
      categories,
      ...(batchSize !== undefined && { batchSize }),
      ...(threads !== undefined && { threads }),
      ...(context !== undefined && { context }),
      ...(flags.sure !== undefined && { sure: flags.sure }),
      ...(limit !== undefined && { limit }),
    },
    {
      out,
      ...(flags.format.includes("coco") && { predictions: join(out, "annotations.json") }),
      generator: `polyrnn ${packageVersion()}`,
      published: flags.published,
    },
  );
  return { ...request, source: "run" };
}
