/** Rows that the commands that draw share: what draws and how, and in which formats the polygons go out. */
import { MAX_CANDIDATES } from "../../predict/decode-best.js";
import type { DeviceChoice } from "../../runtime/devices.js";
import { OUTPUT_FORMATS, type OutputFormat } from "../../write/writer.js";
import type { ListRow, NumberRow, TextRow } from "./option-table.js";

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
  min: 3,
  max: 500,
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
