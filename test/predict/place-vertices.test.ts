/** Where in their cells vertices lie: by the mask map, never outside the cell. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CELL_COUNT, FINE_COUNT, FINE_SIZE, GRID_SIZE, cellToIndex, indexToCell } from "../../src/geometry/grid.js";
import { crossesItself, signedArea } from "../../src/geometry/ring.js";
import { placeOnFineMap, placeVertices } from "../../src/predict/place-vertices.js";
import type { ImagePoint } from "../../src/types.js";

/** Logits of a map that is sure of what lies inside a disk, with a soft border one cell wide. */
function disk(x: number, y: number, radius: number): Float32Array {
  return Float32Array.from({ length: CELL_COUNT }, (_, index) => {
    const { col, row } = indexToCell(index);
    return 6 * (radius - Math.hypot(col + 0.5 - x, row + 0.5 - y));
  });
}

/** Cells under the corners of a regular polygon, clockwise on screen from the top. */
function around(x: number, y: number, radius: number, corners: number): number[] {
  return Array.from({ length: corners }, (_, at) => {
    const angle = (2 * Math.PI * at) / corners;
    return cellToIndex({
      col: Math.floor(x + radius * Math.sin(angle)),
      row: Math.floor(y - radius * Math.cos(angle)),
    });
  });
}

const anyCells = fc.array(fc.nat(CELL_COUNT - 1), { minLength: 1, maxLength: 40 });
const anyDisk = fc.tuple(
  fc.double({ min: 8, max: 20, noNaN: true }),
  fc.double({ min: 8, max: 20, noNaN: true }),
  fc.double({ min: 4, max: 7, noNaN: true }),
);

describe("placing vertices in their cells", () => {
  test("no vertex leaves its cell, whatever polygon and map", () => {
    fc.assert(
      fc.property(anyCells, anyDisk, (cells, [x, y, radius]) => {
        const points = placeVertices(cells, disk(x, y, radius));
        expect(points).toHaveLength(cells.length);
        points.forEach(({ gridX, gridY }, at) => {
          const { col, row } = indexToCell(cells[at]!);
          expect(gridX >= col && gridX <= col + 1 && gridY >= row && gridY <= row + 1).toBe(true);
        });
      }),
    );
  });

  test("on a refined mask they rest a quarter of a fine cell inside its border: it is taught too wide", () => {
    // A square from 6.5 to 21.5 cells, with a border that is soft over a fine cell.
    const square = Float32Array.from({ length: FINE_COUNT }, (_, at) => {
      const [x, y] = [at % FINE_SIZE, Math.floor(at / FINE_SIZE)].map((part) => (part + 0.5) / 4);
      return 8 * (7.5 - Math.max(Math.abs(x! - 14), Math.abs(y! - 14)));
    });
    const corners = [6, 21].flatMap((row) => [6, 21].map((col) => cellToIndex({ col, row })));
    const cells = [corners[0]!, corners[1]!, corners[3]!, corners[2]!];
    for (const { gridX, gridY } of placeOnFineMap(cells, square, 1)) {
      expect(7.5 - Math.abs(gridX - 14)).toBeCloseTo(0.25 / 4, 1);
      expect(7.5 - Math.abs(gridY - 14)).toBeCloseTo(0.25 / 4, 1);
      expect(Math.abs(gridX - 14)).toBeLessThan(7.48);
    }
  });

  test("without a map, and with fewer than three vertices, they lie at the centers", () => {
    fc.assert(
      fc.property(anyCells, (cells) => {
        const centers = cells.map((index) => ({
          gridX: (index % GRID_SIZE) + 0.5,
          gridY: Math.floor(index / GRID_SIZE) + 0.5,
        }));
        expect(placeVertices(cells, undefined)).toEqual(centers);
        if (cells.length < 3) expect(placeVertices(cells, disk(14, 14, 6))).toEqual(centers);
      }),
    );
  });

  test("polygons drawn around disks come nearer to the disk's area: their error is on average less than half of that through the centers", () => {
    const errors = fc
      .sample(fc.tuple(anyDisk, fc.integer({ min: 8, max: 16 })), { numRuns: 300, seed: 7 })
      .map(([[x, y, radius], corners]) => {
        const cells = around(x, y, radius, corners);
        const error = (map: Float32Array | undefined): number =>
          Math.abs(
            signedArea(placeVertices(cells, map).map(({ gridX, gridY }) => ({ x: gridX, y: gridY }))) /
              (Math.PI * radius ** 2) -
              1,
          );
        return [error(disk(x, y, radius)), error(undefined)] as const;
      });
    const mean = (of: 0 | 1): number => errors.reduce((sum, pair) => sum + pair[of], 0) / errors.length;
    expect(mean(0)).toBeLessThan(mean(1) / 2);
  });

  test("a ring that does not cross itself through the centers does not after placing, whatever the map", () => {
    let moved = 0;
    fc.assert(
      fc.property(
        fc.array(fc.nat(CELL_COUNT - 1), { minLength: 4, maxLength: 9 }),
        fc.double({ min: 0.01, max: 2, noNaN: true }),
        (cells, wave) => {
          const ringOf = (map: Float32Array | undefined): ImagePoint[] =>
            placeVertices(cells, map).map(({ gridX, gridY }) => ({ x: gridX, y: gridY }));
          fc.pre(!crossesItself(ringOf(undefined)));
          const map = new Float32Array(CELL_COUNT).map((_, at) => 8 * Math.sin(at * wave));
          expect(crossesItself(ringOf(map))).toBe(false);
          if (ringOf(map).some(({ x }) => x % 1 !== 0.5)) moved++;
        },
      ),
      { numRuns: 400 },
    );
    expect(moved).toBeGreaterThan(100);
  });

  test("the way round makes no difference", () => {
    fc.assert(
      fc.property(anyDisk, fc.integer({ min: 5, max: 16 }), ([x, y, radius], corners) => {
        const cells = around(x, y, radius, corners);
        const back = placeVertices([...cells].reverse(), disk(x + 1, y, radius)).reverse();
        placeVertices(cells, disk(x + 1, y, radius)).forEach(({ gridX, gridY }, at) => {
          expect(gridX).toBeCloseTo(back[at]!.gridX, 9);
          expect(gridY).toBeCloseTo(back[at]!.gridY, 9);
        });
      }),
    );
  });
});
