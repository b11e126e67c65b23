/**
 * A real training process is killed and resumed; needs TensorFlow.js with its native library, skipped with the reason
 * where there is none.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadModel } from "../../src/model/model.js";
import { loadTfjs } from "../../src/engine/tfjs/load.js";
import { readCheckpoint } from "../../src/train/checkpoint.js";
import { withDigests } from "../helpers/digests.js";
import { SMALL } from "../train/small-training.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const loaded = loadTfjs("cpu");
if (!("tf" in loaded))
  console.log(
    `killed training runs skipped: ${loaded.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`).join("; ")}`,
  );
const home = temporaryFolder();

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** @param killAt text of standard error at which the process is killed without notice */
function run(words: readonly string[], killAt?: string): Promise<Ended> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "train-child.mjs"), ...words], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    if (killAt !== undefined && stderr.includes(killAt)) child.kill("SIGKILL");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ code, signal, stderr });
    });
  });
}

/** Lines without the one field that depends on the clock. */
const linesOf = (out: string): object[] =>
  readFileSync(join(out, "metrics.ndjson"), "utf8")
    .trim()
    .split("\n")
    .map((line) => ({ ...(JSON.parse(line) as object), instancesPerSecond: 0 }));

test.skipIf(!("tf" in loaded))(
  "a training process killed with SIGKILL twice and resumed writes the metrics, and ends with the weights, of one that was not",
  async () => {
    const options = { ...SMALL, steps: 10, validateEvery: 6, checkpointEvery: 4, reportEvery: 3 };
    const [straight, killed] = [join(home, "straight"), join(home, "killed")];
    const both = [straight, killed].map((out) => JSON.stringify({ ...options, out }));
    const first = await run(both, "killed: step 5 done"); // one step behind a checkpoint
    expect(first.signal).toBe("SIGKILL");
    expect(first.stderr).toContain("straight: checkpoint 10 written");
    const resumed = await run(["--resume", killed], "step 9 done"); // a line and steps behind a checkpoint
    expect(resumed.signal).toBe("SIGKILL");
    expect(resumed.stderr).toContain("step 5 done");
    expect(resumed.stderr).not.toContain("step 4 done");
    expect(await run(["--resume", killed])).toMatchObject({ code: 0 });
    expect(linesOf(killed)).toEqual(linesOf(straight));
    expect(withDigests((await readCheckpoint(killed)).state)).toEqual(
      withDigests((await readCheckpoint(straight)).state),
    );
    expect((await loadModel(killed)).hash).toBe((await loadModel(straight)).hash);
  },
  300_000,
);
