/** Rows of the option tables that several commands share. */
import type { BoxUnit } from "../dataset/relative-boxes.js";
import { BOX_UNITS } from "../dataset/relative-boxes.js";
import type { DeviceChoice } from "../engine/devices.js";
import type { PrecisionChoice } from "../engine/precision.js";
import type { Rasterizer } from "../geometry/iou.js";
import { MAX_CANDIDATES, MAX_STEPS_RANGE, SURE_FROM } from "../predict/options.js";
import type { OutputFormat } from "../write/writer.js";
import { OUTPUT_FORMATS } from "../write/writer.js";
import type { AddressRow, FlagRow, ListRow, NumberRow, TextRow } from "./option-table.js";

// How a command reports.

export interface JsonOption {
  /** One JSON object on standard output. */
  readonly json: boolean;
}

export const jsonRow = {
  type: "flag",
  group: "output",
  describe: "Print one JSON object on standard output, also when the command fails",
  default: false,
} as const satisfies FlagRow & { default: boolean };

export const quietRow = {
  type: "flag",
  group: "output",
  describe: "Print only errors",
  default: false,
} as const satisfies FlagRow & { default: boolean };

export const COLOR_CHOICES = ["auto", "always", "never"] as const;
export type ColorChoice = (typeof COLOR_CHOICES)[number];

export const colorRow = {
  type: "text",
  group: "output",
  choices: COLOR_CHOICES,
  describe: "Color messages; auto: on a terminal, unless NO_COLOR or TERM=dumb is set",
  default: "auto",
} as const satisfies TextRow<ColorChoice> & { default: ColorChoice };

export interface ConfigOption {
  readonly config?: string;
}

export const configRow = {
  type: "text",
  group: "advanced",
  placeholder: "FILE",
  describe: "JSON or YAML file with option names as keys; the environment and flags override it",
} as const satisfies TextRow<string>;

// What predicts, and how.

const ANY_GPU = "Use cuda for an NVIDIA GPU, or webgpu for any GPU; polyrnn doctor shows which works here.";
const NVIDIA = "Use cuda; which of several GPUs is decided by CUDA_VISIBLE_DEVICES.";
const OTHER_GPU = "Use webgpu: it reaches GPUs through Metal, Vulkan or Direct3D 12.";
const NO_ENGINE = "There is no engine for it; leave it out for the default, auto.";

export const deviceRow = {
  type: "text",
  choices: ["auto", "cuda", "webgpu", "cpu"],
  // "gpu" is one letter from "cpu".
  otherWords: {
    ...{ gpu: ANY_GPU, nvidia: NVIDIA, "cuda:0": NVIDIA, "gpu:0": NVIDIA, "0": NVIDIA },
    ...{ mps: OTHER_GPU, metal: OTHER_GPU, vulkan: OTHER_GPU, directml: OTHER_GPU, dml: OTHER_GPU, rocm: OTHER_GPU },
    ...{ tpu: NO_ENGINE, npu: NO_ENGINE },
  },
  group: "common",
  default: "auto",
  describe: "Where to compute; auto takes the first that works, see polyrnn doctor",
} as const satisfies TextRow<DeviceChoice> & { default: DeviceChoice };

export const precisionRow = {
  type: "text",
  choices: ["auto", "float32", "float16"],
  otherWords: {
    ...{ fp16: "Use float16.", half: "Use float16.", f16: "Use float16." },
    ...{ fp32: "Use float32.", single: "Use float32.", f32: "Use float32." },
  },
  group: "advanced",
  default: "auto",
  describe: "Weights and layers of WebGPU kernels; auto is float32, float16 halves their memory",
} as const satisfies TextRow<PrecisionChoice> & { default: PrecisionChoice };

export const threadsRow = {
  type: "number",
  integer: true,
  min: 1,
  max: 256,
  unit: "cores",
  group: "advanced",
  describe: "CPU cores to compute on; does not change the polygons",
} as const satisfies NumberRow;

export const batchSizeRow = {
  type: "number",
  integer: true,
  min: 1,
  max: 256,
  unit: "crops",
  group: "advanced",
  whenAbsent: "chosen from the device",
  describe: "Crops per model call; does not change the polygons",
} as const satisfies NumberRow & { whenAbsent: string };

export const modelRow = {
  type: "text",
  placeholder: "NAME|DIR",
  group: "common",
  describe: "Bundled model or the folder of a model; polyrnn models lists the bundled ones",
} as const satisfies TextRow<string>;

/** The argument of commands that work on one model. */
export const modelPlaceRow = {
  type: "text",
  position: 0,
  placeholder: "NAME|DIR",
  group: "common",
  describe: "Bundled model or the folder of a model",
} as const satisfies TextRow<string>;

export const contextRow = {
  type: "number",
  min: 0,
  max: 1,
  group: "advanced",
  describe: "Margin around the box, as a fraction of its longer side",
} as const satisfies NumberRow;

