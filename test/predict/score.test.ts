import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLASS_COUNT } from "../../src/geometry/grid.js";
import { chooseBest, indexOfLargest, scoreOf } from "../../src/predict/score.js";

describe("choosing a class", () => {
  test("the log-probability is that of a softmax over the row, and other rows do not matter", () => {
    fc.assert(fc.property(fc.array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: 5, maxLength: 5 }), fc.integer({ min: 0, max: 2 }), (peaks, row) => {
      const logits = new Float32Array(3 * CLASS_COUNT).fill(-50);
      peaks.forEach((peak, at) => { logits[row * CLASS_COUNT + at * 150] = peak; });
      const values = logits.subarray(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
      const sum = values.reduce((total, value) => total + Math.exp(value), 0);
      const { index, logProbability } = chooseBest(logits, row);
      expect(values[index]! >= Math.max(...values)).toBe(true);
      expect(logProbability).toBeCloseTo(values[index]! - Math.log(sum), 6);
    }));
  });

  test.each([
    { values: [1, 3, 3], best: 1, why: "the first of equal values wins" },
    { values: [Number.NaN, -5, -4], best: 0, why: "nothing is larger than not-a-number, so a broken network cannot pick at random" },
    { values: [-1, -2, -3], best: 0, why: "negative values count as well" },
  ])("$why", ({ values, best }) => {
    expect(indexOfLargest(Float32Array.from([9, ...values]), 1, 3)).toBe(best);
  });
});

describe("the score of a polygon", () => {
  test("is the geometric mean of its steps' probabilities", () => {
    const probabilities = [0.9, 0.5, 0.8];
    const sum = probabilities.reduce((total, p) => total + Math.log(p), 0);
    expect(scoreOf(sum, 3)).toBeCloseTo((0.9 * 0.5 * 0.8) ** (1 / 3), 12);
  });

  test("lies between 0 and 1 and does not fall with the length alone", () => {
    fc.assert(fc.property(fc.double({ min: -20, max: 0, noNaN: true }), fc.integer({ min: 1, max: 71 }), (logProbability, steps) => {
      const score = scoreOf(logProbability * steps, steps);
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(1);
      expect(score).toBeCloseTo(scoreOf(logProbability, 1), 9);
    }));
  });
});
