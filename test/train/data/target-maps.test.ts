import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GRID_SIZE, cellToIndex } from "../../../src/geometry/grid.js";
import { flipCells } from "../../../src/geometry/grid.js";
import { startAt } from "../../../src/train/data/targets.js";
import { targetFineMask, targetMaps } from "../../../src/train/data/targets.js";
import { signedArea } from "../../../src/geometry/ring.js";
import type { GridCell } from "../../../src/types.js";
import { withDigests } from "../../helpers/digests.js";
import { anyCells } from "../arbitraries.js";

/** Even-odd by counting sides to the right; a center on a side may count either way. */
function isInside({ col, row }: GridCell, cells: readonly GridCell[]): boolean {
  return cells.reduce((inside, b, i) => {
    const a = cells.at(i - 1)!;
    if (a.row > row === b.row > row) return inside;
    return a.col + ((row - a.row) / (b.row - a.row)) * (b.col - a.col) > col ? !inside : inside;
  }, false);
}

const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 5e-7;

const everyCell = Array.from({ length: GRID_SIZE * GRID_SIZE }, (_, i): GridCell => ({
  col: i % GRID_SIZE,
  row: Math.floor(i / GRID_SIZE),
}));

test("cells off the edge are covered whole inside the ring and not at all outside", () => {
  fc.assert(
    fc.property(anyCells, (cells) => {
      const { edge, mask } = targetMaps(cells);
      // One `expect` a ring: hundreds take longer than what they look at.
      const wrong = everyCell.filter((cell) => {
        const share = mask[cellToIndex(cell)]!;
        // A line between two centers may cut the corner of a cell that Bresenham's does not pass.
        const isNearEdge = [-1, 0, 1].some((down) =>
          [-1, 0, 1].some((across) => edge[cellToIndex({ col: cell.col + across, row: cell.row + down })] === 1),
        );
        const isAsDefined = isNearEdge || isNear(share, isInside(cell, cells) ? 1 : 0);
        return !isAsDefined || !(share >= 0 && share <= 1 + 1e-6);
      });
      expect(wrong).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test("the shares of a convex ring add up to its area", () => {
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.nat(20),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 7 }),
      fc.nat(7),
      (col, row, width, height, cut) => {
        const right = Math.min(cut, width);
        const ring = [
          { col: col + right, row },
          { col: col + width, row },
          { col: col + width, row: row + height },
          { col, row: row + height },
        ];
        expect(targetMaps(ring).mask.reduce((sum, share) => sum + share, 0)).toBeCloseTo(
          height * (width - right / 2),
          4,
        );
      },
    ),
  );
});

test("the edge holds every vertex, and a side passes as many cells as it is long", () => {
  fc.assert(
    fc.property(anyCells, (cells) => {
      const { edge } = targetMaps(cells);
      for (const cell of cells) expect(edge[cellToIndex(cell)]).toBe(1);
      const [a, b] = [cells[0]!, cells.at(-1)!];
      const side = targetMaps([a, b]).edge.reduce((sum, value) => sum + value, 0);
      expect(side).toBe(Math.max(Math.abs(a.col - b.col), Math.abs(a.row - b.row)) + 1);
    }),
  );
});

test("flipped cells have flipped maps, and the first vertex does not matter", () => {
  fc.assert(
    fc.property(anyCells, fc.nat(), (cells, n) => {
      const { edge, mask } = targetMaps(cells);
      const flipped = targetMaps(flipCells(cells));
      const started = targetMaps(startAt(cells, n % cells.length));
      const flipBack = (map: Uint8Array | Float32Array): number[] =>
        everyCell.map(({ col, row }) => map[cellToIndex({ col: GRID_SIZE - 1 - col, row })]!);
      expect(withDigests(Uint8Array.from(flipBack(flipped.edge)))).toBe(withDigests(edge));
      expect(flipBack(flipped.mask).filter((share, at) => !isNear(share, mask[at]!))).toEqual([]);
      expect(withDigests(started)).toEqual(withDigests({ edge, mask }));
    }),
  );
});

test("a square of three cells is drawn as expected", () => {
  const { edge, mask } = targetMaps([
    { col: 1, row: 1 },
    { col: 3, row: 1 },
    { col: 3, row: 3 },
    { col: 1, row: 3 },
  ]);
  const rows = (map: Uint8Array | Float32Array): string[] =>
    [0, 1, 2, 3, 4].map((row) => map.subarray(row * GRID_SIZE, row * GRID_SIZE + 5).join(" "));
  expect(rows(edge)).toEqual(["0 0 0 0 0", "0 1 1 1 0", "0 1 0 1 0", "0 1 1 1 0", "0 0 0 0 0"]);
  expect(rows(mask)).toEqual(["0 0 0 0 0", "0 0.25 0.5 0.25 0", "0 0.5 1 0.5 0", "0 0.25 0.5 0.25 0", "0 0 0 0 0"]);
});

describe("the refined mask's target", () => {
  const outline = [
    { x: 0.1, y: 0.2 },
    { x: 0.83, y: 0.31 },
    { x: 0.55, y: 0.9 },
  ];
  test("holds the outline's area, as shares of its cells", () => {
    const shares = targetFineMask(outline);
    expect(shares).toHaveLength(112 * 112);
    expect(shares.every((share) => share >= 0 && share <= 1 + 1e-6)).toBe(true);
    const area = Math.abs(signedArea(outline)) * 112 * 112;
    expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) / area - 1)).toBeLessThan(1e-3);
  });

  test("ends at the crop's border", () => {
    const everything = [-1, 2].flatMap((x) => (x < 0 ? [-1, 2] : [2, -1]).map((y) => ({ x, y })));
    expect(targetFineMask(everything).every((share) => Math.abs(share - 1) < 1e-6)).toBe(true);
  });
});
