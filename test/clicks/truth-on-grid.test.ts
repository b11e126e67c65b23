import fc from "fast-check";
import { expect, test } from "vitest";
import { truthOnGrid } from "../../src/clicks/simulation.js";
import { rasterizePolygon } from "../../src/geometry/rasterize.js";
import { ringToCells } from "../../src/geometry/quantize.js";
import type { Ring } from "../../src/types.js";
import { anyOutline, cells, SIDE } from "./arbitraries.js";

const window = { left: 0, top: 0, side: SIDE };
const square = (left: number, top: number, side: number): Ring => [
  { x: left, y: top },
  { x: left + side, y: top },
  { x: left + side, y: top + side },
  { x: left, y: top + side },
];

test("a polygon becomes its cells, clockwise", () => {
  fc.assert(
    fc.property(anyOutline, (ring) => {
      expect(truthOnGrid({ kind: "polygon", polygon: [[...ring].reverse()] }, window)?.length).toBe(
        truthOnGrid({ kind: "polygon", polygon: [ring] }, window)?.length,
      );
    }),
  );
  expect(truthOnGrid({ kind: "polygon", polygon: [square(25, 25, 200)] }, window)).toEqual(
    cells([2, 2], [22, 2], [22, 22], [2, 22]),
  );
});

test("of several parts the largest is followed", () => {
  expect(
    truthOnGrid({ kind: "polygon", polygon: [square(0, 0, 40), square(25, 25, 200), square(240, 240, 35)] }, window),
  ).toEqual(ringToCells(square(25, 25, 200), window));
});

test("of a mask the outline of the largest component is followed, holes left out", () => {
  const rle = rasterizePolygon([square(25, 25, 200)], SIDE, SIDE);
  const withSmaller = rasterizePolygon([square(25, 25, 200), square(240, 240, 30)], SIDE, SIDE);
  const hole = rasterizePolygon(
    [[...square(25, 25, 200), { x: 25, y: 25 }, ...[...square(100, 100, 50)].reverse(), { x: 100, y: 150 }]],
    SIDE,
    SIDE,
  );
  for (const mask of [rle, withSmaller, hole]) {
    expect(truthOnGrid({ kind: "rle", rle: mask }, window)).toEqual(cells([2, 2], [22, 2], [22, 22], [2, 22]));
  }
});

test("the stairs of a mask's slanted sides are no vertices", () => {
  for (let turn = 0; turn < 20; turn++) {
    const triangle: Ring = [0, 2.1, 4.2].map((angle) => ({
      x: 140 + 120 * Math.cos(turn + angle),
      y: 140 + 120 * Math.sin(turn + angle),
    }));
    expect(
      truthOnGrid({ kind: "rle", rle: rasterizePolygon([triangle], SIDE, SIDE) }, window)!.length,
    ).toBeLessThanOrEqual(5);
  }
});

test.each<{ why: string; ring: Ring }>([
  { why: "smaller than a cell", ring: square(101, 101, 5) },
  {
    why: "a line on the grid",
    ring: [
      { x: 0, y: 1 },
      { x: 270, y: 1 },
      { x: 140, y: 8 },
    ],
  },
  { why: "without vertices", ring: [] },
])("an outline $why has no area on the grid", ({ ring }) => {
  expect(truthOnGrid({ kind: "polygon", polygon: [ring] }, window)).toBeUndefined();
});

test("an empty mask has no outline", () => {
  expect(
    truthOnGrid({ kind: "rle", rle: { height: 9, width: 9, counts: Uint32Array.of(81) } }, window),
  ).toBeUndefined();
});
