import { expect, test } from "vitest";
import { histogramsOf, iouByScore, iouBySize, rankCorrelation, sampleRows } from "../../src/evaluate/distributions.js";
import { InstanceTable } from "../../src/evaluate/instance-table.js";
import { createRandom } from "../../src/random.js";

function tableOf(
  rows: readonly {
    readonly iou: number;
    readonly vertices?: number;
    readonly area?: number;
    readonly score?: number;
  }[],
): InstanceTable {
  const table = new InstanceTable(1);
  for (const [ordinal, { iou, vertices = 4, area = 100, score }] of rows.entries()) {
    table.add({
      ordinal,
      category: 0,
      source: 0,
      area,
      vertices,
      truthVertices: 4,
      scores: [{ iou, boundaryIou: iou, failed: false }],
      ...(score !== undefined && { score }),
    });
  }
  return table;
}

test("every instance is in one of the 20 bins of IoU; 1 is in the last", () => {
  const { iou } = histogramsOf(tableOf([0, 0.049, 0.05, 0.949, 0.95, 1].map((value) => ({ iou: value }))));
  expect(iou).toHaveLength(20);
  expect(iou[0]).toEqual({ low: 0, high: 0.05, count: 2 });
  expect(iou[1]!.count).toBe(1);
  expect(iou[18]!.count).toBe(1);
  expect(iou[19]).toEqual({ low: 0.95, high: 1, count: 2 });
});

test("polygons are counted by their vertices; the last bin is open when there are longer ones", () => {
  expect(histogramsOf(tableOf([{ iou: 1, vertices: 0 }])).vertices).toEqual([]);
  expect(
    histogramsOf(
      tableOf([
        { iou: 1, vertices: 3 },
        { iou: 1, vertices: 5 },
      ]),
    ).vertices,
  ).toEqual([
    { low: 3, high: 4, count: 1 },
    { low: 4, high: 5, count: 0 },
    { low: 5, high: 6, count: 1 },
  ]);
  const long = histogramsOf(
    tableOf([
      { iou: 1, vertices: 80 },
      { iou: 1, vertices: 5000 },
    ]),
  ).vertices;
  expect(long.at(-1)).toEqual({ low: 80, high: null, count: 2 });
});

test("sizes stand in doubling bins, empty ones between the first and the last included, as dashes and not as 0", () => {
  const { bins, sample } = iouBySize(
    tableOf([
      { iou: 0.5, area: 100 },
      { iou: 0.7, area: 225 },
      { iou: 1, area: 40 * 40 },
    ]),
    createRandom(1),
  );
  expect(bins).toEqual([
    { low: 8, high: 16, count: 2, meanIou: 0.6 },
    { low: 16, high: 32, count: 0, meanIou: null },
    { low: 32, high: 64, count: 1, meanIou: 1 },
  ]);
  expect(sample).toEqual([
    [10, 0.5],
    [15, 0.7],
    [40, 1],
  ]);
});

test("score bins hold mean score and mean IoU; without scores there are none", () => {
  const byScore = iouByScore(
    tableOf([{ iou: 0.4, score: 0.82 }, { iou: 0.6, score: 0.88 }, { iou: 0.1, score: 1 }, { iou: 0.9 }]),
    createRandom(1),
  )!;
  expect(byScore.bins[8]!.count).toBe(2);
  expect(byScore.bins[8]!.meanScore).toBeCloseTo(0.85, 12);
  expect(byScore.bins[8]!.meanIou).toBeCloseTo(0.5, 12);
  expect(byScore.bins[9]).toMatchObject({ count: 1, meanScore: 1 });
  expect(byScore.bins[0]).toMatchObject({ count: 0, meanScore: null, meanIou: null });
  expect(iouByScore(tableOf([{ iou: 1 }]), createRandom(1))).toBeUndefined();
});

test("a sample has a thousand different rows, every row the same chance, and the same ones for the same seed", () => {
  const rows = sampleRows(5000, createRandom(1));
  expect(new Set(rows).size).toBe(1000);
  expect(rows.every((row) => row >= 0 && row < 5000)).toBe(true);
  expect(sampleRows(5000, createRandom(1))).toEqual(rows);
  const halves = Array.from(
    { length: 20 },
    (_, seed) => sampleRows(5000, createRandom(seed)).filter((row) => row < 2500).length,
  );
  expect(halves.reduce((sum, count) => sum + count, 0) / 20).toBeCloseTo(500, -1.5);
  expect(sampleRows(3, createRandom(1))).toEqual([0, 1, 2]);
});

test.each([
  { why: "the same order", a: [1, 2, 3, 4], b: [10, 20, 25, 99], expected: 1 },
  { why: "the opposite order", a: [1, 2, 3], b: [3, 2, 1], expected: -1 },
  // numpy.corrcoef of the mean ranks of both lists
  { why: "ties", a: [1, 2, 2, 3, 5], b: [2, 1, 4, 4, 3], expected: 0.394737 },
  { why: "no variation", a: [1, 1, 1], b: [1, 2, 3], expected: null },
  { why: "two pairs", a: [1, 2], b: [1, 2], expected: null },
])("rank correlation of $why is $expected", ({ a, b, expected }) => {
  const found = rankCorrelation(Float64Array.from(a), Float64Array.from(b));
  if (expected === null) expect(found).toBeNull();
  else expect(found).toBeCloseTo(expected, 5);
});
