/**
 * Prediction mode that draws again where it doubts itself: as long as the polygon does not fit the network's own mask
 * map and its box (predict/mask-agreement.ts), one from another first vertex is drawn, and the one that fits best is
 * kept. Polygon-RNN++ (Acuna et al., CVPR 2018) does so with five first vertices, a beam and a second network that
 * judges; here the judge is the map the first network gives anyway.
 *
 * A crop that is doubted is also looked at in the mirror (predict/flip.ts): the mean of both mask maps judges from then
 * on, and every other polygon is drawn there.
 *
 * On 704 validation instances with `mobile` 0.3.0, vertices at the centers of their cells: mean IoU .804 for one
 * polygon each, .811 for three where the mask alone judges, outside the box too (20.4 steps per instance), .816 for
 * three as here without the mirror (22.7), .819 for five (31.7), .823 for five everywhere (62.5). The mirror:
 * bench/README.md.
 */
import type { CropFrame } from "../crop/crop.js";
import type { EncodedBatch, Engine } from "../engine/engine.js";
import { CELL_COUNT } from "../geometry/grid.js";
import { firstVertices } from "./choose-vertex.js";
import { bestFirstVertices } from "./decode-loop.js";
import type { DecodeTimes, Encode, Sequence } from "./decode.js";
import { decodeFrom, encodeAndDecode } from "./decode.js";
import { meanOfBoth, flipCrops, flipSequence } from "./flip.js";
import { fitOf } from "./mask-agreement.js";

/** Polygons whose agreement times span is at least this are not drawn again. */
const SURE_FROM = 0.7;

/** Polygons per crop at most, unless a user asks for another number. */
export const DEFAULT_CANDIDATES = 4;
/** The largest number one may ask for. */
export const MAX_CANDIDATES = 10;

export interface BestOptions {
  /** Decoder steps at most, at least 1. */
  readonly maxSteps: number;
  /** Polygons drawn per crop at most, 1..10; with 1, or without a mask map, nothing is drawn again. */
  readonly candidates: number;
}

export interface BestSequence extends Sequence {
  /** Whether it was drawn in the mirror; its cells are those of the crop as it lies. */
  readonly isFlipped: boolean;
  /** Expected IoU with the mask map, 0..1 (predict/mask-agreement.ts); absent where the network has no such map. */
  readonly agreement?: number;
  /**
   * Mask map of the crop, [784], the mean of both where it was also looked at in the mirror; absent where the network
   * has none.
   */
  readonly maskLogits?: Float32Array;
}

/** A batch before its first step, and what it was made of. */
export interface CropBatch {
  /** Stays before its first step, for whoever draws from it again, and is the caller's to dispose. */
  readonly encoded: EncodedBatch;
  /** [frames.length, 224, 224, 3] uint8 RGB */
  readonly pixels: Uint8Array;
  readonly frames: readonly CropFrame[];
  readonly encode: Encode;
}

/** The doubted crops of a batch in the mirror; the same holds for it. */
export interface FlippedBatch {
  readonly encoded: EncodedBatch;
  /** Row of each crop. */
  readonly rowOf: ReadonlyMap<number, number>;
}

/**
 * @param pixels [frames.length, 224, 224, 3] uint8 RGB
 * @returns      one sequence per crop, in the order of the crops; what else is in the batch does not change it
 */
export async function decodeBest(
  engine: Engine,
  pixels: Uint8Array,
  frames: readonly CropFrame[],
  options: BestOptions,
): Promise<{ sequences: BestSequence[]; times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDecode(engine, pixels, frames.length, async (encoded, encode) => {
    try {
      const { best, flipped } = await decodeCandidates({ encoded, pixels, frames, encode }, options);
      flipped?.encoded.dispose();
      return best;
    } finally {
      encoded.dispose();
    }
  });
  return { sequences: drawn, times };
}

