/** The options of `polyrnn models` and the commands below it. */
import { jsonRow, type JsonOption } from "./common-rows.js";
import type { OptionTable } from "./option-table.js";

export const modelsTable = { json: jsonRow } as const satisfies OptionTable<JsonOption>;

export interface ShowFlags extends JsonOption {
  readonly name: string;
}

export const modelsShowTable = {
  name: {
    type: "text",
    position: 0,
    placeholder: "NAME|DIR",
    group: "common",
    required: true,
    describe: "Bundled model or folder of a model",
  },
  json: jsonRow,
} as const satisfies OptionTable<ShowFlags>;

export interface VerifyFlags extends JsonOption {
  readonly name?: string;
}

export const modelsVerifyTable = {
  name: {
    type: "text",
    position: 0,
    placeholder: "NAME|DIR",
    group: "common",
    whenAbsent: "all bundled models",
    describe: "Bundled model or folder of a model",
  },
  json: jsonRow,
} as const satisfies OptionTable<VerifyFlags>;

export interface ImportFlags extends JsonOption {
  readonly architecture: "vgg16";
  readonly file: string;
  readonly out: string;
  readonly name: string;
  readonly peepholes: boolean;
  readonly seed: number;
}

export const modelsImportTable = {
  architecture: {
    type: "text",
    position: 0,
    choices: ["vgg16"],
    group: "common",
    required: true,
    describe: "What the weights are of",
  },
  file: {
    type: "text",
    position: 1,
    placeholder: "FILE",
    group: "common",
    required: true,
    describe: "Safetensors file with the ImageNet weights, in torchvision's or Keras' names",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    required: true,
    describe: "Folder of the new model; empty or absent",
  },
  name: {
    type: "text",
    placeholder: "NAME",
    group: "advanced",
    default: "vgg16-imagenet",
    describe: "Name on the card: lower case letters, digits, dots, dashes",
  },
  peepholes: {
    type: "flag",
    group: "advanced",
    default: false,
    describe: "Give the ConvLSTM the optional peephole terms",
  },
  seed: {
    type: "number",
    integer: true,
    min: 0,
    max: 4294967295,
    group: "advanced",
    default: 1,
    describe: "Seed of the weights that ImageNet does not have",
  },
  json: jsonRow,
} as const satisfies OptionTable<ImportFlags>;
