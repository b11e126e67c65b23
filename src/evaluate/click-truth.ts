/** Ground truth as the simulated annotator sees it: one ring of grid cells, in the crop's frame. */
import { type CropWindow, GRID_SIZE } from "../geometry/grid.js";
import { ringToCells } from "../geometry/quantize.js";
import { signedArea } from "../geometry/ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import type { GridCell, Ring, Truth } from "../types.js";
import { traceMask } from "../write/trace-mask.js";

/** Tolerance that takes the stairs out of a mask's outline, image pixels: filled triangles of any slant come back with 3.2 vertices on average, with 1 px with 25. */
const STAIR_PX = 1.5;

/**
 * The annotator draws one outline, as the network does: the largest ring of a truth polygon, or the outline of a truth mask's largest
 * component, holes left out. A mask's outline follows pixel edges; its stairs are taken out by simplification within 1.5 pixels,
 * at most half a grid cell, or each of them would count as vertices. The ring then becomes grid cells as in training: cells under the
 * vertices, repeated and collinear ones removed, clockwise.
 *
 * @returns undefined when no area is left on the grid: fewer than three cells, or all in line
 */
export function truthOnGrid(truth: Truth, window: CropWindow): readonly GridCell[] | undefined {
  const ring =
    truth.kind === "polygon"
      ? largestRing(truth.polygon)
      : simplifyRing(largestRing(traceMask(truth.rle)), Math.min(STAIR_PX, window.side / GRID_SIZE / 2));
  const cells = ringToCells(ring, window);
  return cells.length >= 3 && signedArea(cells.map(({ col, row }) => ({ x: col, y: row }))) > 0 ? cells : undefined;
}

/** Outlines of holes run the other way round and never enclose more than the outline around them. */
function largestRing(rings: readonly Ring[]): Ring {
  let largest: Ring = [];
  let most = 0;
  for (const ring of rings) {
    const area = Math.abs(signedArea(ring));
    if (area > most) {
      most = area;
      largest = ring;
    }
  }
  return largest;
}
