/**
 * The options of `polyrnn train`. None has a default in the table's sense: a run that is resumed must be able to tell
 * what was given from what was not. What happens without an option is said in its row, from the defaults of train/.
 */
import { resolve } from "node:path";
import type { ExitCode } from "../../errors.js";
import { EXIT, PolyrnnError } from "../../errors.js";
import { RunLock } from "../../runs/lock.js";
import { DEFAULT_AUGMENTATION } from "../../train/data/augmentation.js";
import { DEFAULT_SEQUENCE_LIMITS } from "../../train/data/targets.js";
import { DEFAULT_RING_FILTER } from "../../train/data/truth.js";
import type { RunEnded, RunStarted, TrainEvents, TrainingHistory } from "../../train/events.js";
import type { TrainOptions } from "../../train/options.js";
import { DEFAULT_RECIPE, RECIPE_RANGES } from "../../train/options.js";
import { describeOptions, TRAINING_PAGE, writeTrainingPage } from "../../train/page/render-training.js";
import { readRun } from "../../train/run-file.js";
import type { TrainHost } from "../../train/train.js";
import { packageVersion } from "../../version.js";
import type { NumberRow, OptionTable } from "../option-table.js";
import { flagName } from "../option-table.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import { colorRow, configRow, jsonRow } from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { printable, writeLine } from "../terminal.js";
import { checkNewRun, refuseContradictions, toTrainOptions } from "./train-options.js";
import type { TrainProgress } from "./train-progress.js";
import { endedMessages, showTrainProgress } from "./train-progress.js";

export const DEFAULT_OUT = "polyrnn-train";
/** In place of a file: no validation; in place of weights: none to start from. */
export const NO_VALIDATION = "none";
export const RANDOM_START = "random";

