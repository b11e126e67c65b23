/** The options of `polyrnn doctor`. */
import { jsonRow, type JsonOption } from "./common-rows.js";
import type { OptionTable } from "./option-table.js";

export type DoctorFlags = JsonOption;

export const doctorTable = { json: jsonRow } as const satisfies OptionTable<DoctorFlags>;
