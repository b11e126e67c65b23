import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { TrainerState } from "../../src/engine/trainer.js";
import type { WeightTensor } from "../../src/model/safetensors.js";
import { checkFits, readCheckpoint, writeCheckpoint } from "../../src/train/checkpoint.js";
import { NO_SUMS } from "../../src/train/metrics.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const all = new Map<string, readonly number[]>([
  ["a", [2]],
  ["frozen", [1]],
]);
const network = { all, trained: new Map([["a", [2]]]) };
const tensor = (...values: readonly number[]): WeightTensor => ({
  shape: [values.length],
  values: Float32Array.from(values),
});
const state: TrainerState = {
  step: 1,
  weights: new Map([
    ["a", tensor(1, 2)],
    ["frozen", tensor(3)],
  ]),
  firstMoments: new Map([["a", tensor(0, 0)]]),
  secondMoments: new Map([["a", tensor(0, 0)]]),
};

test("a checkpoint fits its network; frozen weights have no moments", () => {
  expect(() => {
    checkFits(state, network, "run");
  }).not.toThrow();
});

test.each([
  {
    why: "a weight of another shape",
    spoilt: { weights: new Map([...state.weights, ["a", tensor(1)]]) },
    says: "weights/a: expected shape [2] but received [1]",
  },
  {
    why: "no weight",
    spoilt: { weights: new Map([["a", tensor(1, 2)]]) },
    says: "weights/frozen: expected shape [1] but received none",
  },
  {
    why: "no moments",
    spoilt: { secondMoments: new Map() },
    says: "second_moments/a: expected shape [2] but received none",
  },
  {
    why: "no number",
    spoilt: { firstMoments: new Map([["a", tensor(0, NaN)]]) },
    says: "first_moments/a: expected finite values but received NaN at position 1",
  },
  {
    why: "averages of another shape",
    spoilt: { averages: new Map([["a", tensor(1)]]) },
    says: "averages/a: expected shape [2] but received [1]",
  },
])("a checkpoint of another network is refused, and no bug: $why", ({ spoilt, says }) => {
  expect(() => {
    checkFits({ ...state, ...spoilt }, network, "run");
  }).toThrow(says);
});

test("a checkpoint that was never fetched is named as what it is", async () => {
  const folder = temporaryFolder();
  await writeCheckpoint(folder, state, { sums: NO_SUMS, metricsBytes: 0, seconds: 0 });
  expect((await readCheckpoint(folder)).loop.sums).toEqual(NO_SUMS);
  const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
  writeFileSync(join(folder, "checkpoint", "step-00000001.safetensors"), pointer);
  await expect(readCheckpoint(folder)).rejects.toThrow(/expected a safetensors file but received a Git LFS pointer$/);
  writeFileSync(join(folder, "checkpoint", "state.json"), pointer);
  await expect(readCheckpoint(folder)).rejects.toMatchObject({
    message: expect.stringContaining("received a Git LFS pointer") as string,
    hint: "Fetch the file itself with: git lfs pull",
  });
});

test.each([{ seconds: -1 }, { seconds: "1" }, { seconds: null }, { best: { step: 1, iou: "0.5" } }, { best: null }])(
  "times and scores of a state that no run wrote are refused: %j",
  async (change) => {
    const folder = temporaryFolder();
    await writeCheckpoint(folder, state, { sums: NO_SUMS, metricsBytes: 0, seconds: 0 });
    const path = join(folder, "checkpoint", "state.json");
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, "utf8")) as object), ...change }));
    await expect(readCheckpoint(folder)).rejects.toThrow("a field is missing or not sound");
  },
);
