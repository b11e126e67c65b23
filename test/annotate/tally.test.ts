import { expect, test } from "vitest";
import { Tally } from "../../src/annotate/summary.js";
import type { DoneOutcome } from "../../src/types.js";

const done = (ordinal: number, score: number): DoneOutcome => ({
  ordinal,
  annotationId: 100 + ordinal,
  imageId: 1,
  status: "done",
  ring: [
    { x: 0, y: 0 },
    { x: 9, y: 0 },
    { x: 9, y: 9 },
  ],
  score,
  ended: true,
  clipped: false,
  imageWidth: 20,
  imageHeight: 20,
});
const SCORES = [0.9, 0.5, 0.5, 0.2, 0.7, 0.5, 0.1, 0.5];

test.each([
  { order: SCORES.map((_, i) => i), why: "in the order of the input" },
  { order: SCORES.map((_, i) => SCORES.length - 1 - i), why: "as a queue may answer" },
])("the five lowest scores are the same whatever the order of the outcomes: $why", ({ order }) => {
  const tally = new Tally();
  for (const ordinal of order) tally.add(done(ordinal, SCORES[ordinal]!));
  expect(tally.counts().lowestScores).toEqual(
    [6, 3, 1, 2, 5].map((ordinal) => ({ annotationId: 100 + ordinal, imageId: 1, score: SCORES[ordinal] })),
  );
});

test("a run without a polygon has no lowest scores", () => {
  expect(new Tally().counts().lowestScores).toEqual([]);
});
