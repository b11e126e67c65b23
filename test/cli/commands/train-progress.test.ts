import { expect, test } from "vitest";
import type { ShownStep } from "../../../src/cli/commands/train-progress.js";
import {
  endedMessages,
  fitting,
  showTrainProgress,
  startedMessage,
  stepMessage,
  validationMessage,
} from "../../../src/cli/commands/train-progress.js";
import type { RunStarted, ValidationLine } from "../../../src/train/events.js";
import { memoryTerminal } from "../memory-terminal.js";

const STEP: ShownStep = {
  step: 1200,
  steps: 10_000,
  losses: { total: 3.21, steps: 2.4, edge: 0.41, vertex: 0.25, mask: 0.15 },
  accuracy: 0.412,
  maskIou: 0.8,
  instancesPerSecond: 14.23,
  secondsLeft: 9914,
};
const at = (step: number, total: number): ShownStep => ({ ...STEP, step, losses: { ...STEP.losses, total } });

const VALIDATION: ValidationLine = {
  type: "validation",
  step: 500,
  all: { iou: 0.712, boxIou: 0.625, instances: 100 },
  failed: 3,
  isBest: true,
  drawn: [],
  instancesPerSecond: 20,
  bySource: { people: { iou: 0.79, boxIou: 0.58, instances: 20 }, coco: { iou: 0.7, boxIou: 0.62, instances: 80 } },
};

const STARTED: RunStarted = {
  folder: "/data/runs/mine",
  architecture: "mobile",
  trainable: 100,
  frozen: 0,
  start: "random weights from seed 0",
  instances: 62,
  images: 9,
  bySource: new Map([["all", 62]]),
  dropped: new Map([
    ["crowd", 1],
    ["several-parts", 3],
  ]),
  validationInstances: 23,
  device: "tfjs on cpu (@tensorflow/tfjs-node 4.22.0)",
  doneSteps: 0,
  steps: 10_000,
  batchSize: 16,
};

test("a step is said with its loss and the parts of it, accuracy, mask IoU, speed and time left", () => {
  expect(stepMessage(STEP).join(", ")).toBe(
    "step 1200 of 10000, loss 3.210, 2 h 45 min left, accuracy 0.412, mask IoU 0.800, 14 instances/s, steps 2.400 edge 0.410 vertex 0.250 mask 0.150",
  );
});

test("on a narrow terminal the last parts are left out, never the step", () => {
  const words = stepMessage(STEP);
  expect(fitting(words, 50)).toBe("step 1200 of 10000, loss 3.210, 2 h 45 min left");
  expect(fitting(words, 5)).toBe("step 1200 of 10000");
  expect(fitting(words, 500)).toBe(words.join(", "));
});

test("without a terminal there is one plain line every 30 seconds, and every validation", async () => {
  const terminal = memoryTerminal();
  const progress = showTrainProgress(terminal.stderr, { quiet: false, now: () => terminal.now() });
  for (let second = 0; second <= 65; second++) {
    await progress.step(at(second + 1, 3));
    terminal.wait(1000);
  }
  await progress.validation(VALIDATION, { folder: "", lines: [], crops: [] });
  progress.end();
  const lines = terminal.stderr.text.trimEnd().split("\n");
  expect(lines.map((line) => line.split(",")[0])).toEqual([
    "step 31 of 10000",
    "step 61 of 10000",
    "validation at step 500: IoU 0.712 (best so far)",
  ]);
});

test("the loss that is shown follows the steps without jumping with each", async () => {
  const terminal = memoryTerminal();
  const progress = showTrainProgress(terminal.stderr, { quiet: false, now: () => terminal.now() });
  for (let step = 1; step <= 99; step++) await progress.step(at(step, step % 2 === 0 ? 2 : 4));
  terminal.wait(30_000);
  await progress.step(at(100, 2));
  const shown = Number(/loss (\d\.\d{3})/.exec(terminal.stderr.text)![1]);
  expect(shown).toBeGreaterThan(2.7);
  expect(shown).toBeLessThan(3.3);
});

test("--quiet shows neither steps nor validations", async () => {
  const terminal = memoryTerminal();
  const progress = showTrainProgress(terminal.stderr, { quiet: true, now: () => terminal.now() });
  await progress.started(STARTED);
  terminal.wait(60_000);
  await progress.step(STEP);
  await progress.validation(VALIDATION, { folder: "", lines: [], crops: [] });
  progress.end();
  expect(terminal.stderr.text).toBe("");
});

test("a validation names its sources, those with most instances first, and how many gave no polygon", () => {
  expect(validationMessage(VALIDATION)).toBe(
    "validation at step 500: IoU 0.712 (best so far), the box itself 0.625; coco 0.700, people 0.790; 3 of 100 gave no polygon",
  );
});

test("names of sources cannot move the cursor", async () => {
  const terminal = memoryTerminal();
  const progress = showTrainProgress(terminal.stderr, { quiet: false, now: () => terminal.now() });
  await progress.started({
    ...STARTED,
    bySource: new Map([
      ["\u001b[2Jgone", 1],
      ["b\nfake line", 2],
    ]),
  });
  progress.end();
  expect(terminal.stderr.text).not.toContain("\u001b");
  expect(terminal.stderr.text).toContain("b\\x0afake line 2");
});

test("the first words say what is trained, on what, and what was left out, most frequent reasons first", () => {
  expect(startedMessage(STARTED)).toEqual([
    "training mobile with tfjs on cpu (@tensorflow/tfjs-node 4.22.0): 100 weights; start: random weights from seed 0",
    "62 instances on 9 images, validated on 23",
    "left out: several-parts 3, crowd 1",
    "10000 steps of 16 crops into /data/runs/mine",
  ]);
  expect(startedMessage({ ...STARTED, doneSteps: 40 }).at(-1)).toBe(
    "going on after step 40 of 10000 in /data/runs/mine",
  );
});

test.each([
  { folder: "runs/mine", next: "next: polyrnn train --resume runs/mine", why: "a plain path stands as it was typed" },
  {
    folder: "my runs/it's",
    next: "next: polyrnn train --resume 'my runs/it'\\''s'",
    why: "a path with spaces is quoted for a shell",
  },
])("the last words of a stopped run are a command to paste: $why", ({ folder, next }) => {
  expect(endedMessages({ reason: "stopped", step: 5, seconds: 9, folder: "/x" }, folder, false).at(-1)).toBe(next);
});

test("a bare folder name is given as a path, because it could be the name of a bundled model", () => {
  expect(endedMessages({ reason: "done", step: 5, seconds: 9, folder: "/x/mobile" }, "mobile", true).at(-1)).toContain(
    "--model ./mobile",
  );
});
