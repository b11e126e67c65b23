/**
 * `polyrnn train` stopped by signals and gone on with. Skipped with the reason where TensorFlow.js has no native
 * library.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { loadTfjs } from "../../src/engine/tfjs/load.js";
import { endAll, runInHost, start } from "../helpers/command.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const native = loadTfjs("cpu");
if (!("tf" in native))
  console.log(
    `the training command in a real process skipped: ${native.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`).join("; ")}`,
  );

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const folder = temporaryFolder();
afterEach(endAll);

interface Coco {
  images: { id: number; file_name: string }[];
  annotations: { image_id: number }[];
}

/** @returns file with the annotations of some images of the fixtures */
function part(name: string, isIn: (fileName: string) => boolean): string {
  const coco = JSON.parse(readFileSync(join(FIXTURES, "boxes.json"), "utf8")) as Coco;
  const images = coco.images.filter((image) => isIn(image.file_name));
  const file = join(folder, name);
  writeFileSync(
    file,
    JSON.stringify({
      ...coco,
      images,
      annotations: coco.annotations.filter(({ image_id: id }) => images.some((image) => image.id === id)),
    }),
  );
  return file;
}

const elsewhere = process.env["POLYRNN_TFJS_NODE"];
const env = elsewhere === undefined ? {} : { POLYRNN_TFJS_NODE: elsewhere };

test.skipIf(!("tf" in native))(
  "130: SIGTERM and SIGINT end training with a checkpoint and the command that goes on; no other process gets in meanwhile",
  async () => {
    const out = join(folder, "run");
    const first = start(
      [
        "train",
        "--data",
        part("train.json", (name) => name !== "leaves.jpg"),
        "--val",
        part("val.json", (name) => name === "leaves.jpg"),
        "--images",
        join(FIXTURES, "images"),
        "--model",
        "tiny-random",
        "--batch-size",
        "1",
        "--steps",
        "100000",
        "--validate-every",
        "100000",
        "--report-every",
        "1",
        "--max-steps",
        "10",
        "--out",
        out,
        "--json",
      ],
      { env },
    );
    await first.says("100000 steps of 1 crop");
    const intruder = await runInHost(["train", "--resume", out], env);
    expect(intruder.code, intruder.stderr).toBe(73);
    expect(intruder.stderr).toContain("in use by process");
    first.child.kill("SIGTERM");
    const stopped = await first.ended;
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stderr).toContain(`next: polyrnn train --resume ${out}`);
    const { step } = JSON.parse(stopped.stdout.trimEnd().split("\n").at(-1)!) as { step: number };
    expect(step).toBeGreaterThan(0);

    const resumed = start(["train", "--resume", out, "--json"], { env });
    await resumed.says(`going on after step ${step} of 100000`);
    resumed.child.kill("SIGINT");
    const again = await resumed.ended;
    expect(again.code, again.stderr).toBe(130);
    const lines = readFileSync(join(out, "metrics.ndjson"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { step: number }).step);
    expect(lines).toEqual(lines.map((_, i) => i + 1));
    expect(lines.length).toBeGreaterThanOrEqual(step);
    expect(readdirSync(out)).not.toContain("run.lock");
  },
);
