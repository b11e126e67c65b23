/** Samples and their pixels to the arrays a trainer takes. */
import { CELL_COUNT, EOS, cellToIndex } from "../geometry/grid.js";
import type { TrainingBatch } from "../runtime/training-batch.js";
import type { GridCell } from "../types.js";
import { targetMaps } from "./target-maps.js";

/**
 * @param crops [B, 224, 224, 3]; becomes the batch's own
 * @param rings B sequences of cells, at least one cell each
 */
export function packBatch(crops: Uint8Array, rings: readonly (readonly GridCell[])[]): TrainingBatch {
  const size = rings.length;
  const steps = Math.max(...rings.map((cells) => cells.length));
  const cells = new Int32Array(size * (steps + 1)).fill(EOS);
  const edge = new Uint8Array(size * CELL_COUNT);
  const mask = new Float32Array(size * CELL_COUNT);
  rings.forEach((ring, i) => {
    cells.set(ring.map(cellToIndex), i * (steps + 1));
    const maps = targetMaps(ring);
    edge.set(maps.edge, i * CELL_COUNT);
    mask.set(maps.mask, i * CELL_COUNT);
  });
  return { size, steps, crops, cells, edge, mask };
}
