import { REPORT_SCHEMA } from "../../src/report/schema.js";
import { compileSchema } from "../../src/validate.js";

/** @returns undefined for a valid report, else the first thing that is wrong with it */
export const checkReport = compileSchema(REPORT_SCHEMA);