/**
 * The same on a batch that is encoded already. @returns also the crops in the mirror, if any were looked at there; the
 * caller's to dispose
 */
export async function decodeCandidates(
  batch: CropBatch,
  options: BestOptions,
): Promise<{ best: BestSequence[]; flipped?: FlippedBatch }> {
  const { encoded, pixels, frames, encode } = batch;
  const { maskLogits } = encoded;
  const firsts = bestFirstVertices(encoded);
  const drawn = await decodeFrom(encoded.select(firsts.map((_, row) => row)), firsts, options.maxSteps);
  if (maskLogits === undefined) return { best: drawn.map((sequence) => ({ ...sequence, isFlipped: false })) };

  const best = drawn.map((sequence, crop) => judge(sequence, false, frames[crop]!, maskOf(maskLogits, crop)));
  const doubted = options.candidates > 1 ? best.flatMap(({ worth }, crop) => (worth < SURE_FROM ? [crop] : [])) : [];
  if (doubted.length === 0) return { best: best.map(({ sequence }) => sequence) };

  const flipped: FlippedBatch = {
    encoded: await encode(flipCrops(pixels, doubted), doubted.length),
    rowOf: new Map(doubted.map((crop, row) => [crop, row])),
  };
  try {
    await decodeFurtherCandidates(best, batch, flipped, options);
  } catch (error) {
    flipped.encoded.dispose();
    throw error;
  }
  return { best: best.map(({ sequence }) => sequence), flipped };
}

/** Replaces what is doubted in `best` by what fits better, turn by turn. */
async function decodeFurtherCandidates(
  best: Judged[],
  { encoded, frames }: CropBatch,
  flipped: FlippedBatch,
  { candidates, maxSteps }: BestOptions,
): Promise<void> {
  for (const [crop, row] of flipped.rowOf) {
    const { sequence } = best[crop]!;
    best[crop] = judge(
      sequence,
      false,
      frames[crop]!,
      meanOfBoth(sequence.maskLogits!, maskOf(flipped.encoded.maskLogits!, row)),
    );
  }
  // In the mirror and as they lie in turn: the best first vertex there, the second one here, the second one there, ...
  for (let candidate = 1; candidate < candidates; candidate++) {
    const isFlippedToo = candidate % 2 === 1;
    const view = isFlippedToo ? flipped.encoded : encoded;
    const place = Math.floor(candidate / 2);
    const again = [...flipped.rowOf].flatMap(([crop, flippedRow]) => {
      if (best[crop]!.worth >= SURE_FROM) return [];
      const row = isFlippedToo ? flippedRow : crop;
      const first = firstVertices(view.firstVertexLogits, row, place + 1)[place];
      return first === undefined ? [] : [{ crop, row, first }];
    });
    if (again.length === 0) continue;
    const sequences = await decodeFrom(
      view.select(again.map(({ row }) => row)),
      again.map(({ first }) => first),
      maxSteps,
    );
    again.forEach(({ crop }, at) => {
      const sequence = sequences[at]!;
      const cells = isFlippedToo ? flipSequence(sequence.cells) : sequence.cells;
      const other = judge({ ...sequence, cells }, isFlippedToo, frames[crop]!, best[crop]!.sequence.maskLogits!);
      if (other.worth > best[crop]!.worth) best[crop] = other;
    });
  }
}

/** One crop's map, [784], of those of a batch. */
export function maskOf(maskLogits: Float32Array, row: number): Float32Array {
  return maskLogits.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT);
}

/** @property worth as in Fit (predict/mask-agreement.ts) */
interface Judged {
  readonly sequence: BestSequence;
  readonly worth: number;
}

function judge(sequence: Sequence, isFlipped: boolean, frame: CropFrame, maskLogits: Float32Array): Judged {
  const { agreement, worth } = fitOf(sequence.cells, frame, maskLogits);
  return { sequence: { ...sequence, isFlipped, agreement, maskLogits }, worth };
}
