import { expect, test } from "vitest";
import { ratesAt } from "../../src/train/options.js";

const COSINE = {
  steps: 1000,
  learningRate: 1,
  backboneLearningRate: 0.1,
  schedule: "cosine",
  warmup: 100,
  dropEvery: 1,
} as const;
const STEPS = { ...COSINE, schedule: "step", warmup: 0, dropEvery: 300 } as const;

test.each([
  { why: "the first step of a warm-up has one part of it", step: 0, recipe: COSINE, head: 0.01 },
  { why: "half way up", step: 49, recipe: COSINE, head: 0.5 * (0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * 0.049))) },
  { why: "half way down the cosine", step: 500, recipe: COSINE, head: 0.505 },
  {
    why: "the last step still moves",
    step: 999,
    recipe: COSINE,
    head: 0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * 0.999)),
  },
  { why: "steps: before the first drop", step: 299, recipe: STEPS, head: 1 },
  { why: "steps: a tenth after the first", step: 300, recipe: STEPS, head: 0.1 },
  { why: "steps: a thousandth after the third", step: 900, recipe: STEPS, head: 0.001 },
])("rates at step $step: $why", ({ step, recipe, head }) => {
  const rates = ratesAt(step, recipe);
  expect(rates.head).toBeCloseTo(head, 10);
  expect(rates.backbone).toBeCloseTo(head / 10, 10);
});

test("the cosine never rises after the warm-up", () => {
  const rates = Array.from({ length: 900 }, (_, at) => ratesAt(100 + at, COSINE).head);
  expect(rates.every((rate, at) => at === 0 || rate <= rates[at - 1]!)).toBe(true);
});
