/**
 * `polyrnn train`: options in, progress, page and exit code out; the work is in train/train.ts. The table has no
 * defaults, because a resumed run must know what was given. Each row says what happens without it.
 */
import { CELL_NAMES } from "../../network/cells.js";
import { resolve } from "node:path";
import { EXIT, PolyrnnError } from "../../errors.js";
import type { RunEnded } from "../../train/events.js";
import {
  DEFAULT_AUGMENTATION,
  DEFAULT_RECIPE,
  DEFAULT_RING_FILTER,
  DEFAULT_SEQUENCE_LIMITS,
  RECIPE_RANGES,
} from "../../train/options.js";
import { packageVersion } from "../../version.js";
import { defineCommand } from "../command.js";
import type { NumberRow, OptionTable } from "../option-table.js";
import { flagName } from "../option-table.js";
import { boxesAreRow, colorRow, configRow, jsonRow } from "../shared-rows.js";
import { printable, writeJsonLine } from "../terminal.js";
import type { TrainFlags } from "./train-options.js";
import { checkNewRun, DEFAULT_OUT, refuseContradictions, toTrainOptions } from "./train-options.js";
import type { PreparedRun, RunReporter } from "./train-progress.js";

/** A number of the recipe, with its range and default. */
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

const trainTable = {
  data: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    describe: "COCO file with segmentations or Cityscapes folder to learn from; required for a new run",
  },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    describe: "Folder to search for the images, at any depth; required for a new run",
  },
  val: {
    type: "text",
    placeholder: "FILE|DIR|none",
    group: "common",
    describe: "Like --data, to choose the best model; none keeps the newest; required for a new run",
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
    describe: "Network to train: mobile, vgg16, tiny, or that of a model folder",
  },
  init: {
    type: "text",
    placeholder: "NAME|DIR|FILE",
    group: "common",
    whenAbsent: "the weights of --model, random for vgg16 and tiny",
    describe: "Weights to start from: a model, a .safetensors file (may be partial), or random",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: DEFAULT_OUT,
    describe: "Run folder, empty or new; it becomes a model that every command accepts by path",
  },
  resume: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    describe: "Continue the run in this folder; all other options are taken from it",
  },
  boxesAre: { ...boxesAreRow, whenAbsent: "pixels" },
  steps: recipeRow("steps", "Training steps in total", { group: "common", unit: "steps" }),
  batchSize: recipeRow("batchSize", "Crops per step", { group: "common", unit: "crops" }),
  learningRate: recipeRow("learningRate", "Peak learning rate of everything but the encoder's backbone", {
    group: "common",
  }),
  backboneLearningRate: recipeRow("backboneLearningRate", "Peak learning rate of the encoder's backbone", {
    group: "common",
  }),
  freeze: {
    type: "text",
    placeholder: "LAYER",
    group: "common",
    whenAbsent: "everything is trained",
    describe: "Do not train the backbone up to this layer, such as block_2; encoder: all but the decoder",
  },
  cell: {
    type: "text",
    choices: CELL_NAMES,
    group: "advanced",
    whenAbsent: "that of --model",
    describe: "Recurrent cell of the decoder (mobile and tiny)",
  },
  kernel: recipeRow("kernel", "Side of the kernels that see the decoder's state: 3, 5 or 7 (mobile and tiny)", {
    whenAbsent: "that of --model",
  }),
  dilation: recipeRow("dilation", "Distance of those kernels' taps (mobile and tiny)", {
    whenAbsent: "that of --model",
  }),
  device: {
    type: "text",
    choices: ["auto", "cuda", "cpu"],
    otherWords: { gpu: "Use cuda for an NVIDIA GPU; training has no other.", webgpu: "Training has no WebGPU." },
    group: "common",
    whenAbsent: DEFAULT_RECIPE.device,
    describe: "Device for TensorFlow.js; auto takes cuda where it works",
  },
  validateEvery: recipeRow("validateEvery", "Steps between validations; one always follows the last step", {
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
  dropEvery: recipeRow("dropEvery", "With --schedule step: steps after which the learning rates are divided by 10", {
    unit: "steps",
  }),
  warmup: recipeRow("warmup", "Steps over which the learning rates rise from 0", { unit: "steps" }),
  clipNorm: recipeRow("clipNorm", "Largest norm of the gradient; 0 for no clipping"),
  weightDecay: recipeRow("weightDecay", "Weight decay of AdamW; 0 for plain Adam"),
  ema: recipeRow("ema", "Decay of the weights' moving average, which is validated and saved; 0 for none"),
  truncate: recipeRow("truncate", "Decoder steps that gradients flow back through", {
    unit: "decoder steps",
    whenAbsent: "all",
  }),
  lossWeight: {
    type: "list",
    placeholder: "NAME=N,...",
    group: "advanced",
    whenAbsent: Object.entries(DEFAULT_RECIPE.lossWeights)
      .map(([name, weight]) => `${name}=${weight}`)
      .join(","),
    describe: "Weights of the loss parts steps, edge, vertex and mask; others keep their default",
  },
  smoothing: recipeRow("smoothing", "Weight of the true cell's neighbors in the targets; 0 for the true cell alone"),
  augment: {
    type: "list",
    placeholder: "NAME=N,...|none",
    group: "advanced",
    whenAbsent: augmentationText,
    describe: "How crops are varied; others keep their default, none gives plain crops",
  },
  sourceWeight: {
    type: "list",
    placeholder: "NAME=N,...",
    group: "advanced",
    whenAbsent: "all instances are equally likely",
    describe: "How often to sample each source, relative to the others; name every source",
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
    describe: "File names of images in --data to leave out, separated by commas",
  },
  maxInstances: {
    type: "number",
    integer: true,
    min: 1,
    unit: "instances",
    group: "advanced",
    whenAbsent: "all",
    describe: "Train on a random subset of this size; larger subsets contain smaller ones",
  },
  maxValInstances: {
    type: "number",
    integer: true,
    min: 1,
    unit: "instances",
    group: "advanced",
    whenAbsent: "all",
    describe: "Validate on a random subset of this size",
  },
  minArea: {
    type: "number",
    min: 0,
    unit: "square pixels",
    group: "advanced",
    whenAbsent: String(DEFAULT_RING_FILTER.minAreaPx),
    describe: "Leave out smaller instances, also in validation",
  },
  minShare: {
    type: "number",
    min: 0,
    max: 1,
    group: "advanced",
    whenAbsent: String(DEFAULT_RING_FILTER.minLargestShare),
    describe: "Leave out instances whose largest part has less of their area, also in validation",
  },
  simplifyCells: {
    type: "number",
    min: 0,
    max: 28,
    unit: "grid cells",
    group: "advanced",
    whenAbsent: String(DEFAULT_SEQUENCE_LIMITS.simplifyCells),
    describe: "Douglas-Peucker tolerance of the outlines to learn",
  },
  maxVertices: {
    type: "number",
    integer: true,
    min: 3,
    max: 784,
    unit: "vertices",
    group: "advanced",
    whenAbsent: String(DEFAULT_SEQUENCE_LIMITS.maxVertices),
    describe: "Do not train on longer outlines",
  },
  maxSteps: recipeRow("maxSteps", "Longest polygon to predict in validation", { unit: "vertices" }),
  reportEvery: recipeRow("reportEvery", "Steps between lines of metrics.ndjson", { unit: "steps" }),
  checkpointEvery: recipeRow("checkpointEvery", "Steps between checkpoints; each validation writes one as well", {
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
  threads: recipeRow("threads", "Threads per operation on the CPU", { whenAbsent: "one per core" }),
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
    describe: "Print JSON lines on standard output: one per event, the last one summary or error",
  },
  quiet: {
    type: "flag",
    group: "output",
    default: false,
    describe: "No progress and no closing words; errors are still printed",
  },
  color: colorRow,
} as const satisfies OptionTable<TrainFlags>;

export const trainCommand = defineCommand<TrainFlags>({
  path: ["train"],
  summary: "train a model on outlines of your own",
  examples: [
    {
      why: "from the model that comes with the program; runs/mine is a model from the first validation on",
      line: "polyrnn train --data train.json --images ./images --val val.json --out runs/mine",
    },
    { why: "go on after a stop", line: "polyrnn train --resume runs/mine" },
    {
      why: "two sources, sampled unequally, for a fixed number of steps",
      line: "polyrnn train --data t.json --images ./images --val v.json --source-weight a=3,b=1 --steps 9000",
    },
  ],
  table: trainTable,
  run: async (flags, terminal) => {
    const { endedMessages, RunReporter, showTrainProgress } = await import("./train-progress.js");
    const progress = showTrainProgress(terminal.stderr, { quiet: flags.quiet, now: () => terminal.now() });
    const note = (line: string): void => {
      void progress.note(line);
    };
    const signal = terminal.stopSignal();
    signal.addEventListener("abort", () => {
      note("stopping after this step, with a checkpoint; interrupt again to stop at once");
    });
    const run = await prepareRun(flags, note);
    const reporter = new RunReporter(terminal, progress, run, flags.json);
    let ended: RunEnded;
    try {
      const { resumeTraining, train } = await import("../../train/train.js");
      ended = await (run.isResumed
        ? resumeTraining(run.folder, reporter, { signal })
        : train(run.options, reporter, { signal }));
    } catch (error) {
      throw withCheckpointHint(error, reporter, run);
    } finally {
      progress.end();
    }
    if (!flags.quiet) {
      for (const line of endedMessages(ended, run.typed, reporter.hasPage))
        terminal.stderr.write(`${printable(line)}\n`);
    }
    if (flags.json) await writeJsonLine(terminal.stdout, { version: 1, type: "summary", command: "train", ...ended });
    return ended.reason === "stopped" ? EXIT.stopped : EXIT.ok;
  },
});

/** @param note shows a line; the first one comes before the engine is imported, because that takes a while */
async function prepareRun(flags: TrainFlags, note: (line: string) => void): Promise<PreparedRun> {
  const program = `polyrnn ${packageVersion()}`;
  if (flags.resume === undefined) {
    checkNewRun(flags);
    note(`${program}: reading the outlines ...`);
    const options = await toTrainOptions(flags);
    return { isResumed: false, folder: resolve(options.out), typed: options.out, options };
  }
  note(`${program}: going on with ${flags.resume} ...`);
  const { readRun } = await import("../../train/run-file.js");
  const folder = resolve(flags.resume);
  const { options } = await readRun(folder);
  await refuseContradictions(flags, folder, options);
  return { isResumed: true, folder, typed: flags.resume, options };
}

/** Adds to the hint of an error in the middle of a run where it can be resumed. */
function withCheckpointHint(error: unknown, { checkpointStep }: RunReporter, { typed }: PreparedRun): unknown {
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
    `${error.hint} The checkpoint of step ${checkpointStep} is whole: polyrnn train --resume ${typed}`,
    { cause: error.cause },
  );
}
