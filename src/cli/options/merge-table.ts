/** The options of `polyrnn merge`. */
import type { MergeOptions } from "../../annotate/merge.js";
import type { OutputFormat } from "../../write/writer.js";
import { colorRow, configRow, jsonRow, type ColorChoice, type ConfigOption, type JsonOption } from "./common-rows.js";
import { datasetRow, formatRow, overlaysRow } from "./drawing-rows.js";
import type { OptionTable } from "./option-table.js";

export interface MergeFlags extends Omit<MergeOptions, "formats">, JsonOption, ConfigOption {
  readonly format?: readonly OutputFormat[];
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

export const mergeTable = {
  parts: {
    type: "list",
    position: 0,
    placeholder: "PART...",
    group: "common",
    required: true,
    describe: "Run folders that annotate --shard wrote, in any order",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    required: true,
    describe: "Output folder: a run folder like that of one machine",
  },
  boxes: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    whenAbsent: "where the parts had them",
    describe: "The boxes that were drawn; their content is checked",
  },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "where the parts had them, if they are there",
    describe: "Image folder, for overlays and for formats that point at images",
  },
  dataset: { ...datasetRow, group: "advanced", whenAbsent: "that of the parts" },
  onlyNew: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "advanced",
    whenAbsent: "that of the parts",
    describe: "The earlier annotations that the parts were drawn with; their content is checked",
  },
  format: { ...formatRow, group: "advanced", whenAbsent: "those of the first part" },
  overlays: { ...overlaysRow, group: "advanced", whenAbsent: "that of the first part" },
  config: configRow,
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
    describe: "No closing words; errors are still printed",
  },
  color: colorRow,
} as const satisfies OptionTable<MergeFlags>;
