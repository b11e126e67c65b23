import fc from "fast-check";
import { expect, test } from "vitest";
import { bootstrapMean, MeanOfGroups, quantile, resampleGroup } from "../../src/evaluate/bootstrap.js";
import { createRandom } from "../../src/random.js";

const values = (count: number, seed: number): Float64Array => {
  const random = createRandom(seed);
  return Float64Array.from({ length: count }, () => random.next());
};

test("the interval is as wide as the theory of means says", () => {
  // Uniform values have a standard deviation of 1 / sqrt(12); the interval of a mean of 400 is 2 * 1.96 * that / 20
  // wide.
  const { low, high, mean } = bootstrapMean(values(400, 1), 4000, createRandom(2));
  const theory = (2 * 1.96) / Math.sqrt(12) / 20;
  expect((high! - low!) / theory).toBeGreaterThan(0.9);
  expect((high! - low!) / theory).toBeLessThan(1.1);
  expect((low! + high!) / 2).toBeCloseTo(mean!, 2);
});

test("of a hundred samples, about 95 intervals hold the true mean", () => {
  let held = 0;
  for (let sample = 0; sample < 100; sample++) {
    const { low, high } = bootstrapMean(values(100, sample), 400, createRandom(`b${sample}`));
    if (low! <= 0.5 && high! >= 0.5) held += 1;
  }
  expect(held).toBeGreaterThanOrEqual(88);
  expect(held).toBeLessThanOrEqual(99);
});

test("the same seed gives the same interval, another one another", () => {
  const sample = values(50, 1);
  expect(bootstrapMean(sample, 200, createRandom(7))).toEqual(bootstrapMean(sample, 200, createRandom(7)));
  expect(bootstrapMean(sample, 200, createRandom(8))).not.toEqual(bootstrapMean(sample, 200, createRandom(7)));
});

test("the interval lies within the values and holds nothing that is no number", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 30 }), (list) => {
      const { mean, low, high, count } = bootstrapMean(Float64Array.from(list), 50, createRandom(1));
      const room = 1e-12;
      expect(count).toBe(list.length);
      expect(low).toBeGreaterThanOrEqual(Math.min(...list) - room);
      expect(high).toBeLessThanOrEqual(Math.max(...list) + room);
      expect(mean).toBeGreaterThanOrEqual(Math.min(...list) - room);
      expect(low).toBeLessThanOrEqual(high!);
    }),
  );
});

test.each([
  { why: "nothing", list: [], resamples: 10, expected: { mean: null, low: null, high: null, count: 0 } },
  { why: "one value", list: [0.25], resamples: 10, expected: { mean: 0.25, low: 0.25, high: 0.25, count: 1 } },
  { why: "no resamples", list: [0, 1], resamples: 0, expected: { mean: 0.5, low: null, high: null, count: 2 } },
])("$why", ({ list, resamples, expected }) => {
  expect(bootstrapMean(Float64Array.from(list), resamples, createRandom(1))).toEqual(expected);
});

test("a mean of class means counts every class once, a mean over instances every instance", () => {
  const table = { columns: 1, values: Float64Array.of(1, 0, 0, 0) };
  const groups = [Uint32Array.of(0), Uint32Array.of(1, 2, 3)].map((members, i) =>
    resampleGroup(table, members, 20, createRandom(i)),
  );
  const [classes, instances] = (["groups", "instances"] as const).map((weighting) => {
    const mean = new MeanOfGroups(1, 20, weighting);
    for (const group of groups) mean.add(group);
    return mean.interval(0);
  });
  expect(classes).toMatchObject({ mean: 0.5, low: 0.5, high: 0.5, count: 2 });
  expect(instances).toMatchObject({ mean: 0.25, low: 0.25, high: 0.25, count: 4 });
});

test("columns share their draws: the difference of two equal columns is 0 in every resample", () => {
  const sample = values(40, 3);
  const both = Float64Array.from({ length: 80 }, (_, i) => sample[i >> 1]!);
  const { resampled } = resampleGroup(
    { columns: 2, values: both },
    Uint32Array.from(sample, (_, row) => row),
    30,
    createRandom(1),
  );
  for (let r = 0; r < 30; r++) expect(resampled[2 * r]).toBe(resampled[2 * r + 1]);
});

test("quantiles are numpy's", () => {
  const sorted = Float64Array.of(1, 2, 4, 8, 16);
  // numpy.quantile([1, 2, 4, 8, 16], [0, .025, .5, .9, 1])
  for (const [part, expected] of [
    [0, 1],
    [0.025, 1.1],
    [0.5, 4],
    [0.9, 12.8],
    [1, 16],
  ] as const)
    expect(quantile(sorted, part)).toBeCloseTo(expected, 12);
});
