/** What the property tests of training draw from: rings in a crop window, and closed rings of cells. */
import fc from "fast-check";
import type { CropWindow } from "../../src/geometry/grid.js";
import { GRID_SIZE } from "../../src/geometry/grid.js";
import type { GridCell, Ring } from "../../src/types.js";

export const anyWindow: fc.Arbitrary<CropWindow> = fc.record({
  left: fc.integer({ min: -300, max: 900 }),
  top: fc.integer({ min: -300, max: 900 }),
  side: fc.integer({ min: 20, max: 1500 }),
});

const anyCell: fc.Arbitrary<GridCell> = fc.record({
  col: fc.integer({ min: 0, max: GRID_SIZE - 1 }),
  row: fc.integer({ min: 0, max: GRID_SIZE - 1 }),
});
/** May cross itself and stand still, as cells of a bad annotation do. */
export const anyCells: fc.Arbitrary<GridCell[]> = fc.array(anyCell, { minLength: 1, maxLength: 20 });

/** Radii by angle around a center: a simple ring, between a fifth and nearly all of the window wide. */
const anyStar = fc.record({
  radii: fc.array(fc.double({ min: 0.1, max: 0.42, noNaN: true }), { minLength: 3, maxLength: 40 }),
  turn: fc.double({ min: 0, max: 6.28, noNaN: true }),
  isReversed: fc.boolean(),
});

/** A window and a simple ring inside it; image pixels, either orientation. */
export const anyFramedRing: fc.Arbitrary<{ window: CropWindow; ring: Ring }> = fc
  .tuple(anyWindow, anyStar)
  .map(([window, { radii, turn, isReversed }]) => {
    const ring = radii.map((radius, i) => {
      const angle = turn + (2 * Math.PI * i) / radii.length;
      return {
        x: window.left + window.side * (0.5 + radius * Math.cos(angle)),
        y: window.top + window.side * (0.5 + radius * Math.sin(angle)),
      };
    });
    return { window, ring: isReversed ? ring.reverse() : ring };
  });
