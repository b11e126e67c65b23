import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chessboardDistance, CLASS_COUNT, EOS, GRID_SIZE, indexToCell } from "../../src/geometry/grid.js";
import { vertexScoreKernel } from "../../src/network/vertex-score.js";
import { chooseBest, chooseLikeliest, indexOfLargest, scoreOf } from "../../src/predict/choose-vertex.js";

const logit = fc.double({ min: -30, max: 30, noNaN: true });
const peak = fc.tuple(fc.integer({ min: 0, max: CLASS_COUNT - 1 }), logit);

/** Three rows of logits, the peaks in one of them. */
function logitsOf(peaks: readonly (readonly [number, number])[], row: number): Float32Array {
  const logits = new Float32Array(3 * CLASS_COUNT).fill(-3);
  for (const [index, value] of peaks) logits[row * CLASS_COUNT + index] = value;
  return logits;
}

describe("choosing a class", () => {
  test("the probability is the softmax mass within one cell of the choice, and other rows do not matter", () => {
    fc.assert(
      fc.property(fc.array(peak, { minLength: 1, maxLength: 40 }), fc.integer({ min: 0, max: 2 }), (peaks, row) => {
        const logits = logitsOf(peaks, row);
        const values = logits.subarray(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
        const { index, logProbability } = chooseBest(logits, row);
        let near = 0;
        let all = 0;
        values.forEach((value, at) => {
          const isNear =
            index === EOS || at === EOS ? at === index : chessboardDistance(indexToCell(at), indexToCell(index)) <= 1;
          all += Math.exp(value);
          if (isNear) near += Math.exp(value);
        });
        expect(Math.exp(logProbability)).toBeCloseTo(near / all, 6);
      }),
    );
  });

  test("the choice has the largest sum of probabilities around it, weighted as targets are smoothed; an end stands alone", () => {
    fc.assert(
      fc.property(fc.array(peak, { minLength: 1, maxLength: 40 }), (peaks) => {
        const logits = logitsOf(peaks, 0);
        const masses = Array.from(logits.subarray(0, CLASS_COUNT), Math.exp);
        const kernel = vertexScoreKernel();
        const scores = masses.map((mass, at) => {
          if (at === EOS) return mass;
          const { col, row } = indexToCell(at);
          return kernel.reduce((sum, weight, place) => {
            const [c, r] = [col + (place % 3) - 1, row + Math.floor(place / 3) - 1];
            return c < 0 || r < 0 || c >= GRID_SIZE || r >= GRID_SIZE ? sum : sum + weight * masses[r * GRID_SIZE + c]!;
          }, 0);
        });
        expect(scores[chooseBest(logits, 0).index]! / Math.max(...scores)).toBeCloseTo(1, 5);
      }),
    );
  });

  test("a vertex as sure as its smoothed target is worth as much as a sure end: at equal odds the polygon goes on, the paper's rule ends it", () => {
    const target = new Float32Array(CLASS_COUNT).fill(-30);
    const center = 14 * GRID_SIZE + 14;
    target[center] = Math.log(1 / 3);
    for (const beside of [center - 1, center + 1, center - GRID_SIZE, center + GRID_SIZE])
      target[beside] = Math.log(1 / 6);
    target[EOS] = Math.log(0.99);
    expect(chooseBest(target, 0).index).toBe(center);
    expect(chooseLikeliest(target, 0).index).toBe(EOS);
    target[EOS] = Math.log(1.01);
    expect(chooseBest(target, 0).index).toBe(EOS);
  });

  test("the paper's rule takes the class with the largest logit", () => {
    fc.assert(
      fc.property(fc.array(peak, { minLength: 1, maxLength: 40 }), (peaks) => {
        const logits = logitsOf(peaks, 1);
        const values = logits.subarray(CLASS_COUNT, 2 * CLASS_COUNT);
        expect(values[chooseLikeliest(logits, 1).index]!).toBeGreaterThanOrEqual(Math.max(...values));
      }),
    );
  });

  test.each([
    { values: [1, 3, 3], best: 1, why: "the first of equal values wins" },
    {
      values: [Number.NaN, -5, -4],
      best: 0,
      why: "nothing is larger than not-a-number, so a broken network cannot pick at random",
    },
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
    fc.assert(
      fc.property(
        fc.double({ min: -20, max: 0, noNaN: true }),
        fc.integer({ min: 1, max: 71 }),
        (logProbability, steps) => {
          const score = scoreOf(logProbability * steps, steps);
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
          expect(score).toBeCloseTo(scoreOf(logProbability, 1), 9);
        },
      ),
    );
  });
});
