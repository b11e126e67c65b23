import fc from "fast-check";
import { expect, test } from "vitest";
import { GRID_SIZE, cellToIndex } from "../../src/geometry/grid.js";
import { mirrorCells, startAt } from "../../src/train/target-cells.js";
import { targetMaps } from "../../src/train/target-maps.js";
import type { GridCell } from "../../src/types.js";
import { anyCells } from "./arbitraries.js";

/** Even-odd by counting sides to the right; a center on a side may count either way. */
function isInside({ col, row }: GridCell, cells: readonly GridCell[]): boolean {
  return cells.reduce((inside, b, i) => {
    const a = cells.at(i - 1)!;
    if (a.row > row === b.row > row) return inside;
    return a.col + ((row - a.row) / (b.row - a.row)) * (b.col - a.col) > col ? !inside : inside;
  }, false);
}

const everyCell = Array.from({ length: GRID_SIZE * GRID_SIZE }, (_, i): GridCell => ({ col: i % GRID_SIZE, row: Math.floor(i / GRID_SIZE) }));

test("the mask is the edge and every cell whose center lies inside the ring", () => {
  fc.assert(fc.property(anyCells, (cells) => {
    const { edge, mask } = targetMaps(cells);
    for (const cell of everyCell) {
      const at = cellToIndex(cell);
      expect(mask[at], JSON.stringify(cell)).toBe(edge[at] === 1 || isInside(cell, cells) ? 1 : 0);
    }
  }), { numRuns: 60 });
});

test("the edge holds every vertex, and a side passes as many cells as it is long", () => {
  fc.assert(fc.property(anyCells, (cells) => {
    const { edge } = targetMaps(cells);
    for (const cell of cells) expect(edge[cellToIndex(cell)]).toBe(1);
    const [a, b] = [cells[0]!, cells.at(-1)!];
    const side = targetMaps([a, b]).edge.reduce((sum, value) => sum + value, 0);
    expect(side).toBe(Math.max(Math.abs(a.col - b.col), Math.abs(a.row - b.row)) + 1);
  }));
});

test("mirrored cells have mirrored maps, and the first vertex does not matter", () => {
  fc.assert(fc.property(anyCells, fc.nat(), (cells, n) => {
    const { edge, mask } = targetMaps(cells);
    const mirrored = targetMaps(mirrorCells(cells));
    const started = targetMaps(startAt(cells, n % cells.length));
    const inMirror = (map: Uint8Array): number[] => everyCell.map(({ col, row }) => map[cellToIndex({ col: GRID_SIZE - 1 - col, row })]!);
    expect(inMirror(mirrored.edge)).toEqual([...edge]);
    expect(inMirror(mirrored.mask)).toEqual([...mask]);
    expect(started).toEqual({ edge, mask });
  }));
});

test("a square of three cells is drawn as expected", () => {
  const { edge, mask } = targetMaps([{ col: 1, row: 1 }, { col: 3, row: 1 }, { col: 3, row: 3 }, { col: 1, row: 3 }]);
  const rows = (map: Uint8Array): string[] => [0, 1, 2, 3, 4].map((row) => map.subarray(row * GRID_SIZE, row * GRID_SIZE + 5).join(""));
  expect(rows(edge)).toEqual(["00000", "01110", "01010", "01110", "00000"]);
  expect(rows(mask)).toEqual(["00000", "01110", "01110", "01110", "00000"]);
});
