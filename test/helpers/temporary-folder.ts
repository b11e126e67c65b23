import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEMPORARY_HOME } from "./temporary-home.js";

/** An empty folder of its own. It is gone after the last test of the run. */
export function temporaryFolder(): string {
  return mkdtempSync(join(process.env[TEMPORARY_HOME] ?? tmpdir(), "polyrnn-test-"));
}
