/**
 * The maps beside the sequence: which cells the outline passes, and how much of each it covers. They are made from the cells of the
 * sequence, not from the finer truth, so that every output of the network is taught the same ring.
 *
 * The mask is the share of a cell inside the ring through the centers, not the cells it touches: prediction places vertices where the mask
 * map's border runs (predict/place-vertices.ts), and a map that is taught to reach half a cell too far would lead them there.
 */
import { CELL_COUNT, GRID_SIZE, cellToIndex } from "../geometry/grid.js";
import type { GridCell } from "../types.js";

export interface TargetMaps {
  /** [28, 28] 0 or 1, row by row. */
  readonly edge: Uint8Array;
  /** [28, 28] 0..1, row by row. */
  readonly mask: Float32Array;
}

/** Lines per row of cells along which the mask is measured: the ring's vertices lie between two of them, so that its area is exact. */
const LINES = 8;

/** @param cells a closed ring of at least one cell */
export function targetMaps(cells: readonly GridCell[]): TargetMaps {
  const edge = new Uint8Array(CELL_COUNT);
  cells.forEach((cell, i) => {
    drawLine(edge, cells.at(i - 1)!, cell);
  });
  return { edge, mask: coverage(cells) };
}

/** Bresenham 1965: the cells nearest to the line between two centers, one per step along its longer direction. */
function drawLine(map: Uint8Array, from: GridCell, to: GridCell): void {
  // Always from the same end: a side of the mirrored or reversed ring must pass the same cells.
  const isForward = from.row < to.row || (from.row === to.row && from.col <= to.col);
  const start = isForward ? from : to,
    end = isForward ? to : from;
  const columns = end.col - start.col,
    rows = end.row - start.row;
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

/** Share of each cell inside the ring of centers; even-odd rule. */
function coverage(cells: readonly GridCell[]): Float32Array {
  const mask = new Float64Array(CELL_COUNT);
  for (let line = 0; line < GRID_SIZE * LINES; line++) {
    const row = Math.floor(line / LINES);
    const crossings = crossingsOf(cells, (line + 0.5) / LINES).sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const [left, right] = [crossings[i]!, crossings[i + 1]!];
      for (let col = Math.floor(left); col < right; col++) {
        mask[row * GRID_SIZE + col]! += (Math.min(col + 1, right) - Math.max(col, left)) / LINES;
      }
    }
  }
  return Float32Array.from(mask);
}

/** Positions at which the ring of centers passes a horizontal line through no center; in cells, 0..28. */
function crossingsOf(cells: readonly GridCell[], y: number): number[] {
  const crossings: number[] = [];
  cells.forEach((b, i) => {
    const a = cells.at(i - 1)!;
    if (a.row + 0.5 <= y === b.row + 0.5 <= y) return;
    crossings.push(a.col + 0.5 + ((y - a.row - 0.5) / (b.row - a.row)) * (b.col - a.col));
  });
  return crossings;
}
