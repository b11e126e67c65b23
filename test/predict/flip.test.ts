import fc from "fast-check";
import { expect, test } from "vitest";
import { CELL_COUNT, CROP_SIZE, cellCenter, indexToCell } from "../../src/geometry/grid.js";
import { signedArea } from "../../src/geometry/ring.js";
import { meanOfBoth, flipSequence, flipCrops } from "../../src/predict/flip.js";
import type { Ring } from "../../src/types.js";
import { withDigests } from "../helpers/digests.js";

const anyCells = fc.array(fc.nat(CELL_COUNT - 1), { minLength: 1, maxLength: 20 });

function ringOf(cells: readonly number[]): Ring {
  return cells.map((index) => {
    const { gridX, gridY } = cellCenter(indexToCell(index));
    return { x: gridX, y: gridY };
  });
}

test("a flipped polygon has the same area, the same direction and the same first vertex, and comes back as it was", () => {
  fc.assert(
    fc.property(anyCells, (cells) => {
      expect(signedArea(ringOf(flipSequence(cells)))).toBeCloseTo(signedArea(ringOf(cells)), 9);
      expect(flipSequence(cells)[0]).toBe(flipSequence([cells[0]!])[0]);
      expect(flipSequence(flipSequence(cells))).toEqual(cells);
    }),
  );
  expect(flipSequence([0, 27, 783])).toEqual([27, 756, 0]);
});

test("the mean of two maps takes each cell from where it lies when flipped", () => {
  const cell = fc.nat(CELL_COUNT - 1);
  fc.assert(
    fc.property(cell, cell, (one, other) => {
      const map = new Float32Array(CELL_COUNT),
        flipped = new Float32Array(CELL_COUNT);
      map[one] = 4;
      flipped[flipSequence([other])[0]!] = 2;
      const mean = meanOfBoth(map, flipped);
      const wanted = new Float32Array(CELL_COUNT);
      wanted[one]! += 2;
      wanted[other]! += 1;
      expect(mean).toEqual(wanted);
    }),
  );
});

test("pixels change sides within their row, channels stay in order; only the named crops are turned", () => {
  const bytes = CROP_SIZE * CROP_SIZE * 3;
  const pixels = new Uint8Array(3 * bytes).map((_, at) => (at * 7 + Math.floor(at / 1000)) % 251);
  const turned = flipCrops(pixels, [2, 0]);
  expect(turned).toHaveLength(2 * bytes);
  const at = (row: number, col: number): number => (row * CROP_SIZE + col) * 3;
  for (const [row, col] of [
    [0, 0],
    [0, 223],
    [100, 37],
    [223, 111],
  ] as const) {
    expect([...turned.subarray(at(row, col), at(row, col) + 3)]).toEqual([
      ...pixels.subarray(2 * bytes + at(row, 223 - col), 2 * bytes + at(row, 223 - col) + 3),
    ]);
  }
  const named = new Uint8Array(Buffer.concat([pixels.subarray(2 * bytes), pixels.subarray(0, bytes)]));
  expect(withDigests(flipCrops(turned, [0, 1]))).toBe(withDigests(named));
});
