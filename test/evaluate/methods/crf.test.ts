import { expect, test } from "vitest";
import { colorsOf, CRF_PARAMETERS, enlarge, meanField } from "../../../src/evaluate/methods/crf.js";

const SIDE = 56;
/** A red disc of radius 14 cells on blue. */
const isDisc = (cell: number): boolean => Math.hypot((cell % SIDE) + 0.5 - 28, Math.floor(cell / SIDE) + 0.5 - 28) < 14;
const colors = new Float32Array(SIDE * SIDE * 3);
for (let cell = 0; cell < SIDE * SIDE; cell++) colors.set(isDisc(cell) ? [200, 40, 40] : [40, 60, 200], 3 * cell);

/** Twice the weight of the program's own and wider filters: the map then follows the colors all the way. */
const STRONG = { ...CRF_PARAMETERS, weight: 1, reach: 4, colorReach: 20 };

/** Cells on the wrong side of one half. */
function wrongCells(map: Float32Array): number {
  return map.filter((p, cell) => p >= 0.5 !== isDisc(cell)).length;
}

test("a blurred and shifted map moves to the edge of the colors", () => {
  const map = Float32Array.from({ length: SIDE * SIDE }, (_, cell) => {
    const distance = Math.hypot((cell % SIDE) + 0.5 - 30, Math.floor(cell / SIDE) + 0.5 - 27);
    return 1 / (1 + Math.exp((distance - 14) / 4));
  });
  const before = wrongCells(map);
  expect(before).toBeGreaterThan(60);
  expect(wrongCells(meanField(map, colors, { ...CRF_PARAMETERS, iterations: 1 }))).toBeLessThan(before);
  expect(wrongCells(meanField(map, colors, STRONG))).toBeLessThan(before / 4);
});

test("without weights nothing moves; a map of zeros and ones stays finite", () => {
  const map = Float32Array.from({ length: SIDE * SIDE }, (_, cell) => (isDisc(cell) ? 0.75 : 0.25));
  const still = meanField(map, colors, { ...STRONG, weight: 0, iterations: 1 });
  still.forEach((p, cell) => {
    expect(p).toBeCloseTo(map[cell]!, 5);
  });
  const sure = meanField(Float32Array.from(map, Math.round), colors, { ...STRONG, iterations: 1 });
  expect(sure.every(Number.isFinite)).toBe(true);
});

test("maps are enlarged between cell centers, colors are means of 4 x 4 pixels", () => {
  const coarse = Float32Array.from({ length: 28 * 28 }, (_, cell) => cell % 28);
  const fine = enlarge(coarse);
  expect([...fine.subarray(0, 5)]).toEqual([0, 0.25, 0.75, 1.25, 1.75]);
  const pixels = new Uint8Array(224 * 224 * 3);
  for (let y = 0; y < 4; y++) for (let x = 0; x < 4; x++) pixels.set([8 * x, 0, 16], 3 * (y * 224 + x));
  expect([...colorsOf(pixels).subarray(0, 6)]).toEqual([12, 0, 16, 0, 0, 0]);
});