export interface TrainFlags extends JsonOption, ConfigOption {
  readonly data?: string;
  readonly images?: string;
  readonly val?: string;
  readonly valImages?: string;
  readonly model?: string;
  readonly init?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly steps?: number;
  readonly batch?: number;
  readonly lr?: number;
  readonly backboneLearningRate?: number;
  readonly freeze?: string;
  readonly device?: "auto" | "cuda" | "cpu";
  readonly validateEvery?: number;
  readonly schedule?: "cosine" | "step";
  readonly dropEvery?: number;
  readonly warmup?: number;
  readonly clip?: number;
  readonly weightDecay?: number;
  readonly ema?: number;
  readonly truncate?: number;
  readonly lossWeight?: readonly string[];
  readonly smoothing?: number;
  readonly augment?: readonly string[];
  readonly sourceWeight?: readonly string[];
  readonly sourceField?: string;
  readonly categories?: readonly string[];
  readonly excludeImages?: readonly string[];
  readonly maxInstances?: number;
  readonly maxValInstances?: number;
  readonly minArea?: number;
  readonly minShare?: number;
  readonly simplifyCells?: number;
  readonly maxVertices?: number;
  readonly maxSteps?: number;
  readonly reportEvery?: number;
  readonly checkpointEvery?: number;
  readonly imageCache?: number;
  readonly threads?: number;
  readonly seed?: number;
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

/** A number of the recipe, with the range and the default it has there. */
function recipeRow(
  name: keyof typeof RECIPE_RANGES,
  describe: string,
  rest: { readonly group?: "common"; readonly unit?: string; readonly whenAbsent?: string } = {},
): NumberRow & { readonly whenAbsent: string } {
  const range = RECIPE_RANGES[name];
  const { group = "advanced", unit, whenAbsent = String(DEFAULT_RECIPE[name]) } = rest;
  return {
    type: "number",
    min: range.low,
    max: range.high,
    group,
    describe,
    whenAbsent,
    ...("isWhole" in range && { integer: true }),
    ...(unit !== undefined && { unit }),
  };
}

const augmentationText = Object.entries(DEFAULT_AUGMENTATION)
  .map(([name, value]) => `${flagName(name)}=${Number(value)}`)
  .join(", ");

export const trainTable = {
  data: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    describe: "Outlines to learn from: COCO file with segmentations, or Cityscapes folder; a new run needs it",
  },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    describe: "Folder that is searched for the images, at any depth; a new run needs it",
  },
  val: {
    type: "text",
    placeholder: "FILE|DIR|none",
    group: "common",
    describe:
      "Outlines on other images, by which the best model is chosen; a new run needs it, or none to keep the newest model",
  },
  valImages: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "--images",
    describe: "Folder of the validation images",
  },
  model: {
    type: "text",
    placeholder: "NAME|DIR",
    group: "common",
    whenAbsent: DEFAULT_RECIPE.model,
    describe: "Network to train: mobile, vgg16, tiny, or that of a model's folder",
  },
  init: {
    type: "text",
    placeholder: "NAME|DIR|FILE",
    group: "common",
    whenAbsent: "the weights of --model, random for vgg16 and tiny",
    describe: "Weights to start from: a model, a .safetensors file that may hold only some of them, or random",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: DEFAULT_OUT,
    describe: "Run folder, empty or absent; it becomes a model that every command takes by path",
  },
  resume: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    describe: "Go on with the run in this folder; everything else is taken from it",
  },
  steps: recipeRow("steps", "Steps in all", { group: "common", unit: "steps" }),
  batch: recipeRow("batchSize", "Crops per step", { group: "common", unit: "crops" }),
  lr: recipeRow("rate", "Highest learning rate, of everything but the encoder's trunk", { group: "common" }),
  backboneLearningRate: recipeRow("backboneLearningRate", "Highest learning rate of the encoder's trunk", {
    group: "common",
  }),
  freeze: {
    type: "text",
    placeholder: "LAYER",
    group: "common",
    whenAbsent: "everything is trained",
    describe: "Keep the trunk up to and including this layer (block_2, conv2_2) as it is",
  },
  device: {
    type: "text",
    choices: ["auto", "cuda", "cpu"],
    group: "common",
    whenAbsent: DEFAULT_RECIPE.device,
    describe: "What computes, through TensorFlow.js; auto takes cuda where it works",
  },
  validateEvery: recipeRow("validateEvery", "Validate so often, and after the last step", {
    group: "common",
    unit: "steps",
  }),
  schedule: {
    type: "text",
    choices: ["cosine", "step"],
    group: "advanced",
    whenAbsent: DEFAULT_RECIPE.schedule,
    describe: "How the learning rates fall",
  },
  dropEvery: recipeRow("dropEvery", "With --schedule step: divide the rates by 10 so often", { unit: "steps" }),
  warmup: recipeRow("warmUp", "The rates rise from 0 for so long", { unit: "steps" }),
  clip: recipeRow("clipNorm", "Largest norm of the gradient; 0: no clipping"),
  weightDecay: recipeRow("weightDecay", "AdamW's weight decay; 0: plain Adam"),
  ema: recipeRow(
    "average",
    "Decay of the moving average of the weights, which is validated and saved; 0: the weights themselves",
  ),
  truncate: recipeRow("truncate", "Gradients reach back so far", { unit: "decoder steps", whenAbsent: "to the first" }),
  lossWeight: {
    type: "list",
    placeholder: "NAME=N,...",
    group: "advanced",
    whenAbsent: Object.entries(DEFAULT_RECIPE.lossWeights)
      .map(([name, weight]) => `${name}=${weight}`)
      .join(","),
    describe: "Weights of the loss parts steps, edge, vertex and mask; parts that are not named keep theirs",
  },
  smoothing: recipeRow("smoothing", "Weight of the cells beside the true one in the targets; 0: the true cell alone"),
  augment: {
    type: "list",
    placeholder: "NAME=N,...|none",
    group: "advanced",
    whenAbsent: augmentationText,
    describe: "How crops are varied; names that are not given keep their number, none shows plain crops",
  },
  sourceWeight: {
    type: "list",
    placeholder: "NAME=N,...",
    group: "advanced",
    whenAbsent: "all instances are equally likely",
    describe: "How often each source is drawn from, relative to the others; all are named",
  },
  sourceField: {
    type: "text",
    placeholder: "FIELD",
    group: "advanced",
    whenAbsent: "source",
    describe: "Field of the image records that names the source",
  },
  categories: {
    type: "list",
    placeholder: "NAME|ID",
    group: "advanced",
    whenAbsent: "all",
    describe: "Use only these categories, separated by commas; each must appear",
  },
  excludeImages: {
    type: "list",
    placeholder: "NAME",
    group: "advanced",
    whenAbsent: "none",
    describe: "Images of --data that are not trained on, by file name, separated by commas",
  },
  maxInstances: {
    type: "number",
    integer: true,
    min: 1,
    unit: "instances",
    group: "advanced",
    whenAbsent: "all",
    describe: "Train on a random part of this size; smaller parts are within larger ones",
  },
  maxValInstances: {
    type: "number",
    integer: true,
    min: 1,
    unit: "instances",
    group: "advanced",
    whenAbsent: "all",
    describe: "Validate on a random part of this size",
  },
  minArea: {
    type: "number",
    min: 0,
    unit: "square pixels",
    group: "advanced",
    whenAbsent: String(DEFAULT_RING_FILTER.minAreaPx),
    describe: "Smaller instances are left out, also in validation",
  },
  minShare: {
    type: "number",
    min: 0,
    max: 1,
    group: "advanced",
    whenAbsent: String(DEFAULT_RING_FILTER.minLargestShare),
    describe: "Instances whose largest part has less of their area are left out, also in validation",
  },
  simplifyCells: {
    type: "number",
    min: 0,
    max: 28,
    unit: "grid cells",
    group: "advanced",
    whenAbsent: String(DEFAULT_SEQUENCE_LIMITS.simplifyCells),
    describe: "Douglas-Peucker tolerance of the outlines that are taught",
  },
  maxVertices: {
    type: "number",
    integer: true,
    min: 3,
    max: 784,
    unit: "vertices",
    group: "advanced",
    whenAbsent: String(DEFAULT_SEQUENCE_LIMITS.maxVertices),
    describe: "Longer outlines are left out, also in validation",
  },
  maxSteps: recipeRow("maxSteps", "Longest polygon that is drawn in validation", { unit: "vertices" }),
  reportEvery: recipeRow("reportEvery", "Write a line to metrics.ndjson so often", { unit: "steps" }),
  checkpointEvery: recipeRow("checkpointEvery", "Write a checkpoint so often, and at every validation", {
    unit: "steps",
  }),
  imageCache: {
    type: "number",
    integer: true,
    min: 0,
    max: 1_048_576,
    unit: "MiB",
    group: "advanced",
    whenAbsent: "256",
    describe: "Memory for decoded images",
  },
  threads: recipeRow("threads", "Threads inside one operation on the CPU", { whenAbsent: "one per core" }),
  seed: {
    type: "number",
    integer: true,
    min: 0,
    max: 4294967295,
    group: "advanced",
    whenAbsent: String(DEFAULT_RECIPE.seed),
    describe: "Seed of random weights, of the order of instances, and of how crops are varied",
  },
  config: configRow,
  json: {
    ...jsonRow,
    describe: "Print JSON lines on standard output: started, steps, validations, and summary or error as the last one",
  },
  quiet: {
    type: "flag",
    group: "output",
    default: false,
    describe: "No progress and no closing words; errors are still printed",
  },
  color: colorRow,
} as const satisfies OptionTable<TrainFlags>;

