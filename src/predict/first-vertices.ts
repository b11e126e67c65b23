/** Where polygons may start: the best cells of the first-vertex map, apart from one another. */
import { chessboardDistance } from "../geometry/chessboard.js";
import { CELL_COUNT, indexToCell } from "../geometry/grid.js";
import { indexOfLargest } from "./score.js";

/** Vertices of different polygons lie further apart than this, in cells (chessboard distance); nearer ones draw the same polygon. */
const APART = 2;

/**
 * @param logits first-vertex logits of all crops, [rows, 784]
 * @param count  at least 1
 * @returns      cell indices 0..783, the best first; fewer than count where the map has no more room
 */
export function firstVertices(logits: Float32Array, row: number, count: number): number[] {
  const left = logits.slice(row * CELL_COUNT, (row + 1) * CELL_COUNT);
  const chosen: number[] = [];
  while (chosen.length < count) {
    const best = indexOfLargest(left, 0, CELL_COUNT);
    if (chosen.length > 0 && left[best] === Number.NEGATIVE_INFINITY) break;
    chosen.push(best);
    const center = indexToCell(best);
    for (let at = 0; at < CELL_COUNT; at++)
      if (chessboardDistance(indexToCell(at), center) <= APART) left[at] = Number.NEGATIVE_INFINITY;
  }
  return chosen;
}
