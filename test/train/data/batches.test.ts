import { expect, test } from "vitest";
import { createRandom } from "../../../src/random.js";
import { sourceSampler } from "../../../src/train/data/batches.js";
import type { TruthInstance } from "../../../src/train/data/truth.js";

/** 90 instances of "many" and 10 of "few", mixed. */
const instances = Array.from({ length: 100 }, (_, ordinal): TruthInstance => ({
  ordinal,
  annotationId: ordinal,
  categoryId: 1,
  image: 0,
  source: ordinal % 10 === 3 ? 1 : 0,
  box: { left: 0, top: 0, width: 1, height: 1 },
  points: new Float32Array(6),
}));
const SET = { instances, sources: ["many", "few"] };
const DRAWS = 4000;

test.each([
  { weights: undefined, few: 0.1, why: "without weights every instance is as likely as any other" },
  { weights: { many: 1, few: 1 }, few: 0.5, why: "equal weights" },
  { weights: { many: 0.2, few: 0.6 }, few: 0.75, why: "weights need not sum to 1" },
  { weights: { many: 0, few: 5 }, few: 1, why: "a source of weight 0 is never sampled from" },
])("$why", ({ weights, few }) => {
  const sample = sourceSampler(SET, weights && new Map(Object.entries(weights)), 1);
  const random = createRandom(5);
  const counts = new Map<number, number>();
  for (let i = 0; i < DRAWS; i++) {
    const [chosen] = sample(random) as [number];
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  const fromFew = [...counts].filter(([i]) => instances[i]!.source === 1);
  // Four standard deviations.
  expect(Math.abs(fromFew.reduce((sum, [, count]) => sum + count, 0) / DRAWS - few)).toBeLessThan(
    4 * Math.sqrt((few * (1 - few)) / DRAWS) + 1e-9,
  );
  expect(fromFew.length).toBe(10);
});

test.each([-1, NaN, Infinity])("a weight of %d is refused", (weight) => {
  expect(() =>
    sourceSampler(
      SET,
      new Map([
        ["many", weight],
        ["few", 1],
      ]),
      1,
    ),
  ).toThrow(/a number of 0 or more for "many"/);
});

test("instances sampled together are different ones of one image, as many as asked or as it has", () => {
  const onImages = instances.map((instance, i) => ({ ...instance, image: Math.floor(i / 8) }));
  const sample = sourceSampler({ ...SET, instances: onImages }, undefined, 5);
  const random = createRandom(9);
  for (let i = 0; i < 200; i++) {
    const chosen = sample(random);
    const image = onImages[chosen[0]!]!.image;
    expect(new Set(chosen).size).toBe(image === 12 ? 4 : 5);
    for (const other of chosen) expect(onImages[other]!.image).toBe(image);
  }
});
