/**
 * How a vertex enters the decoder: planes of the grid, looked up by cell index.
 * A constant table keeps the step free of arithmetic on indices and lets every engine use its plain row lookup.
 */
import { CELL_COUNT, CLASS_COUNT, GRID_SIZE } from "../geometry/grid.js";
import type { VertexTable } from "./tensor-ops.js";

/** The paper's form: a one-hot grid. [785, 1, 28, 28]; the end-of-sequence row is all zeros. */
export function oneHotTable(): VertexTable {
  const values = new Float32Array(CLASS_COUNT * CELL_COUNT);
  for (let cell = 0; cell < CELL_COUNT; cell++) values[cell * CELL_COUNT + cell] = 1;
  return { name: "vertex.one_hot", channels: 1, values };
}

/**
 * One-hot grid and two planes of relative coordinates, (col - col of v) / 14 and (row - row of v) / 14. [785, 3, 28, 28]; the
 * end-of-sequence row is all zeros. Not in the paper: convolutions with 3 x 3 kernels learn from it where the last vertex is
 * without carrying it across the grid, one cell per step.
 */
export function relativeTable(): VertexTable {
  const values = new Float32Array(CLASS_COUNT * 3 * CELL_COUNT);
  for (let cell = 0; cell < CELL_COUNT; cell++) {
    const start = cell * 3 * CELL_COUNT;
    values[start + cell] = 1;
    for (let at = 0; at < CELL_COUNT; at++) {
      values[start + CELL_COUNT + at] = ((at % GRID_SIZE) - (cell % GRID_SIZE)) / (GRID_SIZE / 2);
      values[start + 2 * CELL_COUNT + at] =
        (Math.floor(at / GRID_SIZE) - Math.floor(cell / GRID_SIZE)) / (GRID_SIZE / 2);
    }
  }
  return { name: "vertex.relative", channels: 3, values };
}
