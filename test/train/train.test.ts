/** Whole runs with the tiny network over libtensorflow; skipped with the reason where it is not there. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import { loadModel } from "../../src/model/model.js";
import { serializeSafetensors } from "../../src/model/safetensors.js";
import { loadTfjs } from "../../src/engine/tfjs/load.js";
import { RunLock } from "../../src/runs/lock.js";
import { readCheckpoint } from "../../src/train/checkpoint.js";
import type { MetricsLine, RunStarted } from "../../src/train/events.js";
import { resumeTraining, train } from "../../src/train/train.js";
import { writeAsVersion2 } from "./earlier-run.js";
import { withDigests } from "../helpers/digests.js";
import { SMALL } from "./small-training.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const loaded = loadTfjs("cpu");
if (!("tf" in loaded))
  console.log(
    `training runs skipped: ${loaded.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`).join("; ")}`,
  );
const home = temporaryFolder();

const linesOf = (out: string): MetricsLine[] =>
  readFileSync(join(out, "metrics.ndjson"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as MetricsLine);
async function failureOf(work: Promise<unknown>): Promise<PolyrnnError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof PolyrnnError)) throw new Error(`expected a PolyrnnError, received ${String(thrown)}`);
  return thrown;
}

/** A run that nothing disturbs, to look at and to compare with; made once. */
const undisturbed = (() => {
  let made: Promise<{ readonly straight: string; readonly ended: Awaited<ReturnType<typeof train>> }> | undefined;
  return () =>
    (made ??= (async () => {
      const straight = join(home, "undisturbed");
      return { straight, ended: await train({ ...SMALL, out: straight }) };
    })());
})();

test("a folder that another process trains in is refused before anything in it is touched, new or resumed", async () => {
  const out = join(home, "taken");
  mkdirSync(out);
  const lock = await RunLock.take(out, () => undefined);
  const open = (): never => expect.unreachable("nothing is trained");
  const device = { device: "cpu", version: "none", openTrainer: open, openEngine: open } as const;
  const run = { formatVersion: 3, type: "training", options: { ...SMALL, out }, data: {}, start: {} };
  writeFileSync(join(out, "run.json"), JSON.stringify(run));
  writeFileSync(join(out, "model.json.partial"), "of the run under way");
  const before = readdirSync(out);
  for (const attempt of [train({ ...SMALL, out }, {}, { device }), resumeTraining(out, {}, { device })])
    expect(await failureOf(attempt)).toMatchObject({ code: "E_OUT_IN_USE", exitCode: 73 });
  expect(readdirSync(out)).toEqual(before);
  await lock.release();
});

