/**
 * One folder for all that the tests of a run write, removed at its end. Files of a project may share their process, and
 * what one of them has made is used by the next: nothing can go earlier.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where it is, for test/helpers/temporary-folder.ts. */
export const TEMPORARY_HOME = "TEST_TEMPORARY_HOME";

export default function setup(): (() => void) | undefined {
  // Every project asks for it; the first makes it.
  if (process.env[TEMPORARY_HOME] !== undefined) return undefined;
  const home = mkdtempSync(join(tmpdir(), "polyrnn-test-"));
  process.env[TEMPORARY_HOME] = home;
  return () => {
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  };
}
