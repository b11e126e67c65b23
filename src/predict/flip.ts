/**
 * A crop in the mirror, left and right exchanged: the network has learned from both and draws a little differently
 * there, which makes two opinions of one crop.
 */
import { CROP_BYTES } from "../crop/crop.js";
import { flipPixels } from "../crop/pixels.js";
import { cellToIndex, GRID_SIZE, indexToCell, flipCells } from "../geometry/grid.js";

/**
 * @param cells a polygon, indices 0..783
 * @returns     the same outline in the mirror, clockwise again; the first vertex stays first, so that it comes back as
 *   it was
 */
export function flipSequence(cells: readonly number[]): number[] {
  return flipCells(cells.map(indexToCell)).map(cellToIndex);
}

/** Two maps of one crop, [784] each, the second seen in the mirror -> their mean, as the crop lies. */
export function meanOfBoth(map: Float32Array, flipped: Float32Array): Float32Array {
  return map.map((value, index) => (value + flipped[index - 2 * (index % GRID_SIZE) + GRID_SIZE - 1]!) / 2);
}

/**
 * @param pixels crops, [any, 224, 224, 3] uint8
 * @param crops  which of them
 * @returns      those in the mirror, [crops.length, 224, 224, 3]
 */
export function flipCrops(pixels: Uint8Array, crops: readonly number[]): Uint8Array {
  const flipped = new Uint8Array(crops.length * CROP_BYTES);
  crops.forEach((crop, at) => {
    flipped.set(pixels.subarray(crop * CROP_BYTES, (crop + 1) * CROP_BYTES), at * CROP_BYTES);
  });
  flipPixels(flipped);
  return flipped;
}
