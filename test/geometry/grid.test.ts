import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CELL_COUNT,
  CLASS_COUNT,
  cellToImagePoint,
  cellToIndex,
  EOS,
  GRID_SIZE,
  imagePointToCell,
  indexToCell,
} from "../../src/geometry/grid.js";

const anyIndex = fc.integer({ min: 0, max: CELL_COUNT - 1 });
const anyCell = anyIndex.map(indexToCell);
const anyWindow = fc.record({
  left: fc.integer({ min: -5000, max: 5000 }),
  top: fc.integer({ min: -5000, max: 5000 }),
  side: fc.integer({ min: 1, max: 5000 }),
});

describe("the grid and its frames", () => {
  test("has 28 x 28 cells and one class more, end-of-sequence, at the end", () => {
    expect([GRID_SIZE, CELL_COUNT, EOS, CLASS_COUNT]).toEqual([28, 784, 784, 785]);
  });

  test("a cell survives the trip to its index and back; indices go along the rows", () => {
    fc.assert(
      fc.property(anyIndex, (index) => {
        expect(cellToIndex(indexToCell(index))).toBe(index);
      }),
    );
    expect(indexToCell(29)).toEqual({ col: 1, row: 1 });
    expect(indexToCell(27)).toEqual({ col: 27, row: 0 });
  });

  test("a cell survives the trip to image pixels and back", () => {
    fc.assert(
      fc.property(anyCell, anyWindow, (cell, window) => {
        expect(imagePointToCell(cellToImagePoint(cell, window), window)).toEqual(cell);
      }),
    );
  });

  test("mirroring a cell mirrors its center in the window", () => {
    fc.assert(
      fc.property(anyCell, anyWindow, (cell, window) => {
        const flipped = cellToImagePoint({ col: 27 - cell.col, row: cell.row }, window);
        const plain = cellToImagePoint(cell, window);
        expect(flipped.x).toBeCloseTo(2 * window.left + window.side - plain.x, 6);
        expect(flipped.y).toBe(plain.y);
      }),
    );
  });

  test.each([
    { x: 10, y: 20, cell: { col: 0, row: 0 }, why: "the window's corner" },
    { x: 38, y: 48, cell: { col: 27, row: 27 }, why: "the far corner, which belongs to the last cell" },
    { x: 11, y: 47.999, cell: { col: 1, row: 27 }, why: "a border between cells belongs to the later one" },
    { x: -99, y: 999, cell: { col: 0, row: 27 }, why: "outside, clamped" },
  ])("$why", ({ x, y, cell }) => {
    expect(imagePointToCell({ x, y }, { left: 10, top: 20, side: 28 })).toEqual(cell);
  });
});
