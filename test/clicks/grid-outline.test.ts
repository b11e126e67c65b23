import fc from "fast-check";
import { expect, test } from "vitest";
import { cellDistance, closestIndex, distanceToEdge } from "../../src/clicks/rules.js";
import { anyCell } from "./arbitraries.js";

const anyMetric = fc.constantFrom("chessboard" as const, "manhattan" as const);

test("the distance to an edge is that to its closest point", () => {
  fc.assert(
    fc.property(anyCell, anyCell, anyCell, anyMetric, (cell, a, b, metric) => {
      const exact = distanceToEdge(cell, a, b, metric);
      let slow = Infinity;
      for (let step = 0; step <= 2000; step++) {
        const along = step / 2000;
        slow = Math.min(
          slow,
          cellDistance(cell, { col: a.col + along * (b.col - a.col), row: a.row + along * (b.row - a.row) }, metric),
        );
      }
      expect(exact).toBeLessThanOrEqual(slow + 1e-9);
      expect(exact).toBeGreaterThan(slow - 0.06); // a step of the slow way is at most 54 / 2000 cells
    }),
  );
});

test("an edge that is a point is as far as the point, and an edge is as far either way round", () => {
  fc.assert(
    fc.property(anyCell, anyCell, anyCell, anyMetric, (cell, a, b, metric) => {
      expect(distanceToEdge(cell, a, a, metric)).toBe(cellDistance(cell, a, metric));
      expect(distanceToEdge(cell, a, b, metric)).toBeCloseTo(distanceToEdge(cell, b, a, metric), 12);
    }),
  );
});

test("a cell on the edge has distance 0", () => {
  expect(distanceToEdge({ col: 4, row: 2 }, { col: 0, row: 0 }, { col: 8, row: 4 }, "chessboard")).toBe(0);
  expect(distanceToEdge({ col: 4, row: 0 }, { col: 0, row: 0 }, { col: 8, row: 0 }, "manhattan")).toBe(0);
});

test("of equally close cells the first one is the closest", () => {
  expect(
    closestIndex(
      { col: 5, row: 5 },
      [
        { col: 9, row: 9 },
        { col: 4, row: 4 },
        { col: 6, row: 6 },
      ],
      "chessboard",
    ),
  ).toBe(1);
});
