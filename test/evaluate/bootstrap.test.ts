import fc from "fast-check";
import { expect, test } from "vitest";
import type { ValueTable } from "../../src/evaluate/bootstrap.js";
import { bootstrapMean, intervalOf, MeanOfClasses, quantile, resampleGroup } from "../../src/evaluate/bootstrap.js";
import type { Interval } from "../../src/report/types.js";
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
      if (list.length === 1) return;
      expect(low).toBeGreaterThanOrEqual(Math.min(...list) - room);
      expect(high).toBeLessThanOrEqual(Math.max(...list) + room);
      expect(mean).toBeGreaterThanOrEqual(Math.min(...list) - room);
      expect(low).toBeLessThanOrEqual(high!);
    }),
  );
});

test.each([
  { why: "nothing", list: [], resamples: 10, expected: { mean: null, low: null, high: null, count: 0 } },
  { why: "one value", list: [0.25], resamples: 10, expected: { mean: 0.25, low: null, high: null, count: 1 } },
  { why: "no resamples", list: [0, 1], resamples: 0, expected: { mean: 0.5, low: null, high: null, count: 2 } },
])("$why", ({ list, resamples, expected }) => {
  expect(bootstrapMean(Float64Array.from(list), resamples, createRandom(1))).toEqual(expected);
});

interface Classes {
  readonly table: ValueTable;
  readonly members: readonly Uint32Array[];
}

function inClasses(lists: readonly (readonly number[])[]): Classes {
  const members: Uint32Array[] = [];
  let rows = 0;
  for (const list of lists) {
    members.push(Uint32Array.from(list, (_, i) => rows + i));
    rows += list.length;
  }
  return { table: { columns: 1, values: Float64Array.from(lists.flat()) }, members };
}

/** Mean of class means, and its value in every resample. */
function classMeanOf(lists: readonly (readonly number[])[], resamples: number, seed: number | string) {
  const { table, members } = inClasses(lists);
  const random = createRandom(seed);
  const mean = new MeanOfClasses(1, resamples);
  for (const rows of members) mean.add(resampleGroup(table, rows, resamples, random));
  return mean.finish(random);
}

const classInterval = (lists: readonly (readonly number[])[], resamples: number, seed: number | string): Interval =>
  intervalOf(classMeanOf(lists, resamples, seed), 1, 0);

test("a mean of class means counts every class once", () => {
  expect(classInterval([[1], [0, 0, 0]], 20, 1)).toMatchObject({ mean: 0.5, count: 2 });
  expect(classInterval([[0.25, 0.75]], 0, 1)).toEqual({ mean: 0.5, low: null, high: null, count: 1 });
});

/*
 * numpy: square root of (sum over classes of two and more of var(values, ddof=1) / n, plus for each class of one
 * var(values of the classes of one, ddof=0)) / number of classes. In the last line the one class takes the means of all,
 * var([0.8, 0.4, 0.5]), about their mean instead of its own.
 */
test.each([
  {
    why: "classes of several",
    lists: [
      [0.9, 0.7, 0.8],
      [0.5, 0.6],
      [0.2, 0.4, 0.3, 0.7],
    ],
    deviation: 0.0440958552,
  },
  { why: "two classes of one", lists: [[0.9, 0.7, 0.8], [0.5], [0.9]], deviation: 0.096225045 },
  { why: "classes of one alone", lists: [[0.9], [0.5], [0.7], [0.1]], deviation: 0.1479019946 },
  { why: "a single class of one among others", lists: [[0.9, 0.7, 0.8], [0.2, 0.6], [0.5]], deviation: 0.0922958207 },
])("$why: the resamples spread as numpy says", ({ lists, deviation }) => {
  const { means, resampled } = classMeanOf(lists, 20_000, 1);
  const spread = Math.sqrt(resampled.reduce((sum, value) => sum + (value - means[0]!) ** 2, 0) / resampled.length);
  expect(spread / deviation).toBeGreaterThan(0.97);
  expect(spread / deviation).toBeLessThan(1.03);
});

test("of two hundred data sets with more classes of one than others, about 95 of 100 intervals hold the true mean", () => {
  const sizes = [...Array<number>(28).fill(1), ...Array<number>(8).fill(2), ...Array<number>(8).fill(5), 20, 20, 20];
  const random = createRandom("data sets");
  const truths = sizes.map(() => random.between(0.55, 0.85));
  const truth = truths.reduce((sum, value) => sum + value, 0) / truths.length;
  const trials = 200;
  let held = 0;
  for (let trial = 0; trial < trials; trial++) {
    const lists = sizes.map((size, k) => Array.from({ length: size }, () => truths[k]! + random.between(-0.25, 0.25)));
    const { low, high } = classInterval(lists, 300, `b${trial}`);
    if (low! <= truth && high! >= truth) held += 1;
  }
  // With resamples inside the classes alone it was 45 of 100.
  expect(held / trials).toBeGreaterThan(0.9);
  expect(held / trials).toBeLessThan(0.995);
});

test("one class of one instance has no interval", () => {
  expect(classInterval([[0.4]], 20, 1)).toEqual({ mean: 0.4, low: null, high: null, count: 1 });
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
