/**
 * onnxruntime 1.30 for Linux reports usage unless told not to, and leaves a log named after the process where it does.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { endAll, start } from "../helpers/command.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
afterEach(endAll);

async function leavesTelemetryLog(env: Record<string, string>): Promise<boolean> {
  const folder = temporaryFolder();
  const words = [
    "annotate",
    join(FIXTURES, "images"),
    "--boxes",
    join(FIXTURES, "boxes.json"),
    "--model",
    "tiny-random",
    "--limit",
    "2",
    "--max-steps",
    "3",
    "--device",
    "cpu",
  ];
  const run = start([...words, "--out", join(folder, "out"), "--overlays", "none"], { env: { CI: "", ...env } }); // with CI=true the library is silent of itself
  expect([0, 1]).toContain((await run.ended).code);
  const log = `/tmp/mat-debug-${run.child.pid ?? 0}.log`;
  const isThere = existsSync(log);
  rmSync(log, { force: true });
  return isThere;
}

test.skipIf(process.platform !== "linux")(
  "a run tells onnxruntime to report nothing, unless the user asked for reports",
  async () => {
    expect(await leavesTelemetryLog({})).toBe(false);
    // The other way around, so that this test would notice if the log were written elsewhere.
    expect(await leavesTelemetryLog({ ORT_DISABLE_TELEMETRY: "0" })).toBe(true);
  },
);
