import fc from "fast-check";
import { expect, test } from "vitest";
import { chessboardDistance, manhattanDistance } from "../../src/geometry/grid.js";
import { CELL_COUNT, indexToCell } from "../../src/geometry/grid.js";

const anyCell = fc.integer({ min: 0, max: CELL_COUNT - 1 }).map(indexToCell);

test.each([
  { from: [3, 4], to: [3, 4], chessboard: 0, manhattan: 0, why: "the same cell" },
  { from: [3, 4], to: [5, 4], chessboard: 2, manhattan: 2, why: "along a row" },
  { from: [3, 4], to: [1, 7], chessboard: 3, manhattan: 5, why: "the longer way decides; both ways add up" },
])("$why: chessboard $chessboard, Manhattan $manhattan", ({ from, to, chessboard, manhattan }) => {
  const a = { col: from[0]!, row: from[1]! },
    b = { col: to[0]!, row: to[1]! };
  expect(chessboardDistance(a, b)).toBe(chessboard);
  expect(manhattanDistance(a, b)).toBe(manhattan);
});

test.each([
  { name: "chessboard", distance: chessboardDistance },
  { name: "Manhattan", distance: manhattanDistance },
])("the $name distance is symmetric, 0 only for the same cell, and never longer by a detour", ({ distance }) => {
  fc.assert(
    fc.property(anyCell, anyCell, anyCell, (a, b, c) => {
      expect(distance(a, b)).toBe(distance(b, a));
      expect(distance(a, b) === 0).toBe(a.col === b.col && a.row === b.row);
      expect(distance(a, c)).toBeLessThanOrEqual(distance(a, b) + distance(b, c));
    }),
  );
});
