import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chessboardDistance } from "../../src/geometry/chessboard.js";
import { CLASS_COUNT, EOS, indexToCell } from "../../src/geometry/grid.js";
import { chooseBest, indexOfLargest, scoreOf } from "../../src/predict/score.js";

describe("choosing a class", () => {
  test("the probability is the softmax mass within one cell of the choice, and other rows do not matter", () => {
    const logit = fc.double({ min: -30, max: 30, noNaN: true });
    const peak = fc.tuple(fc.integer({ min: 0, max: CLASS_COUNT - 1 }), logit);
    fc.assert(fc.property(fc.array(peak, { minLength: 1, maxLength: 40 }), fc.integer({ min: 0, max: 2 }), (peaks, row) => {
      const logits = new Float32Array(3 * CLASS_COUNT).fill(-3);
      for (const [index, value] of peaks) logits[row * CLASS_COUNT + index] = value;
      const values = logits.subarray(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
      const { index, logProbability } = chooseBest(logits, row);
      expect(values[index]! >= Math.max(...values)).toBe(true);
      let near = 0;
      let all = 0;
      values.forEach((value, at) => {
        const isNear = index === EOS || at === EOS ? at === index : chessboardDistance(indexToCell(at), indexToCell(index)) <= 1;
        all += Math.exp(value);
        if (isNear) near += Math.exp(value);
      });
      expect(Math.exp(logProbability)).toBeCloseTo(near / all, 6);
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