/* `polyrnn train`: options in, progress, page and exit code out; the work is train/train.ts. */

/** @param host what to compute with, in place of looking for it */
export async function trainCommand(flags: TrainFlags, terminal: Terminal, host: TrainHost = {}): Promise<ExitCode> {
  if (flags.resume === undefined) checkNewRun(flags);
  const progress = showTrainProgress(terminal.stderr, { quiet: flags.quiet, now: () => terminal.now() });
  // Said before the engine is imported: loading takes a while.
  void progress.note(
    `polyrnn ${packageVersion()}: ${flags.resume === undefined ? "reading the outlines" : `going on with ${flags.resume}`} ...`,
  );
  const signal = terminal.stopSignal();
  signal.addEventListener("abort", () => {
    void progress.note("stopping after this step, with a checkpoint; interrupt again to stop at once");
  });
  const run = await prepareRun(flags, (line) => {
    void progress.note(line);
  });
  const watched = new Watched(flags, terminal, progress, run);
  let ended: RunEnded;
  try {
    const { train, resumeTraining } = await import("../../train/train.js");
    ended = await (run.isResumed
      ? resumeTraining(run.folder, watched, { ...host, signal })
      : train(run.options, watched, { ...host, signal }));
  } catch (error) {
    throw withTheStepKept(error, watched);
  } finally {
    progress.end();
    await watched.release();
  }
  if (!flags.quiet)
    for (const line of endedMessages(ended, run.words, watched.hasPage)) terminal.stderr.write(`${printable(line)}\n`);
  if (flags.json)
    await writeLine(terminal.stdout, JSON.stringify({ version: 1, type: "summary", command: "train", ...ended }));
  return ended.reason === "stopped" ? EXIT.stopped : EXIT.ok;
}

