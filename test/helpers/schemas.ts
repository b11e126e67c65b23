/** What a run has written, held against the schemas that the package publishes. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SCHEMAS } from "../../src/library/schemas.js";
import { compileSchema, describeViolation } from "../../src/validate.js";

type SchemaName = keyof typeof SCHEMAS;

/** Files of a run folder; those with several JSON lines by the schema of a line. */
const FILES = {
  "run.json": "run",
  "summary.json": "summary",
  "journal.ndjson": "journal-line",
  "review.ndjson": "review-line",
} as const satisfies Record<string, SchemaName>;

/** @returns for each file that is there what does not fit its schema, the line in front; empty texts never */
export function schemaProblems(folder: string): { readonly checked: number; readonly problems: string[] } {
  let checked = 0;
  const problems = Object.entries(FILES).flatMap(([file, name]) => {
    const path = join(folder, file);
    if (!existsSync(path)) return [];
    const text = readFileSync(path, "utf8");
    const problemOf = compileSchema(SCHEMAS[name]);
    const values = file.endsWith(".ndjson") ? text.trimEnd().split("\n") : [text];
    checked += values.length;
    return values.flatMap((value, at) => {
      const problem = problemOf(JSON.parse(value));
      return problem === undefined ? [] : [`${file} ${at + 1}: ${describeViolation(problem)}`];
    });
  });
  return { checked, problems };
}
