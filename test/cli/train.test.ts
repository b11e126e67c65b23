/**
 * The whole command in process. What computes needs the native library of TensorFlow.js (@tensorflow/tfjs-node or -gpu,
 * or the folder POLYRNN_TFJS_NODE names) and is skipped with the reason where there is none.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { run } from "../../src/cli/run.js";
import { loadTfjs } from "../../src/engine/tfjs/load.js";
import { loadModel, verifyModel } from "../../src/model/model.js";
import { serializeSafetensors } from "../../src/model/safetensors.js";
import { folderWith } from "../dataset/temporary-folder.js";
import type { MemoryTerminal } from "./memory-terminal.js";
import { memoryTerminal } from "./memory-terminal.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const IMAGES = join(FIXTURES, "images");
/** Images that are validated on; the others are trained on. */
const VALIDATION_IMAGES = ["leaves.jpg", "aquarium.jpg"];

interface Coco {
  images: { id: number; file_name: string; source?: string }[];
  annotations: { image_id: number }[];
}

const native = loadTfjs("cpu");
if (!("tf" in native))
  console.log(
    `tests of whole training runs skipped: ${native.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`).join("; ")}`,
  );
const hasNative = "tf" in native;

let folder: string;
let data: string[];
beforeAll(async () => {
  const coco = JSON.parse(await readFile(join(FIXTURES, "boxes.json"), "utf8")) as Coco;
  const part = (isIn: (name: string) => boolean): Coco => {
    const images = coco.images
      .filter(({ file_name: name }) => isIn(name))
      .map((image, at) => ({ ...image, source: at % 2 === 0 ? "day" : "night" }));
    return {
      ...coco,
      images,
      annotations: coco.annotations.filter(({ image_id: id }) => images.some((image) => image.id === id)),
    };
  };
  folder = await folderWith({
    "train.json": part((name) => !VALIDATION_IMAGES.includes(name)),
    "val.json": part((name) => VALIDATION_IMAGES.includes(name)),
  });
  data = [
    "--data",
    join(folder, "train.json"),
    "--images",
    IMAGES,
    "--val",
    join(folder, "val.json"),
    "--max-val-instances",
    "4",
  ];
});

const TINY = ["--model", "tiny-random", "--batch-size", "1", "--max-steps", "12", "--report-every", "1"];

const train = (words: readonly string[], terminal: MemoryTerminal): Promise<number> =>
  run(["train", ...words], terminal);

const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test.skipIf(!hasNative)(
  "a run is a model folder: progress in words, JSON lines, a page, a model that can be checked and exported",
  async () => {
    const out = join(folder, "whole");
    const terminal = memoryTerminal();
    expect(
      await train([...data, ...TINY, "--out", out, "--steps", "4", "--validate-every", "2", "--json"], terminal),
      terminal.stderr.text,
    ).toBe(0);

    expect((await readdir(out)).sort()).toEqual([
      "checkpoint",
      "metrics.ndjson",
      "model.json",
      "model.safetensors",
      "run.json",
      "training.html",
    ]);
    const lines = linesOf(terminal.stdout.text);
    expect(lines.map(({ type }) => type)).toEqual([
      "started",
      "checkpoint",
      "step",
      "step",
      "validation",
      "checkpoint",
      "step",
      "step",
      "validation",
      "checkpoint",
      "summary",
    ]);
    expect(lines[0]).toMatchObject({
      version: 1,
      bySource: { day: expect.any(Number) as number, night: expect.any(Number) as number },
      validationInstances: 4,
    });
    expect(lines.at(-1)).toMatchObject({ version: 1, command: "train", reason: "done", step: 4 });
    expect(terminal.stderr.text).toContain("left out: ");
    expect(terminal.stderr.text).toMatch(/validation at step 2: IoU \d\.\d{3}.*the box itself \d\.\d{3}; day \d/);
    expect(terminal.stderr.text).toContain("4 steps done");

    const page = await readFile(join(out, "training.html"), "utf8");
    expect(page).toContain("Step 2: mean IoU");
    expect(page).toContain("Step 4: mean IoU");
    expect(page.match(/<g id="crop-/g)).toHaveLength(4);
    expect((await loadModel(out)).card.scores.at(-1)).toMatchObject({ source: "all", instances: 4 });
    expect((await verifyModel(out)).weightsProblem).toBeUndefined();
    expect(await run(["export", out, "--format", "onnx", "--out", join(folder, "onnx")], memoryTerminal())).toBe(0);
    expect((await readdir(join(folder, "onnx"))).sort()).toEqual(["encoder.onnx", "polyrnn.onnx", "step.onnx"]);

    const again = memoryTerminal();
    expect(await train([...data, ...TINY, "--out", out], again)).toBe(73);
    expect(again.stderr.text).toContain(`polyrnn train --resume ${out}`);
  },
);

test.skipIf(!hasNative)(
  "a stopped run says the command that goes on; resumed, it takes its options from the folder and ends",
  async () => {
    const out = join(folder, "stopped");
    const terminal = memoryTerminal();
    terminal.stop.abort();
    expect(
      await train([...data, ...TINY, "--out", out, "--steps", "2", "--validate-every", "2"], terminal),
      terminal.stderr.text,
    ).toBe(130);
    expect(terminal.stderr.text).toContain(`next: polyrnn train --resume ${out}\n`);

    const other = memoryTerminal();
    expect(await train(["--resume", out, "--steps", "9", "--learning-rate", "0.25", "--batch-size", "1"], other)).toBe(
      2,
    );
    expect(other.stderr.text).toContain(
      "--steps is 9, in the run it is 2; --learning-rate is 0.25, in the run it is 0.0015",
    );
    expect(other.stderr.text).not.toContain("--batch-size is");

    const resumed = memoryTerminal();
    expect(await train(["--resume", out, "--steps", "2", "--out", out], resumed), resumed.stderr.text).toBe(0);
    expect(resumed.stderr.text).toContain("2 steps done");
    expect(
      linesOf(await readFile(join(out, "metrics.ndjson"), "utf8")).map(
        ({ type, step }) => `${String(type)} ${String(step)}`,
      ),
    ).toEqual(["step 1", "step 2", "validation 2"]);
    expect(await readdir(out)).not.toContain("run.lock");
  },
);

test.skipIf(!hasNative)("without validation the newest weights are the model", async () => {
  const out = join(folder, "unjudged");
  const terminal = memoryTerminal();
  const words = data.slice(0, 4);
  expect(
    await train([...words, "--val", "none", ...TINY, "--out", out, "--steps", "1"], terminal),
    terminal.stderr.text,
  ).toBe(0);
  expect((await verifyModel(out)).files.every(({ problem }) => problem === undefined)).toBe(true);
});

test.skipIf(!hasNative)(
  "losses that are no numbers end the run with 1 and the step; the checkpoint before it is whole",
  async () => {
    const { weights } = await loadModel("tiny-random");
    const huge = new Map(
      [...weights].map(([name, { shape, values }]) => [
        name,
        { shape, values: Float32Array.from(values, (value) => value * 1e30) },
      ]),
    );
    const init = join(folder, "huge.safetensors");
    await writeFile(init, serializeSafetensors(huge, { dtype: "F32" }));
    const out = join(folder, "diverged");
    const terminal = memoryTerminal();
    expect(
      await train([...data, ...TINY, "--init", init, "--out", out, "--steps", "2", "--json"], terminal),
      terminal.stderr.text,
    ).toBe(1);
    expect(linesOf(terminal.stdout.text).at(-1)).toMatchObject({
      type: "error",
      code: "E_DIVERGED",
      message: expect.stringContaining("step 1") as string,
    });
    expect(await readdir(join(out, "checkpoint"))).toContain("state.json");
  },
);

test("a folder of another command is no run to go on with", async () => {
  const terminal = memoryTerminal();
  expect(await train(["--resume", FIXTURES], terminal)).toBe(66);
  expect(terminal.stderr.text).toContain("Name the folder of a run of polyrnn train.");
});

test.skipIf(!hasNative)("images that are in both files are named, before anything is trained", async () => {
  const terminal = memoryTerminal();
  const words = [
    "--data",
    join(folder, "train.json"),
    "--images",
    IMAGES,
    "--val",
    join(folder, "train.json"),
    ...TINY,
    "--out",
    join(folder, "both"),
  ];
  expect(await train(words, terminal)).toBe(65);
  expect(terminal.stderr.text).toContain('"street.jpg"');
});

describe("wrong usage ends with 2 and says what to do", () => {
  test.each([
    { words: ["--validateevery", "3"], says: "Did you mean --validate-every?" },
    { words: ["--smothing", "3"], says: "Did you mean --smoothing?" },
    { words: ["--learning-rate", "NaN"], says: "--learning-rate: expected a number" },
    { words: ["--steps", "0"], says: "--steps: expected a whole number from 1" },
    { words: ["--ema", "1"], says: "--ema: expected a number from 0 to 0.999999" },
    { words: ["--schedule", "linear"], says: "--schedule: expected one of cosine, step" },
    { words: ["--drop-every", "5"], says: "--drop-every is for --schedule step" },
    { words: ["--loss-weight", "edges=1"], says: "Did you mean edge?" },
    { words: ["--loss-weight", "edge=x"], says: '--loss-weight: expected NAME=NUMBER but received "edge=x"' },
    { words: ["--loss-weight", "edge=1,edge=2"], says: '"edge" twice' },
    { words: ["--augment", "flipp=0.5"], says: "Did you mean flip?" },
    { words: ["--augment", "flip=7"], says: "expected a number from 0 to 1, received 7" },
    { words: ["--augment", "random-start=0.5"], says: "--augment random-start: expected 0 or 1" },
    { words: ["--source-weight", "coco"], says: "--source-weight: expected NAME=NUMBER" },
  ])("$words", async ({ words, says }) => {
    const terminal = memoryTerminal();
    expect(await train([...data, ...TINY, "--out", join(folder, "never"), ...words], terminal)).toBe(2);
    expect(terminal.stderr.text).toContain(says);
    expect(await readdir(folder)).not.toContain("never");
  });

  test.skipIf(!hasNative).each([
    { words: ["--source-weight", "day=1,nigth=2"], says: "nigth" },
    { words: ["--freeze", "block_99"], says: "block_99" },
  ])("$words, once the data and the network are open", async ({ words, says }) => {
    const terminal = memoryTerminal();
    const out = join(folder, "soon");
    expect(await train([...data, ...TINY, "--out", out, ...words], terminal)).toBe(2);
    expect(terminal.stderr.text).toContain(says);
    expect(await readdir(out).catch(() => [])).toEqual([]);
  });

  test.each(["--data", "--images", "--val"])("without %s", async (name) => {
    const terminal = memoryTerminal();
    const at = data.indexOf(name);
    expect(await train([...data.slice(0, at), ...data.slice(at + 2), ...TINY], terminal)).toBe(2);
    expect(terminal.stderr.text).toContain(`${name} `);
    expect(terminal.stderr.text).toContain("is missing");
  });

  test("options of a validation that is not wanted", async () => {
    const terminal = memoryTerminal();
    expect(await train([...data.slice(0, 4), "--val", "none", "--validate-every", "3"], terminal)).toBe(2);
    expect(terminal.stderr.text).toContain("--validate-every is for a run with validation");
  });
});