interface PreparedRun {
  readonly isResumed: boolean;
  /** Absolute. */
  readonly folder: string;
  /** The folder as it was typed. */
  readonly words: string;
  readonly options: TrainOptions;
  readonly lock?: RunLock;
}

async function prepareRun(flags: TrainFlags, note: (line: string) => void): Promise<PreparedRun> {
  if (flags.resume === undefined) {
    checkNewRun(flags);
    const options = await toTrainOptions(flags);
    return { isResumed: false, folder: resolve(options.out), words: options.out, options };
  }
  const folder = resolve(flags.resume);
  const { options } = await readRun(folder);
  await refuseContradictions(flags, folder, options);
  // Two processes that go on with one run would write over each other's checkpoints.
  return { isResumed: true, folder, words: flags.resume, options, lock: await RunLock.take(folder, note) };
}

/** Shows what happens, writes the page, and keeps other runs out of the folder. */
class Watched implements TrainEvents {
  #run: RunStarted | undefined;
  #lock: RunLock | undefined;
  #history: TrainingHistory | undefined;
  hasPage = false;
  /** Step of the last checkpoint that was written. */
  checkpointStep: number | undefined;

  constructor(
    private readonly flags: TrainFlags,
    private readonly terminal: Terminal,
    private readonly progress: TrainProgress,
    private readonly prepared: PreparedRun,
  ) {
    this.#lock = prepared.lock;
  }

  get folder(): string {
    return this.prepared.words;
  }

  async started(run: RunStarted): Promise<void> {
    this.#run = run;
    this.#lock ??= await RunLock.take(run.folder, (line) => {
      this.note(line);
    });
    await this.progress.started(run);
    await this.data({
      version: 1,
      ...run,
      type: "started",
      bySource: Object.fromEntries(run.bySource),
      dropped: Object.fromEntries(run.dropped),
    });
  }

  async step(now: Parameters<TrainProgress["step"]>[0]): Promise<void> {
    await this.progress.step(now);
    if (now.line !== undefined) await this.data(now.line);
  }

  async validating(now: Parameters<TrainProgress["validating"]>[0]): Promise<void> {
    await this.progress.validating(now);
  }

  async validation(line: Parameters<TrainProgress["validation"]>[0], history: TrainingHistory): Promise<void> {
    await this.progress.validation(line, history);
    const { drawn: _drawn, ...scores } = line;
    await this.data(scores);
    this.#history = history;
    await this.page();
  }

  async checkpoint({ step }: { readonly step: number }): Promise<void> {
    this.checkpointStep = step;
    await this.data({ type: "checkpoint", step });
  }

  note(text: string): void {
    void this.progress.note(text);
  }

  /** A page that cannot be written is no reason to end a run of hours. */
  private async page(): Promise<void> {
    if (this.#run === undefined || this.#history === undefined) return;
    try {
      await writeTrainingPage(this.prepared.folder, this.#history, {
        run: this.#run,
        options: describeOptions(this.prepared.options),
        generator: `polyrnn ${packageVersion()}`,
      });
      this.hasPage = true;
    } catch (error) {
      if (!(error instanceof PolyrnnError)) throw error;
      this.note(`${TRAINING_PAGE} is left as it was, the run goes on: ${error.message}`);
    }
  }

  private async data(line: object): Promise<void> {
    if (this.flags.json) await writeLine(this.terminal.stdout, JSON.stringify(line));
  }

  async release(): Promise<void> {
    await this.#lock?.release();
  }
}

/** The hint of an error in the middle of a run also says where it can go on. */
function withTheStepKept(error: unknown, { checkpointStep, folder }: Watched): unknown {
  if (
    !(error instanceof PolyrnnError) ||
    checkpointStep === undefined ||
    error.hint.includes("--resume") ||
    error.code === "E_DIVERGED"
  )
    return error;
  return new PolyrnnError(
    error.message,
    error.code,
    error.exitCode,
    `${error.hint} The checkpoint of step ${checkpointStep} is whole: polyrnn train --resume ${folder}`,
    { cause: error.cause },
  );
}