describe.skipIf(!("tf" in loaded))("a training run", () => {
  test("leaves a model folder whose card says data, recipe, seed, steps, scores and hashes, and nothing half-written", async () => {
    const { straight: out, ended } = await undisturbed();
    expect(ended).toMatchObject({ reason: "done", step: 6 });
    const { card, network } = await loadModel(out);
    expect(network.weightShapes.size).toBeGreaterThan(10);
    expect(card.trainingData).toMatch(/^12 instances in \d+ images of boxes\.json/);
    expect(card.recipe).toMatch(/of 6 steps of 2 crops on tfjs on cpu .*seed 5; start: random weights from seed 5/);
    const validations = linesOf(out).filter((line) => line.type === "validation");
    expect(validations.map(({ step }) => step)).toEqual([4, 6]);
    const best = validations.find(({ step }) => step === ended.best?.step)!;
    expect(card.scores.find(({ source }) => source === "all")).toMatchObject({
      dataset: "gtFine",
      instances: 4,
      meanIoU: best.all.iou,
      boxIoU: best.all.boxIou,
    });
    expect(Object.keys(card.files)).toEqual(["model.safetensors"]);
    expect(readdirSync(out).sort()).toEqual([
      "checkpoint",
      "metrics.ndjson",
      "model.json",
      "model.safetensors",
      "run.json",
    ]);
    expect(readdirSync(join(out, "checkpoint")).sort()).toEqual(["state.json", "step-00000006.safetensors"]);
    expect(
      linesOf(out)
        .filter((line) => line.type === "step")
        .map(({ step }) => step),
    ).toEqual([2, 4, 6]);
  });

  test("refuses a folder with something in it, and leaves that alone", async () => {
    const out = join(home, "full");
    mkdirSync(out);
    writeFileSync(join(out, "notes.txt"), "mine");
    expect((await failureOf(train({ ...SMALL, out }))).code).toBe("E_OUT_NOT_EMPTY");
    expect(readdirSync(out)).toEqual(["notes.txt"]);
  });

  test("starts from some of the weights, and says how many were taken", async () => {
    const out = join(home, "partial");
    const file = join(home, "trunk.safetensors");
    const kernel = { shape: [4, 3, 3, 3], values: new Float32Array(108).fill(0.125) };
    writeFileSync(
      file,
      serializeSafetensors(
        new Map([
          ["encoder.conv_2.weight", kernel],
          ["of.another.network", kernel],
        ]),
        { dtype: "F32" },
      ),
    );
    let started: RunStarted | undefined;
    await train(
      { ...SMALL, out, init: file, freeze: "conv_2", steps: 1 },
      {
        started: (run) => {
          started = run;
        },
      },
    );
    expect(started?.start).toMatch(
      /^1 tensor of trunk\.safetensors \(sha256 [0-9a-f]{12}\), \d+ random from seed 5; 1 tensor of the file without a place left out$/,
    );
    const { weights } = await loadModel(out);
    expect(weights.get("encoder.conv_2.weight")!.values).toEqual(kernel.values);
    const none = join(home, "none.safetensors");
    writeFileSync(none, serializeSafetensors(new Map([["of.another.network", kernel]]), { dtype: "F32" }));
    expect((await failureOf(train({ ...SMALL, out: join(home, "other"), init: none }))).message).toContain(
      "none of its 1 fits by name and shape",
    );
  });

  test("stops at the step whose losses are not finite, names it, and keeps the checkpoint before it", async () => {
    const out = join(home, "diverged");
    const error = await failureOf(
      train({
        ...SMALL,
        out,
        learningRate: 10,
        backboneLearningRate: 10,
        warmup: 0,
        weightDecay: 1,
        steps: 400,
        checkpointEvery: 1,
        reportEvery: 1,
        validateEvery: 400,
      }),
    );
    expect(error.code).toBe("E_DIVERGED");
    const step = Number(/^step (\d+): expected finite losses but received total/.exec(error.message)![1]);
    expect(step).toBeGreaterThan(1);
    const { state } = await readCheckpoint(out);
    expect(state.step).toBe(step - 1);
    expect([...state.weights.values()].every(({ values }) => values.every(Number.isFinite))).toBe(true);
    expect(linesOf(out).at(-1)!.step).toBe(step - 1);
  });

  const canMount = process.getuid?.() === 0 && canMountTmpfs();
  if (!canMount) console.log("training on a full disk skipped: no tmpfs can be mounted here");
  test.skipIf(!canMount)(
    "on a disk that fills during a checkpoint keeps the one before, says so, and goes on when there is room",
    async () => {
      const out = join(home, "disk");
      const { straight } = await undisturbed();
      mkdirSync(out);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", out]); // one checkpoint of 5.7 MB, not two
      try {
        const error = await failureOf(train({ ...SMALL, out }));
        expect(error.code).toBe("E_WRITE");
        expect(error.message).toMatch(
          /^checkpoint of step 3: .*the disk is full \(ENOSPC\); the one of step 0 is whole$/,
        );
        expect((await readCheckpoint(out)).state.step).toBe(0);
        execFileSync("mount", ["-o", "remount,size=100m", out]);
        await resumeTraining(out);
        const timeless = (line: MetricsLine): object => ({ ...line, instancesPerSecond: 0 });
        expect(linesOf(out).map(timeless)).toEqual(linesOf(straight).map(timeless));
        expect((await loadModel(out)).hash).toBe((await loadModel(straight)).hash);
      } finally {
        execFileSync("umount", [out]);
      }
    },
  );

  test("stops when it is told to, and goes on to the same weights", async () => {
    const out = join(home, "stopped");
    const { straight } = await undisturbed();
    const stop = new AbortController();
    const ended = await train(
      { ...SMALL, checkpointEvery: 100, out },
      {
        step: ({ step }) => {
          if (step === 3) stop.abort();
        },
      },
      { signal: stop.signal },
    );
    expect(ended).toMatchObject({ reason: "stopped", step: 3 });
    await resumeTraining(out);
    expect(withDigests((await readCheckpoint(out)).state)).toEqual(withDigests((await readCheckpoint(straight)).state));
  });

  test("a run that an earlier version began, with its names of the options, goes on to the same weights", async () => {
    const [out, straight] = [join(home, "earlier"), join(home, "later")];
    const { validation: _validation, ...options } = { ...SMALL, steps: 2 };
    await train({ ...options, out: straight });
    const stop = new AbortController();
    const stopAtOnce = (): void => {
      stop.abort();
    };
    await train({ ...options, out }, { step: stopAtOnce }, { signal: stop.signal });
    writeAsVersion2(out);
    const started: RunStarted[] = [];
    const ended = await resumeTraining(out, { started: (run) => void started.push(run) });
    expect(ended).toMatchObject({ reason: "done", step: 2 });
    expect(started).toMatchObject([{ start: "random weights from seed 5", doneSteps: 1 }]);
    expect(withDigests((await readCheckpoint(out)).state)).toEqual(withDigests((await readCheckpoint(straight)).state));
    expect((await loadModel(out)).card.recipe).toBe((await loadModel(straight)).card.recipe);
  });

  test("does not go on with other annotations, though there are as many", async () => {
    const out = join(home, "changed"),
      boxes = join(home, "boxes.json");
    const annotations = readFileSync(SMALL.data.boxes, "utf8");
    writeFileSync(boxes, annotations);
    await train({ ...SMALL, data: { ...SMALL.data, boxes }, out, steps: 1 });
    writeFileSync(boxes, `${annotations}\n`);
    const error = await failureOf(resumeTraining(out));
    expect(error.code).toBe("E_DATA");
    expect(error.message).toMatch(
      /run\.json: expected [0-9a-f]{64} as sha256 of the annotations, as when the run began, but received [0-9a-f]{64}$/,
    );
    writeFileSync(boxes, annotations);
    expect(await resumeTraining(out)).toMatchObject({ reason: "done", step: 1 });
  });
});

function canMountTmpfs(): boolean {
  const place = join(home, "try");
  mkdirSync(place);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", place], { stdio: "ignore" }).status !== 0)
    return false;
  execFileSync("umount", [place]);
  return true;
}
