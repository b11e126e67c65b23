/**
 * A crop in the mirror, left and right exchanged: the network has learned from both and draws a little differently there, which makes two
 * opinions of one crop. Cells, maps and pixels go there and come back by the same functions.
 */
import { CELL_COUNT, CROP_SIZE, GRID_SIZE, cellToIndex, indexToCell } from "../geometry/grid.js";
import type { GridCell } from "../types.js";

const CHANNELS = 3;
const CROP_BYTES = CROP_SIZE * CROP_SIZE * CHANNELS;

export function mirrorCell({ col, row }: GridCell): GridCell { return { col: GRID_SIZE - 1 - col, row }; }

/**
 * @param cells a polygon, indices 0..783
 * @returns     the same outline in the mirror, last vertex first: the mirror turns its direction around, and this turns it back
 */
export function mirrorCells(cells: readonly number[]): number[] {
  return cells.map((index) => cellToIndex(mirrorCell(indexToCell(index)))).reverse();
}

/** Two maps of one crop, [784] each, the second seen in the mirror -> their mean, as the crop lies. */
export function meanOfBoth(map: Float32Array, mirrored: Float32Array): Float32Array {
  return map.map((value, index) => (value + mirrored[index - 2 * (index % GRID_SIZE) + GRID_SIZE - 1]!) / 2);
}

/**
 * @param pixels crops, [any, 224, 224, 3] uint8
 * @param crops  which of them
 * @returns      those in the mirror, [crops.length, 224, 224, 3]
 */
export function mirrorCrops(pixels: Uint8Array, crops: readonly number[]): Uint8Array {
  const mirrored = new Uint8Array(crops.length * CROP_BYTES);
  let to = 0;
  for (const crop of crops) {
    for (let row = 0; row < CROP_SIZE; row++) {
      const end = crop * CROP_BYTES + (row + 1) * CROP_SIZE * CHANNELS;
      for (let from = end - CHANNELS; from >= end - CROP_SIZE * CHANNELS; from -= CHANNELS) {
        mirrored[to++] = pixels[from]!;
        mirrored[to++] = pixels[from + 1]!;
        mirrored[to++] = pixels[from + 2]!;
      }
    }
  }
  return mirrored;
}

/** One row's map, [784], of those of a batch. */
export function mapOf(maps: Float32Array, row: number): Float32Array { return maps.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT); }
