/** The options of `polyrnn simulate-clicks`. */
import { DEFAULT_CANDIDATES } from "../../predict/decode-best.js";
import type { ClickMatch, ClickMetric, Rasterizer } from "../../evaluate/report-types.js";
import type { DeviceChoice } from "../../runtime/devices.js";
import { colorRow, configRow, jsonRow, type ColorChoice, type ConfigOption, type JsonOption } from "./common-rows.js";
import { candidatesRow, contextRow, deviceRow, maxStepsRow, modelRow, threadsRow } from "./drawing-rows.js";
import type { OptionTable } from "./option-table.js";
import { bootstrapRow, groupByRow, rasterizerRow, seedRow } from "./report-rows.js";

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
  maxSteps: { ...maxStepsRow, whenAbsent: "the run's, else 71" },
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
