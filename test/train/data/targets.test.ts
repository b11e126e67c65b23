import fc from "fast-check";
import { expect, test } from "vitest";
import { GRID_SIZE } from "../../../src/geometry/grid.js";
import { iouOfRles } from "../../../src/geometry/iou.js";
import { flipCells, flipCellsVertically } from "../../../src/geometry/grid.js";
import { cellsToRing, ringToCells } from "../../../src/geometry/quantize.js";
import { rasterizePolygon } from "../../../src/geometry/rasterize.js";
import { signedArea } from "../../../src/geometry/ring.js";
import { createRandom } from "../../../src/random.js";
import { startAt, targetCells } from "../../../src/train/data/targets.js";
import { DEFAULT_SEQUENCE_LIMITS } from "../../../src/train/options.js";
import type { GridCell, Ring } from "../../../src/types.js";
import { anyFramedRing } from "../arbitraries.js";

const LIMITS = { ...DEFAULT_SEQUENCE_LIMITS, maxVertices: 784 };
const areaOf = (cells: readonly GridCell[]): number => signedArea(cells.map(({ col, row }) => ({ x: col, y: row })));

/** Cells of a drawn ring; rings that are too thin for the grid say nothing about the properties below. */
function cellsOf({ window, ring }: { window: Parameters<typeof targetCells>[1]; ring: Ring }): GridCell[] {
  const cells = targetCells(ring, window, LIMITS);
  fc.pre(typeof cells !== "string");
  return cells;
}

test("cells to be taught lie on the grid, run clockwise, are at least three, and never stand still", () => {
  fc.assert(
    fc.property(anyFramedRing, (framed) => {
      const cells = cellsOf(framed);
      expect(cells.length).toBeGreaterThanOrEqual(3);
      expect(areaOf(cells)).toBeGreaterThan(0);
      cells.forEach(({ col, row }, i) => {
        expect(
          Number.isInteger(col) && Number.isInteger(row) && col >= 0 && row >= 0 && col < GRID_SIZE && row < GRID_SIZE,
        ).toBe(true);
        expect(cells.at(i - 1)).not.toEqual({ col, row });
      });
    }),
  );
});

test.each([
  {
    flip: flipCells,
    name: "left and right",
    moved: ({ col, row }: GridCell): GridCell => ({ col: GRID_SIZE - 1 - col, row }),
  },
  {
    flip: flipCellsVertically,
    name: "top and bottom",
    moved: ({ col, row }: GridCell): GridCell => ({ col, row: GRID_SIZE - 1 - row }),
  },
])("exchanging $name keeps orientation, area and first vertex, and twice is nothing", ({ flip, moved }) => {
  fc.assert(
    fc.property(anyFramedRing, (framed) => {
      const cells = cellsOf(framed);
      const flipped = flip(cells);
      expect(areaOf(flipped)).toBe(areaOf(cells));
      expect(flipped[0]).toEqual(moved(cells[0]!));
      expect(new Set(flipped.map((cell) => JSON.stringify(cell)))).toEqual(
        new Set(cells.map((cell) => JSON.stringify(moved(cell)))),
      );
      expect(flip(flipped)).toEqual(cells);
    }),
  );
});

test("another first vertex is the same ring", () => {
  fc.assert(
    fc.property(anyFramedRing, fc.nat(), (framed, n) => {
      const cells = cellsOf(framed);
      const started = startAt(cells, n % cells.length);
      expect(started[0]).toEqual(cells[n % cells.length]);
      expect(startAt(started, cells.length - (n % cells.length))).toEqual(cells);
    }),
  );
});

function iouOfCells(cells: readonly GridCell[], ring: Ring, side: number): number {
  return iouOfRles(
    rasterizePolygon([cellsToRing(cells, { left: 0, top: 0, side })], side, side),
    rasterizePolygon([ring], side, side),
  );
}

/** A smooth outline as annotators draw them: 60 vertices, a circle bent by three waves. */
function blob(seed: number, side: number): Ring {
  const random = createRandom(seed);
  const waves = [2, 3, 5].map((count) => ({
    count,
    height: random.between(0, 0.3 / count),
    at: random.between(0, 6.28),
  }));
  return Array.from({ length: 60 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 60;
    const radius =
      side * 0.33 * (1 + waves.reduce((sum, { count, height, at }) => sum + height * Math.sin(count * angle + at), 0));
    return { x: side / 2 + radius * Math.cos(angle), y: side / 2 + radius * Math.sin(angle) };
  });
}

test("the ring that comes back from the cells covers the truth nearly as well as the grid allows, with far fewer vertices", () => {
  const side = 280;
  const found = Array.from({ length: 60 }, (_, seed) => {
    const ring = blob(seed, side);
    const window = { left: 0, top: 0, side };
    const taught = targetCells(ring, window, LIMITS) as GridCell[];
    const ceiling = ringToCells(ring, window);
    return {
      iou: iouOfCells(taught, ring, side),
      ceiling: iouOfCells(ceiling, ring, side),
      part: taught.length / ceiling.length,
    };
  });
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(mean(found.map(({ iou }) => iou))).toBeGreaterThan(0.94);
  expect(mean(found.map(({ iou, ceiling }) => ceiling - iou))).toBeLessThan(0.015);
  expect(Math.min(...found.map(({ iou }) => iou))).toBeGreaterThan(0.9);
  expect(mean(found.map(({ part }) => part))).toBeLessThan(0.6);
});

const WINDOW = { left: 0, top: 0, side: 280 };
const points = (...numbers: number[]): Ring =>
  Array.from({ length: numbers.length / 2 }, (_, i) => ({ x: numbers[2 * i]!, y: numbers[2 * i + 1]! }));

test.each([
  { ring: points(11, 11, 14, 11, 14, 14), limit: 70, reason: "fewer-than-three-cells", why: "a ring inside one cell" },
  {
    ring: points(5, 15, 105, 12, 255, 15, 105, 18),
    limit: 70,
    simplifyCells: 0,
    reason: "fewer-than-three-cells",
    why: "a sliver thinner than a cell, drawn there and back",
  },
  {
    ring: points(11, 15, 150, 19, 260, 15),
    limit: 70,
    reason: "flat-on-grid",
    why: "a triangle within one row of cells",
  },
  {
    ring: points(5, 5, 275, 5, 275, 275, 5, 275),
    limit: 3,
    reason: "longer-than-limit",
    why: "a square where three vertices are the limit",
  },
])("$why is $reason", ({ ring, limit, simplifyCells, reason }) => {
  expect(targetCells(ring, WINDOW, { simplifyCells: simplifyCells ?? 0.45, maxVertices: limit })).toBe(reason);
});
