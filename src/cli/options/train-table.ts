/**
 * The options of `polyrnn train`. None has a default in the table's sense: a run that is resumed must be able to tell what was given
 * from what was not. What happens without an option is said in its row, from the defaults of train/.
 */
import { DEFAULT_AUGMENTATION } from "../../train/augmentation.js";
import { RECIPE_RANGES } from "../../train/check-options.js";
import { DEFAULT_RECIPE } from "../../train/options.js";
import { DEFAULT_RING_FILTER } from "../../train/pick-ring.js";
import { DEFAULT_SEQUENCE_LIMITS } from "../../train/target-cells.js";
import { colorRow, configRow, jsonRow, type ColorChoice, type ConfigOption, type JsonOption } from "./common-rows.js";
import { flagName, type NumberRow, type OptionTable } from "./option-table.js";

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
  readonly trunkLr?: number;
  readonly freeze?: string;
  readonly device?: "auto" | "cuda" | "cpu";
  readonly evalEvery?: number;
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

const augmentationWords = Object.entries(DEFAULT_AUGMENTATION)
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
  trunkLr: recipeRow("trunkRate", "Highest learning rate of the encoder's trunk", { group: "common" }),
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
  evalEvery: recipeRow("validateEvery", "Validate so often, and after the last step", {
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
    whenAbsent: augmentationWords,
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
