/**
 * Prediction mode that draws again where it doubts itself: as long as the polygon does not fit the network's own mask map and its box
 * (agreement.ts), one from another first vertex is drawn, and the one that fits best is kept. Polygon-RNN++ (Acuna et al., CVPR 2018) does
 * so with five first vertices, a beam and a second network that judges; here the judge is the map the first network gives anyway.
 *
 * On 704 validation instances with `mobile` 0.3.0, vertices at the centers of their cells: mean IoU .804 for one polygon each, .811 for three where
 * the mask alone judges, outside the box too (20.4 steps per instance), .816 for three as here (22.7), .819 for five (31.7), .823 for five
 * everywhere (62.5).
 */
import type { CropFrame } from "../crop/crop.js";
import { CELL_COUNT } from "../geometry/grid.js";
import type { EncodedBatch, Engine } from "../runtime/engine.js";
import { fitOf } from "./agreement.js";
import { type DecodeTimes, type Sequence, drawFrom, encodeAndDraw } from "./decode.js";
import { bestFirstVertices } from "./draw-rows.js";
import { firstVertices } from "./first-vertices.js";

/** Polygons whose agreement times span is at least this are not drawn again. */
const SURE_FROM = 0.7;

/** Polygons per crop at most, unless a user asks for another number. */
export const DEFAULT_CANDIDATES = 5;
/** The largest number one may ask for. */
export const MAX_CANDIDATES = 10;

export interface BestOptions {
  /** Decoder steps at most, at least 1. */
  readonly maxSteps: number;
  /** Polygons drawn per crop at most, 1..10; with 1, or without a mask map, nothing is drawn again. */
  readonly candidates: number;
}

export interface BestSequence extends Sequence {
  /** Expected IoU with the mask map, 0..1 (agreement.ts); absent where the network has no such map. */
  readonly agreement?: number;
  /** Mask map of the crop, [784]; absent where the network has none. */
  readonly maskLogits?: Float32Array;
}

/**
 * @param pixels [frames.length, 224, 224, 3] uint8 RGB
 * @returns      one sequence per crop, in the order of the crops; what else is in the batch does not change it
 */
export async function decodeBest(
  engine: Engine, pixels: Uint8Array, frames: readonly CropFrame[], options: BestOptions,
): Promise<{ sequences: BestSequence[]; times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDraw(engine, pixels, frames.length, async (encoded) => {
    try {
      return await drawBest(encoded, frames, options);
    } finally {
      encoded.dispose();
    }
  });
  return { sequences: drawn, times };
}

/**
 * The same on a batch that is encoded already.
 * @param start stays before its first step, for whoever draws from it again, and is the caller's to dispose
 */
export async function drawBest(start: EncodedBatch, frames: readonly CropFrame[], { maxSteps, candidates }: BestOptions): Promise<BestSequence[]> {
  const { maskLogits, firstVertexLogits } = start;
  const firsts = bestFirstVertices(start);
  const drawn = await drawFrom(start.select(firsts.map((_, row) => row)), firsts, maxSteps);
  if (maskLogits === undefined) return drawn;
  const judge = (sequence: Sequence, crop: number): Judged => {
    const map = maskOf(maskLogits, crop);
    const { agreement, span } = fitOf(sequence.cells, frames[crop]!, map);
    return { sequence: { ...sequence, agreement, maskLogits: map }, worth: agreement * span };
  };

  const best = drawn.map(judge);
  const others = new Map<number, readonly number[]>(); // crop -> its first vertices, the one that was drawn among them
  for (let candidate = 1; candidate < candidates; candidate++) {
    const again = best.flatMap(({ worth }, crop) => {
      if (worth >= SURE_FROM) return [];
      if (!others.has(crop)) others.set(crop, firstVertices(firstVertexLogits, crop, candidates));
      const first = others.get(crop)![candidate];
      return first === undefined ? [] : [{ crop, first }];
    });
    if (again.length === 0) break;
    const sequences = await drawFrom(start.select(again.map(({ crop }) => crop)), again.map(({ first }) => first), maxSteps);
    again.forEach(({ crop }, at) => {
      const other = judge(sequences[at]!, crop);
      if (other.worth > best[crop]!.worth) best[crop] = other;
    });
  }
  return best.map(({ sequence }) => sequence);
}

/** One crop's map, [784], of those of a batch. */
export function maskOf(maskLogits: Float32Array, crop: number): Float32Array { return maskLogits.subarray(crop * CELL_COUNT, (crop + 1) * CELL_COUNT); }

/** @property worth what candidates are compared by, 0..1: agreement with the mask map times span of the box */
interface Judged { readonly sequence: BestSequence; readonly worth: number }
