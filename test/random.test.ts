import fc from "fast-check";
import { expect, test } from "vitest";
import { createRandom } from "../src/random.js";

const take = (seed: number | string, count: number): number[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

test("a seed always gives the same numbers, and another seed gives others", () => {
  // The fixtures are drawn from these; a change here changes every picture.
  expect(take("street", 4).map((value) => value.toFixed(9))).toEqual([
    "0.412048118",
    "0.627917481",
    "0.497381990",
    "0.241928292",
  ]);
  expect(take("7", 5)).toEqual(take(7, 5));
  expect(take(7, 5)).not.toEqual(take(8, 5));
});

test("numbers lie in 0..1 and fill ten bins evenly", () => {
  const bins = new Array<number>(10).fill(0);
  for (const value of take(1, 20_000)) {
    expect(value >= 0 && value < 1).toBe(true);
    bins[Math.floor(value * 10)]! += 1;
  }
  // Chi-square with 9 degrees of freedom; 27.9 is passed once in a thousand seeds, and the seed is fixed.
  expect(bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(27.9);
});

test("neighboring seeds are unrelated", () => {
  const first = Array.from({ length: 4000 }, (_, seed) => createRandom(seed).next());
  const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
  const correlation =
    first.slice(1).reduce((sum, value, i) => sum + (value - mean) * (first[i]! - mean), 0) / (first.length / 12);
  expect(mean).toBeCloseTo(0.5, 1);
  expect(Math.abs(correlation)).toBeLessThan(0.06);
});

test("between and pick stay within what they were given and reach all of it", () => {
  const random = createRandom(11);
  const values = Array.from({ length: 500 }, () => random.between(-3, 5));
  expect(values.every((value) => value >= -3 && value < 5)).toBe(true);
  expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(7.8);
  expect(new Set(Array.from({ length: 100 }, () => random.pick(["a", "b", "c"])))).toEqual(new Set(["a", "b", "c"]));
});

test("normal numbers have mean 0 and standard deviation 1", () => {
  const random = createRandom(3);
  const values = Array.from({ length: 20_000 }, () => random.normal());
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(0.03);
  expect(variance).toBeCloseTo(1, 1);
  expect(values.every(Number.isFinite)).toBe(true);
});

test("shuffling keeps every item and leaves the list it was given alone", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
      const before = [...items];
      expect(
        createRandom(seed)
          .shuffle(items)
          .sort((a, b) => a - b),
      ).toEqual([...items].sort((a, b) => a - b));
      expect(items).toEqual(before);
    }),
  );
});

test("each order of three items comes about as often as the others", () => {
  const counts = new Map<string, number>();
  const random = createRandom(5);
  for (let i = 0; i < 6000; i++) {
    const order = random.shuffle(["a", "b", "c"]).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120);
});

test("a fork does not depend on how far its parent has run, and differs by its label", () => {
  const fresh = createRandom(9);
  const used = createRandom(9);
  for (let i = 0; i < 50; i++) used.next();
  expect(used.fork("epoch 1").next()).toBe(fresh.fork("epoch 1").next());
  expect(fresh.fork("epoch 1").next()).not.toBe(fresh.fork("epoch 2").next());
});

test.each([
  { count: 0, why: "nothing to choose from" },
  { count: 1.5, why: "not a whole number" },
  { count: Number.NaN, why: "not a number" },
])("integer($count) is refused: $why", ({ count }) => {
  expect(() => createRandom(1).integer(count)).toThrow(/expected a whole number/);
});

test("picking from an empty list is refused", () => {
  expect(() => createRandom(1).pick([])).toThrow(RangeError);
});
