import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CELL_COUNT, cellToIndex, FINE_COUNT } from "../../src/geometry/grid.js";
import { signedArea } from "../../src/geometry/ring.js";
import { isSimple } from "../../src/geometry/simple-ring.js";
import { sequenceToRing } from "../../src/predict/outline.js";

const frame = { window: { left: 100, top: 50, side: 280 }, bounds: { left: 100, top: 50, width: 280, height: 280 } };
const cells = (...pairs: [number, number][]): number[] => pairs.map(([col, row]) => cellToIndex({ col, row }));

/** No map, or one of waves. */
const anyMap = fc
  .option(fc.tuple(fc.double({ min: -9, max: 9, noNaN: true }), fc.double({ min: 0.01, max: 2, noNaN: true })), {
    nil: undefined,
  })
  .map((wave) => wave && new Float32Array(CELL_COUNT).map((_, at) => wave[0] * Math.sin(at * wave[1])));

describe("from cells to image pixels", () => {
  test("a cell becomes its centre: (cell + 0.5) / 28 * side + origin", () => {
    expect(sequenceToRing(cells([0, 0], [27, 0], [27, 27]), frame, undefined).ring).toEqual([
      { x: 105, y: 55 },
      { x: 375, y: 55 },
      { x: 375, y: 325 },
    ]);
  });

  test("the ring runs clockwise on the screen whichever way the network drew it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: CELL_COUNT - 1 }), { minLength: 1, maxLength: 71 }),
        anyMap,
        (sequence, map) => {
          const { ring, distinct } = sequenceToRing(sequence, frame, map);
          if (distinct >= 3) expect(signedArea(ring)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  test("no vertex lies outside the box, and none equals the one before it", () => {
    const overTheEdge = {
      window: { left: -140, top: -140, side: 280 },
      bounds: { left: 10, top: 20, width: 90, height: 70 },
    };
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: CELL_COUNT - 1 }), { minLength: 1, maxLength: 71 }),
        anyMap,
        (sequence, map) => {
          const { ring, distinct } = sequenceToRing(sequence, overTheEdge, map);
          ring.forEach(({ x, y }, at) => {
            expect(x >= 10 && x <= 100 && y >= 20 && y <= 90).toBe(true);
            if (distinct >= 3) expect(ring[(at + 1) % ring.length]).not.toEqual({ x, y });
          });
        },
      ),
    );
  });

  test("whatever the network named, a ring of three vertices or more neither crosses nor touches itself", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: CELL_COUNT - 1 }), { minLength: 3, maxLength: 71 }),
        anyMap,
        (sequence, map) => {
          const { ring } = sequenceToRing(sequence, frame, map);
          if (ring.length > 3) expect(isSimple(ring)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
    const bowTie = cells([0, 0], [9, 9], [9, 0], [0, 9]);
    expect(sequenceToRing(bowTie, frame, undefined).ring).toHaveLength(4);
    expect(isSimple(sequenceToRing(bowTie, frame, undefined).ring)).toBe(true);
  });

  test("a ring is never shorter than it says: vertices that all move onto one side of the box are no polygon", () => {
    const toTheLeft = { ...frame, bounds: { ...frame.bounds, width: 20 } };
    const thereAndBack = cells([20, 3], [21, 9], [22, 14], [21, 9]);
    expect(sequenceToRing(thereAndBack, toTheLeft, undefined).distinct).toBeLessThan(3);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: CELL_COUNT - 1 }), { minLength: 3, maxLength: 12 }),
        fc.oneof(anyMap, fc.constant(new Float32Array(FINE_COUNT).map((_, at) => Math.sin(at)))),
        (sequence, map) => {
          const { ring, distinct } = sequenceToRing(sequence, toTheLeft, map);
          if (distinct >= 3) expect(ring.length).toBeGreaterThanOrEqual(distinct);
        },
      ),
    );
  });

  test.each([
    { sequence: cells([3, 3]), distinct: 1, why: "a first vertex and end-of-sequence" },
    { sequence: cells([3, 3], [3, 3], [3, 3]), distinct: 1, why: "the same cell over and over" },
    { sequence: cells([3, 3], [9, 9], [3, 3], [9, 9]), distinct: 2, why: "there and back again" },
  ])("$why leaves fewer than three vertices, whatever the map says", ({ sequence, distinct }) => {
    fc.assert(
      fc.property(anyMap, (map) => {
        expect(sequenceToRing(sequence, frame, map).distinct).toBeLessThanOrEqual(distinct);
      }),
    );
    expect(sequenceToRing(sequence, frame, undefined).distinct).toBe(distinct);
  });
});
