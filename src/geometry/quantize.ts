/**
 * Outline to a sequence of grid cells, as the network predicts it, and back. Source: Castrejon et al., CVPR 2017; cell
 * rule of the authors' released code.
 */
import type { GridCell, Ring } from "../types.js";
import type { CropWindow } from "./grid.js";
import { cellToImagePoint, imagePointToCell } from "./grid.js";
import { orientClockwise, removeCollinear } from "./ring.js";

/**
 * Cells under the vertices, clamped to the grid, clockwise on screen. Repeated cells are dropped, then cells in line
 * while more than three are left. The first vertex stays first where it survives. An outline smaller than a cell leaves
 * fewer than three cells: the caller decides what that means.
 */
export function ringToCells(ring: Ring, window: CropWindow): GridCell[] {
  const onGrid = ring.map((point) => {
    const { col, row } = imagePointToCell(point, window);
    return { x: col, y: row };
  });
  return orientClockwise(removeCollinear(onGrid)).map(({ x, y }) => ({ col: x, row: y }));
}

/** Centers of the cells in image pixels. */
export function cellsToRing(cells: readonly GridCell[], window: CropWindow): Ring {
  return cells.map((cell) => cellToImagePoint(cell, window));
}
