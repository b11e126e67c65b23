/**
 * A crop flipped, left and right exchanged: the network has learned from both and predicts slightly different polygons,
 * which makes two opinions of one crop. An engine that keeps crops sees them flipped where they lie; for others pixels
 * are exchanged here (predict/decode.ts).
 */
import { CROP_BYTES } from "../crop/crop.js";
import { flipPixels } from "../crop/pixels.js";
import type { EncodedBatch } from "../engine/engine.js";
import { cellToIndex, indexToCell, flipCells } from "../geometry/grid.js";
import { sideOfMap } from "./mask-agreement.js";

/** An encoded batch of crops, either as they lie or flipped. */
export interface View {
  readonly isFlipped: boolean;
  readonly encoded: EncodedBatch;
  /** Row of a crop in `encoded`. */
  readonly rowOf: (crop: number) => number;
  /** Between cells, 0..783, of the crop as it lies and cells of this view, both ways. */
  readonly toView: (cells: readonly number[]) => readonly number[];
}

/** @param encoded every crop, in order */
export function viewAsItLies(encoded: EncodedBatch): View {
  return { isFlipped: false, encoded, rowOf: (crop) => crop, toView: (cells) => cells };
}

/** @param encoded these crops, flipped, in this order */
export function flippedView(encoded: EncodedBatch, crops: readonly number[]): View {
  const rows = new Map(crops.map((crop, row) => [crop, row]));
  return { isFlipped: true, encoded, rowOf: (crop) => rows.get(crop)!, toView: flipSequence };
}

/**
 * @param cells a polygon, indices 0..783
 * @returns     the same outline flipped, clockwise again; the first vertex stays first, so that flipping it back gives
 *   the same cells
 */
export function flipSequence(cells: readonly number[]): number[] {
  return flipCells(cells.map(indexToCell)).map(cellToIndex);
}

/** Two square maps of one crop, the second of it flipped -> their mean, as the crop lies. */
export function meanOfBoth(map: Float32Array, flipped: Float32Array): Float32Array {
  const side = sideOfMap(map);
  return map.map((value, index) => (value + flipped[index - 2 * (index % side) + side - 1]!) / 2);
}

/**
 * @param pixels crops, [any, 224, 224, 3] uint8
 * @param crops  which of them
 * @returns      those, flipped, [crops.length, 224, 224, 3]
 */
export function flipCrops(pixels: Uint8Array, crops: readonly number[]): Uint8Array {
  const flipped = new Uint8Array(crops.length * CROP_BYTES);
  crops.forEach((crop, at) => {
    flipped.set(pixels.subarray(crop * CROP_BYTES, (crop + 1) * CROP_BYTES), at * CROP_BYTES);
  });
  flipPixels(flipped);
  return flipped;
}
