/** Truth rings on the grid, and engines that draw on them, for the tests of the click simulation. */
import fc from "fast-check";
import type { Crop } from "../../src/crop/crop.js";
import type { ClickRule } from "../../src/clicks/rules.js";
import { indexToCell } from "../../src/geometry/grid.js";
import { ringToCells } from "../../src/geometry/quantize.js";
import type { GridCell, Ring } from "../../src/types.js";
import { fakeCrops } from "../predict/fake-engine.js";

/** Ten pixels to a cell. */
export const SIDE = 280;
const WINDOW = { left: 0, top: 0, side: SIDE };

/** Outline around the middle of the crop with one vertex per direction: never crosses itself, often has dents. */
export const anyOutline: fc.Arbitrary<Ring> = fc
  .array(fc.double({ min: 25, max: 138, noNaN: true }), { minLength: 3, maxLength: 24 })
  .map((radii) =>
    radii.map((radius, i) => {
      const angle = (2 * Math.PI * i) / radii.length;
      return { x: SIDE / 2 + radius * Math.cos(angle), y: SIDE / 2 + radius * Math.sin(angle) };
    }),
  );

/** Cells of such an outline; at least three, with an area. */
export const anyTruth: fc.Arbitrary<readonly GridCell[]> = anyOutline
  .map((ring) => ringToCells(ring, WINDOW))
  .filter((cells) => cells.length >= 3);

export const anyCell: fc.Arbitrary<GridCell> = fc.integer({ min: 0, max: 783 }).map(indexToCell);

export function cells(...pairs: readonly (readonly [number, number])[]): GridCell[] {
  return pairs.map(([col, row]) => ({ col, row }));
}

/** A crop of 280 px at the top left of an image of that size. The seed tells the fake engine what to draw. */
export function cropOf(outline: Ring, seed: number): Crop {
  return {
    instance: {
      ordinal: seed,
      annotationId: seed,
      imageId: 1,
      categoryId: 1,
      box: { left: 0, top: 0, width: SIDE, height: SIDE },
      truth: { kind: "polygon", polygon: [outline] },
      raw: {},
    },
    pixels: fakeCrops([seed]),
    window: WINDOW,
    bounds: { left: 0, top: 0, width: SIDE, height: SIDE },
    clipped: false,
    imageWidth: SIDE,
    imageHeight: SIDE,
  };
}

/** One annotator at work on an engine that proposes the given cells in turn, then the end, whatever is fed back. */
export function follow(
  rule: ClickRule,
  proposals: readonly (GridCell | undefined)[],
  maxSteps = 200,
): { drawn: GridCell[]; clicks: number; ended: boolean } {
  const drawn: GridCell[] = [];
  let clicks = 0;
  for (let step = 0; step < maxSteps; step++) {
    const proposed = proposals[step];
    const taken = rule([...drawn], proposed);
    if (taken?.col !== proposed?.col || taken?.row !== proposed?.row) clicks++;
    if (taken === undefined) return { drawn, clicks, ended: true };
    drawn.push(taken);
  }
  return { drawn, clicks, ended: false };
}
