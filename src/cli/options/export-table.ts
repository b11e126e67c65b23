/** The options of `polyrnn export`. */
import { jsonRow, type JsonOption } from "./common-rows.js";
import type { OptionTable } from "./option-table.js";

export interface ExportFlags extends JsonOption {
  readonly model: string;
  readonly format: "onnx";
  readonly out: string;
}

export const exportTable = {
  model: {
    type: "text",
    position: 0,
    placeholder: "NAME|DIR",
    group: "common",
    required: true,
    describe: "Bundled model or folder of a model",
  },
  format: {
    type: "text",
    choices: ["onnx"],
    group: "common",
    default: "onnx",
    describe: "What to write",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    default: "polyrnn-onnx",
    describe: "Folder for encoder.onnx, step.onnx and polyrnn.onnx",
  },
  json: jsonRow,
} as const satisfies OptionTable<ExportFlags>;
