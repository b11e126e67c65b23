/** The options of `polyrnn annotate`. */
import type { AnnotateOptions } from "../../annotate/options.js";
import { DEFAULT_CANDIDATES } from "../../predict/decode-best.js";
import type { OutputFormat } from "../../write/writer.js";
import { colorRow, configRow, jsonRow, type ColorChoice, type ConfigOption, type JsonOption } from "./common-rows.js";
import {
  candidatesRow,
  contextRow,
  datasetRow,
  deviceRow,
  formatRow,
  maxStepsRow,
  modelRow,
  overlaysRow,
  threadsRow,
} from "./drawing-rows.js";
import type { OptionTable } from "./option-table.js";
import { queueRow, queueTimeoutRow } from "./queue-table.js";

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