export const maxStepsRow = {
  type: "number",
  integer: true,
  min: MAX_STEPS_RANGE.low,
  max: MAX_STEPS_RANGE.high,
  unit: "vertices",
  group: "advanced",
  describe: "Longest polygon the decoder may predict",
} as const satisfies NumberRow;

export const candidatesRow = {
  type: "number",
  integer: true,
  min: 1,
  max: MAX_CANDIDATES,
  unit: "polygons",
  group: "advanced",
  describe: "Where a polygon fits its mask and box poorly, predict up to N and keep the best",
} as const satisfies NumberRow;

export const sureRow = {
  type: "number",
  min: 0,
  max: 1,
  group: "advanced",
  describe: "Fit with mask and box from which a polygon is not predicted again",
} as const satisfies NumberRow;

/** What SURE_FROM of predict/options.ts says. */
export const SURE_WHEN_ABSENT = `${SURE_FROM.fine} with a refined mask, else ${SURE_FROM.coarse}`;

// What is read and written.

export const datasetRow = {
  type: "text",
  placeholder: "FILE",
  group: "common",
  describe: "COCO file with the images and categories of a results list",
} as const satisfies TextRow<string>;

export const boxesAreRow = {
  type: "text",
  choices: BOX_UNITS,
  group: "advanced",
  describe: "What boxes count: pixels (Pascal VOC: perhaps from 1), or shares of the image (0 to 1)",
} as const satisfies TextRow<BoxUnit>;

export const formatRow = {
  type: "list",
  choices: OUTPUT_FORMATS,
  group: "common",
  describe: "Output formats, separated by commas",
} as const satisfies ListRow<OutputFormat>;

export const OVERLAY_CHOICES = ["auto", "all", "none"] as const;

export const overlaysRow = {
  type: "text",
  choices: OVERLAY_CHOICES,
  group: "output",
  describe: "Pictures and gallery.html; auto: every image up to 50, beyond that an even sample of 50",
} as const satisfies TextRow<(typeof OVERLAY_CHOICES)[number]>;

export const forceRunRow = {
  type: "flag",
  group: "output",
  default: false,
  describe: "Replace the run that is already in the output folder",
} as const satisfies FlagRow & { default: boolean };

export const forceReportRow = {
  type: "flag",
  group: "output",
  default: false,
  describe: "Replace the report that is already in the output folder",
} as const satisfies FlagRow & { default: boolean };

export const maxFailedRow = {
  type: "text",
  placeholder: "N|P%",
  group: "advanced",
  whenAbsent: "0",
  describe: "Exit with 0 although this many instances failed, or this share of those to predict",
} as const satisfies TextRow<string> & { whenAbsent: string };

// How results are measured.

export const truthRow = {
  type: "text",
  placeholder: "FILE|DIR",
  group: "common",
  describe: "Ground truth with polygons or masks: COCO file or Cityscapes folder",
} as const satisfies TextRow<string>;

export const compareRow = {
  type: "list",
  placeholder: "NAME|NAME=FILE",
  default: ["box", "square", "ellipse"],
  describe: "Compare with box, grabcut, deepmask or another method (a wrong name lists all), or none",
} as const satisfies Omit<ListRow<string>, "group"> & { default: readonly string[] };

export const publishedRow = {
  type: "flag",
  group: "advanced",
  default: false,
  describe: "Show published figures of the papers, measured on other images, beside the measured ones",
} as const satisfies FlagRow & { default: boolean };

export const groupByRow = {
  type: "text",
  placeholder: "FIELD|prefix|none",
  group: "advanced",
  default: "none",
  describe: "Also give means per value of an image field, or per file name prefix (up to the first _)",
} as const satisfies TextRow<string> & { default: string };

export const rasterizerRow = {
  type: "text",
  choices: ["coco", "pil"],
  group: "advanced",
  default: "coco",
  describe: "How polygons become masks: by COCO's rule, or by Pillow's as in the Cityscapes tools",
} as const satisfies TextRow<Rasterizer> & { default: Rasterizer };

export const seedRow = {
  type: "number",
  integer: true,
  min: 0,
  max: 4294967295,
  group: "advanced",
  default: 1,
  describe: "Seed of the confidence intervals",
} as const satisfies NumberRow & { default: number };

export const bootstrapRow = {
  type: "number",
  integer: true,
  min: 0,
  max: 100_000,
  unit: "resamples",
  group: "advanced",
  default: 1000,
  describe: "Bootstrap resamples behind every 95 % interval; 0 turns the intervals off",
} as const satisfies NumberRow & { default: number };

// Work over a queue.

export const queueRow = {
  type: "address",
  placeholder: "ADDRESS",
  group: "common",
  describe: "Redis server of the queue: redis://HOST:6379, or rediss://USER:PASSWORD@HOST for TLS",
} as const satisfies AddressRow;

export const queueTimeoutRow = {
  type: "number",
  min: 1,
  max: 3600,
  unit: "s",
  group: "advanced",
  default: 60,
  describe: "Give up when Redis has not answered for this long",
} as const satisfies NumberRow & { default: number };
