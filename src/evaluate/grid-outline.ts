/** Distances between cells and edges on the grid, in cells, by the metric of the click simulation. Pure. */
import { chessboardDistance, manhattanDistance } from "../geometry/chessboard.js";
import type { GridCell } from "../types.js";
import type { ClickMetric } from "./report-types.js";

export function cellDistance(a: GridCell, b: GridCell, metric: ClickMetric): number {
  return metric === "chessboard" ? chessboardDistance(a, b) : manhattanDistance(a, b);
}

/** Smallest distance from a cell to the points of the edge a-b, which may be a point. */
export function distanceToEdge(cell: GridCell, a: GridCell, b: GridCell, metric: ClickMetric): number {
  const dcol = b.col - a.col;
  const drow = b.row - a.row;
  const col = a.col - cell.col;
  const row = a.row - cell.row;
  // Both metrics are convex and linear in pieces along the edge: the smallest value lies where a piece ends.
  const ends = [0, 1, -col / dcol, -row / drow, (row - col) / (dcol - drow), -(row + col) / (dcol + drow)];
  let smallest = Infinity;
  for (const end of ends) {
    if (!(end >= 0 && end <= 1)) continue; // also leaves out the divisions by zero
    smallest = Math.min(smallest, cellDistance({ col: col + end * dcol, row: row + end * drow }, ORIGIN, metric));
  }
  return smallest;
}
const ORIGIN: GridCell = { col: 0, row: 0 };

/** Position of the closest cell; the first one wins a tie. @param cells at least one */
export function closestIndex(cell: GridCell, cells: readonly GridCell[], metric: ClickMetric): number {
  let best = 0;
  let smallest = Infinity;
  for (let i = 0; i < cells.length; i++) {
    const distance = cellDistance(cell, cells[i]!, metric);
    if (distance < smallest) {
      smallest = distance;
      best = i;
    }
  }
  return best;
}
