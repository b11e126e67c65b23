/** Rows that several commands share: how to print. */
import type { DeviceChoice } from "../engine/devices.js";
import { MAX_CANDIDATES, MAX_STEPS_RANGE } from "../predict/options.js";
import type { Rasterizer } from "../report/types.js";
import type { OutputFormat } from "../write/writer.js";
import { OUTPUT_FORMATS } from "../write/writer.js";
import type { FlagRow, ListRow, NumberRow, TextRow } from "./option-table.js";

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
  describe: "JSON object with option names as keys; the environment and flags go before it",
} as const satisfies TextRow<string>;

/* Rows that the commands that draw share: what draws and how, and in which formats the polygons go out. */

export const deviceRow = {
  type: "text",
  choices: ["auto", "cuda", "webgpu", "cpu"],
  group: "common",
  default: "auto",
  describe: "What computes; auto takes the first of cuda, webgpu, cpu that works, polyrnn doctor says why",
} as const satisfies TextRow<DeviceChoice> & { default: DeviceChoice };

export const threadsRow = {
  type: "number",
  integer: true,
  min: 1,
  max: 256,
  unit: "cores",
  group: "advanced",
  describe: "Where the CPU draws, compute on so many cores; does not change the polygons",
} as const satisfies NumberRow;

export const modelRow = {
  type: "text",
  placeholder: "NAME|DIR",
  group: "common",
  describe: "Folder of a model, or a bundled one; polyrnn models lists them",
} as const satisfies TextRow<string>;

export const contextRow = {
  type: "number",
  min: 0,
  max: 1,
  group: "advanced",
  describe: "Margin around the box, as a part of its long side",
} as const satisfies NumberRow;

export const maxStepsRow = {
  type: "number",
  integer: true,
  min: MAX_STEPS_RANGE.low,
  max: MAX_STEPS_RANGE.high,
  unit: "vertices",
  group: "advanced",
  describe: "Longest polygon the decoder may draw",
} as const satisfies NumberRow;

export const candidatesRow = {
  type: "number",
  integer: true,
  min: 1,
  max: MAX_CANDIDATES,
  unit: "polygons",
  group: "advanced",
  describe:
    "Where a polygon fits the network's own mask and its box badly, draw up to so many, here and in the mirror, and keep the best; 1 draws once",
} as const satisfies NumberRow;

export const datasetRow = {
  type: "text",
  placeholder: "FILE",
  group: "common",
  describe: "COCO file with the images and categories of a results list",
} as const satisfies TextRow<string>;

export const formatRow = {
  type: "list",
  choices: OUTPUT_FORMATS,
  group: "common",
  describe: "Formats to write, separated by commas",
} as const satisfies ListRow<OutputFormat>;

export const OVERLAY_CHOICES = ["auto", "all", "none"] as const;

export const overlaysRow = {
  type: "text",
  choices: OVERLAY_CHOICES,
  group: "output",
  describe: "Pictures of the result; auto: every image up to 50, beyond that an even sample of 50",
} as const satisfies TextRow<(typeof OVERLAY_CHOICES)[number]>;

/*
 * Rows that the commands that measure share: how masks are filled, how instances are grouped, how sure the means are.
 */

export const groupByRow = {
  type: "text",
  placeholder: "FIELD|prefix|none",
  group: "advanced",
  default: "none",
  describe:
    "Also give means per value of a field of the truth's images, or per prefix of the file names (up to the first _)",
} as const satisfies TextRow<string> & { default: string };

export const rasterizerRow = {
  type: "text",
  choices: ["coco", "pil"],
  group: "advanced",
  default: "coco",
  describe: "How polygons become masks: COCO's rule or Pillow's, as the Cityscapes tools do",
} as const satisfies TextRow<Rasterizer> & { default: Rasterizer };

export const seedRow = {
  type: "number",
  integer: true,
  min: 0,
  max: 4294967295,
  group: "advanced",
  default: 1,
  describe: "Seed of the intervals",
} as const satisfies NumberRow & { default: number };

export const bootstrapRow = {
  type: "number",
  integer: true,
  min: 0,
  max: 100_000,
  unit: "draws",
  group: "advanced",
  default: 1000,
  describe: "Draws behind every 95 % interval; 0 gives no intervals",
} as const satisfies NumberRow & { default: number };
