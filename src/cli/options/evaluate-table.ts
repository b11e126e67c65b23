/** The options of `polyrnn evaluate`. */
import type { MatchBy } from "../../evaluate/match-predictions.js";
import type { Rasterizer } from "../../evaluate/report-types.js";
import { colorRow, configRow, jsonRow, type ColorChoice, type ConfigOption, type JsonOption } from "./common-rows.js";
import type { OptionTable } from "./option-table.js";
import { bootstrapRow, groupByRow, rasterizerRow, seedRow } from "./report-rows.js";

export interface EvaluateFlags extends JsonOption, ConfigOption {
  readonly predictions: string;
  readonly truth: string;
  readonly images?: string;
  readonly compare: readonly string[];
  readonly out?: string;
  readonly failUnder?: number;
  readonly groupBy: string;
  readonly rasterizer: Rasterizer;
  readonly matchBy?: MatchBy;
  readonly minArea: number;
  readonly context?: number;
  readonly seed: number;
  readonly bootstrap: number;
  readonly force: boolean;
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

export const evaluateTable = {
  predictions: {
    type: "text",
    position: 0,
    placeholder: "PREDICTIONS",
    group: "common",
    required: true,
    describe: "Polygons to judge: annotations.json of a run, or a COCO results list with segmentations",
  },
  truth: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    required: true,
    describe: "Ground truth with polygons or masks: COCO file or Cityscapes folder",
  },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "that of the run, for pictures and GrabCut",
    describe: "Image folder; also gives the images' sizes where the truth does not",
  },
  compare: {
    type: "list",
    placeholder: "NAME|NAME=FILE",
    group: "common",
    default: ["box", "square", "ellipse"],
    describe:
      "Methods beside the predictions: box, square, ellipse, grabcut, other result files as name=other.json, or none",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "polyrnn-eval beside the predictions",
    describe: "Output folder",
  },
  failUnder: {
    type: "number",
    min: 0,
    max: 1,
    group: "common",
    whenAbsent: "no limit",
    describe: "Exit code 1 when the mean IoU over instances is lower",
  },
  groupBy: groupByRow,
  rasterizer: rasterizerRow,
  matchBy: {
    type: "text",
    choices: ["id", "box"],
    group: "advanced",
    whenAbsent: "id, or box for a results list",
    describe: "How a prediction finds its instance: by annotation id, or by image, category and overlap of the boxes",
  },
  minArea: {
    type: "number",
    min: 0,
    unit: "px",
    group: "advanced",
    default: 0,
    describe: "Leave parts of the truth below this area out of it; the Cityscapes protocol has 100",
  },
  context: {
    type: "number",
    min: 0,
    max: 1,
    group: "advanced",
    whenAbsent: "that of the run, else 0.15",
    describe: "Margin of the network's crop around the box, as a part of its long side; for the grid ceiling",
  },
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
    describe: "No progress and no closing words; errors are still printed",
  },
  color: colorRow,
} as const satisfies OptionTable<EvaluateFlags>;
