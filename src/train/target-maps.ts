/**
 * The maps beside the sequence: which cells the outline passes, and which it covers. They are made from the cells of the sequence, not
 * from the finer truth, so that every output of the network is taught the same ring.
 */
import { CELL_COUNT, GRID_SIZE, cellToIndex } from "../geometry/grid.js";
import type { GridCell } from "../types.js";

export interface TargetMaps {
  /** [28, 28] 0 or 1, row by row. */
  readonly edge: Uint8Array;
  readonly mask: Uint8Array;
}

/** @param cells a closed ring of at least one cell */
export function targetMaps(cells: readonly GridCell[]): TargetMaps {
  const edge = new Uint8Array(CELL_COUNT);
  cells.forEach((cell, i) => { drawLine(edge, cells.at(i - 1)!, cell); });
  const mask = edge.slice();
  fillInside(mask, cells);
  return { edge, mask };
}

/** Bresenham 1965: the cells nearest to the line between two centers, one per step along its longer direction. */
function drawLine(map: Uint8Array, from: GridCell, to: GridCell): void {
  // Always from the same end: a side of the mirrored or reversed ring must pass the same cells.
  const isForward = from.row < to.row || (from.row === to.row && from.col <= to.col);
  const start = isForward ? from : to, end = isForward ? to : from;
  const columns = end.col - start.col, rows = end.row - start.row;
  const steps = Math.max(Math.abs(columns), rows);
  for (let i = 0; i <= steps; i++) {
    const along = steps === 0 ? 0 : i / steps;
    map[cellToIndex({ col: start.col + roundHalfIn(columns * along), row: start.row + Math.round(rows * along) })] = 1;
  }
}

/** Halves go toward zero on both sides, so that a mirrored line passes the mirrored cells. */
function roundHalfIn(value: number): number {
  return Math.sign(value) * Math.ceil(Math.abs(value) - 0.5) + 0;
}

/** Sets the cells whose center lies inside the ring of centers; even-odd rule. Cells on the ring are the edge's. */
function fillInside(mask: Uint8Array, cells: readonly GridCell[]): void {
  for (let row = 0; row < GRID_SIZE; row++) {
    const crossings = crossingsOf(cells, row).sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      for (let col = Math.ceil(crossings[i]!); col <= crossings[i + 1]!; col++) mask[row * GRID_SIZE + col] = 1;
    }
  }
}

/** Columns at which the ring passes the centers of a row; a side holds its upper end and not its lower one, so that a vertex counts once. */
function crossingsOf(cells: readonly GridCell[], row: number): number[] {
  const crossings: number[] = [];
  cells.forEach((b, i) => {
    const a = cells.at(i - 1)!;
    if (a.row <= row === b.row <= row) return;
    crossings.push(a.col + ((row - a.row) / (b.row - a.row)) * (b.col - a.col));
  });
  return crossings;
}
