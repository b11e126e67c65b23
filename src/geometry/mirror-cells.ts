/** Rings of grid cells in a crop that is mirrored or turned over. Clockwise again: both turn a ring's direction around, and this turns it back. */
import type { GridCell } from "../types.js";
import { GRID_SIZE } from "./grid.js";

/** The cells in the mirrored crop (left and right exchanged); the first vertex stays first. */
export function mirrorCells(cells: readonly GridCell[]): GridCell[] {
  return reverse(cells.map(({ col, row }) => ({ col: GRID_SIZE - 1 - col, row })));
}

/** The same with top and bottom exchanged. */
export function turnOverCells(cells: readonly GridCell[]): GridCell[] {
  return reverse(cells.map(({ col, row }) => ({ col, row: GRID_SIZE - 1 - row })));
}

function reverse([first, ...rest]: readonly GridCell[]): GridCell[] {
  return first === undefined ? [] : [first, ...rest.reverse()];
}
