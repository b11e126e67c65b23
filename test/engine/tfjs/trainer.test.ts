/** Training against PyTorch: with the backbone of `mobile` over libtensorflow, without it the tiny network alone. */
import { expect, test } from "vitest";
import { smoothedTargets } from "../../../src/engine/tfjs/losses.js";
import { trainingTensorFlow } from "../../helpers/tensorflow-training.js";
import { describeTraining } from "../training-cases.js";

const { tf, isNative } = await trainingTensorFlow();
if (isNative) {
  describeTraining(tf, "mobile", "short");
  describeTraining(tf, "tiny", "all");
} else {
  describeTraining(tf, "tiny", "gradient");
}

test("a target has its weight at the cell, half of it at each 4-neighbor on the grid, and sums to one", () => {
  const table = smoothedTargets(0.5);
  const row = (cell: number): [number, number][] =>
    [...table.subarray(cell * 785, (cell + 1) * 785).entries()].filter(([, value]) => value > 0);
  const near = (entries: [number, number][]): [number, number][] =>
    entries.map(([cell, value]) => [cell, Math.round(value * 1e6) / 1e6]);
  expect(near(row(29))).toEqual([
    [1, 0.166667],
    [28, 0.166667],
    [29, 0.333333],
    [30, 0.166667],
    [57, 0.166667],
  ]);
  expect(near(row(0))).toEqual([
    [0, 0.5],
    [1, 0.25],
    [28, 0.25],
  ]);
  expect(near(row(783))).toEqual([
    [755, 0.25],
    [782, 0.25],
    [783, 0.5],
  ]);
  expect(near(row(784))).toEqual([[784, 1]]);
});
