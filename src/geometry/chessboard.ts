/** Distances between grid cells, used by the click simulation. */
import type { GridCell } from "../types.js";

/** max(|dcol|, |drow|), in cells: the distance of the paper's threshold T. */
export function chessboardDistance(a: GridCell, b: GridCell): number {
  return Math.max(Math.abs(a.col - b.col), Math.abs(a.row - b.row));
}

/** |dcol| + |drow|, in cells: the distance of the authors' released training code. */
export function manhattanDistance(a: GridCell, b: GridCell): number {
  return Math.abs(a.col - b.col) + Math.abs(a.row - b.row);
}
