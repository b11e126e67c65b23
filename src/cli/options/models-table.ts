/** The options of `polyrnn models` and the commands below it. */
import { jsonRow, type JsonOption } from "./common-rows.js";
import type { OptionTable } from "./option-table.js";

export const modelsTable = { json: jsonRow } as const satisfies OptionTable<JsonOption>;

export interface ShowFlags extends JsonOption {
  readonly name: string;
}

export const modelsShowTable = {
  name: {
    type: "text", position: 0, placeholder: "NAME|DIR", group: "common", required: true,
    describe: "Bundled model or folder of a model",
  },
  json: jsonRow,
} as const satisfies OptionTable<ShowFlags>;

export interface VerifyFlags extends JsonOption {
  readonly name?: string;
}

export const modelsVerifyTable = {
  name: {
    type: "text", position: 0, placeholder: "NAME|DIR", group: "common", whenAbsent: "all bundled models",
    describe: "Bundled model or folder of a model",
  },
  json: jsonRow,
} as const satisfies OptionTable<VerifyFlags>;
