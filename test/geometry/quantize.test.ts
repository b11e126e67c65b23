import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cellToIndex, GRID_SIZE, imagePointToCell } from "../../src/geometry/grid.js";
import { cellsToRing, ringToCells } from "../../src/geometry/quantize.js";
import { ringBounds, signedArea } from "../../src/geometry/ring.js";
import type { GridCell } from "../../src/types.js";
import { anyRing, toRing } from "./arbitraries.js";

const grid = { left: 0, top: 0, side: GRID_SIZE };
const anyWindow = fc.record({
  left: fc.integer({ min: -300, max: 300 }),
  top: fc.integer({ min: -300, max: 300 }),
  side: fc.integer({ min: 1, max: 900 }),
});
const cells = (...numbers: number[]): GridCell[] => toRing(numbers).map(({ x, y }) => ({ col: x, row: y }));

describe("an outline as cells", () => {
  test.each([
    { ring: [1.2, 1.9, 8.5, 1, 8.999, 9.001], left: [1, 1, 8, 1, 8, 9], why: "a point falls into the cell it lies in" },
    {
      ring: [-5, -5, 99, -5, 99, 99, -5, 99],
      left: [0, 0, 27, 0, 27, 27, 0, 27],
      why: "points outside the window clamp to its border",
    },
    {
      ring: [1, 1, 1.5, 1.5, 9, 1, 9, 9, 1.1, 1.1],
      left: [1, 1, 9, 1, 9, 9],
      why: "repeated cells go, the closing one too",
    },
    { ring: [1, 1, 5, 1.3, 9, 1, 9, 9, 1, 9], left: [1, 1, 9, 1, 9, 9, 1, 9], why: "cells in line go" },
    { ring: [1, 1, 5, 1, 9, 1], left: [1, 1, 5, 1, 9, 1], why: "three cells stay, in line or not" },
    {
      ring: [1, 1, 1, 9, 9, 9],
      left: [1, 1, 9, 9, 1, 9],
      why: "a ring that runs against the clock is reversed, first cell first",
    },
    { ring: [3.1, 3.1, 3.9, 3.1, 3.5, 3.9], left: [3, 3], why: "an outline within a cell is one cell" },
    { ring: [], left: [], why: "no vertex" },
  ])("$why", ({ ring, left }) => {
    expect(ringToCells(toRing(ring), grid)).toEqual(cells(...left));
  });

  test("is on the grid, clockwise, without neighbors in the same cell", () => {
    fc.assert(
      fc.property(anyRing, anyWindow, (ring, window) => {
        const found = ringToCells(ring, window);
        const indices = found.map(cellToIndex);
        for (const { col, row } of found) expect(Math.min(col, row) >= 0 && Math.max(col, row) < GRID_SIZE).toBe(true);
        if (found.length > 1)
          indices.forEach((index, i) => {
            expect(index).not.toBe(indices.at(i - 1));
          });
        expect(signedArea(found.map(({ col, row }) => ({ x: col, y: row })))).toBeGreaterThanOrEqual(0);
        const under = new Set(ring.map((point) => cellToIndex(imagePointToCell(point, window))));
        expect(indices.every((index) => under.has(index))).toBe(true);
      }),
    );
  });

  test("quantizing its cells again changes nothing", () => {
    fc.assert(
      fc.property(anyRing, anyWindow, (ring, window) => {
        const once = ringToCells(ring, window);
        expect(ringToCells(cellsToRing(once, window), window)).toEqual(once);
      }),
    );
  });

  test("mirroring the outline in its window mirrors the cells and turns their order around", () => {
    const anyInside = fc.array(fc.record({ x: fc.integer({ min: 0, max: 27 }), y: fc.integer({ min: 0, max: 27 }) }), {
      minLength: 3,
      maxLength: 9,
    });
    fc.assert(
      fc.property(anyInside, anyWindow, (points, window) => {
        const centers = cellsToRing(
          points.map(({ x, y }) => ({ col: x, row: y })),
          window,
        );
        const found = ringToCells(centers, window);
        const flipped = ringToCells(
          centers.map(({ x, y }) => ({ x: 2 * window.left + window.side - x, y })),
          window,
        );
        const asPoints = found.map(({ col, row }) => ({ x: 27 - col, y: row }));
        fc.pre(signedArea(asPoints) !== 0);
        const [first, ...rest] = asPoints;
        expect(flipped.map(({ col, row }) => ({ x: col, y: row }))).toEqual([first, ...rest.reverse()]);
      }),
    );
  });

  test("cells of any ring come back inside their window", () => {
    fc.assert(
      fc.property(
        anyRing.filter((ring) => ring.length > 0),
        anyWindow,
        (ring, window) => {
          const bounds = ringBounds(cellsToRing(ringToCells(ring, window), window))!;
          expect(bounds.left).toBeGreaterThan(window.left);
          expect(bounds.top).toBeGreaterThan(window.top);
          expect(bounds.left + bounds.width).toBeLessThan(window.left + window.side);
          expect(bounds.top + bounds.height).toBeLessThan(window.top + window.side);
        },
      ),
    );
  });
});
