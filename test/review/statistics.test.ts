import { expect, test } from "vitest";
import type { KnownDecision } from "../../src/review/journal.js";
import { NO_CLICKS, statisticsOf } from "../../src/review/statistics.js";

const decided = (arm: "manual" | "assist", seconds: readonly number[]): Parameters<typeof statisticsOf>[0] =>
  seconds.map((each, ordinal) => {
    const decision: KnownDecision = {
      ...{ status: "edited", reason: null, categoryId: 1, score: 0.8, before: { score: 0.5, iou: 0.6 } },
      ...{ counts: NO_CLICKS, activeMs: 1000 * each, networkMs: 0, arm, isChanged: true, session: 1 },
      line: { offset: 0, length: 1 },
    };
    return { ordinal, category: "car", decision };
  });
const rest = { counts: { open: 0, accepted: 0, edited: 10, rejected: 0, skipped: 0, draft: 0 }, revision: 10 };

test("what is saved against drawing by hand: seconds and times as fast, each within its interval", () => {
  const both = [...decided("manual", [28, 30, 32, 31, 29]), ...decided("assist", [9, 10, 11, 12, 8])];
  const { saved } = statisticsOf(both, rest);
  expect(saved).toMatchObject({
    mean: 20,
    manual: { count: 5, secondsMean: 30 },
    assist: { count: 5, secondsMean: 10 },
  });
  expect(saved!.times.mean).toBeCloseTo(3);
  for (const { low, mean, high } of [saved!, saved!.times]) {
    expect(low).toBeLessThan(mean);
    expect(high).toBeGreaterThan(mean);
  }
  expect(saved!.times.low).toBeGreaterThan(2);
});

test("with fewer than five of an arm nothing is said", () => {
  const few = [...decided("manual", [28, 30, 32, 31]), ...decided("assist", [9, 10, 11, 12, 8])];
  expect(statisticsOf(few, rest).saved).toBeNull();
});
