/**
 * Prediction mode that tries again where it is in doubt. While a polygon does not fit its box and the network's own
 * mask map, another is predicted from another first vertex. The best one is kept. Polygon-RNN++ (Acuna et al., CVPR
 * 2018) does so with five first vertices, a beam and a second network that judges. Here the mask map judges, which the
 * network gives anyway (predict/mask-agreement.ts).
 *
 * A crop in doubt is also encoded flipped (predict/flip.ts). From then on the mean of both mask maps judges, and every
 * other candidate is predicted there. What this gains, and what it costs: bench/README.md.
 */
import type { CropFrame } from "../crop/crop.js";
import type { EncodedBatch, Engine } from "../engine/engine.js";
import { CELL_COUNT, FINE_COUNT } from "../geometry/grid.js";
import { firstVertices } from "./choose-vertex.js";
import type { Sequence } from "./decode-loop.js";
import { bestFirstVertices } from "./decode-loop.js";
import type { DecodeTimes, EncodeFlipped } from "./decode.js";
import { decodeFrom, encodeAndDecode } from "./decode.js";
import type { View } from "./flip.js";
import { flippedView, meanOfBoth, viewAsItLies } from "./flip.js";
import { fitOf, isFineMap } from "./mask-agreement.js";
import type { DecodeOptions } from "./options.js";
import { SURE_FROM } from "./options.js";

export interface BestSequence extends Sequence {
  /** Whether it was predicted on the flipped crop; its cells are those of the crop as it lies. */
  readonly isFlipped: boolean;
  /** With the mask map, 0..1 (predict/mask-agreement.ts); absent where the network has no such map. */
  readonly expectedIoU?: number;
  /**
   * Map that judged it, [784], or [12544] where the network refines its mask; the mean of both where the crop was also
   * encoded flipped. Absent where the network has no mask.
   */
  readonly maskLogits?: Float32Array;
}

export interface DecodedBatch {
  /** One per crop, in the order of the crops. */
  readonly sequences: BestSequence[];
  readonly times: DecodeTimes;
}

/** A batch before its first step, and where its crops lie. */
export interface CropBatch {
  /** Stays before its first step, for whoever decodes from it again, and is the caller's to dispose. */
  readonly encoded: EncodedBatch;
  readonly frames: readonly CropFrame[];
  readonly encodeFlipped: EncodeFlipped;
}

/**
 * @param pixels [frames.length, 224, 224, 3] uint8 RGB
 * @returns      one sequence per crop, in the order of the crops; what else is in the batch does not change it
 */
export async function decodeBest(
  engine: Engine,
  pixels: Uint8Array,
  frames: readonly CropFrame[],
  options: DecodeOptions,
): Promise<DecodedBatch> {
  const { decoded, times } = await encodeAndDecode(engine, pixels, frames.length, async (encoded, encodeFlipped) => {
    try {
      const { best, flipped } = await decodeCandidates({ encoded, frames, encodeFlipped }, options);
      flipped?.encoded.dispose();
      return best;
    } finally {
      encoded.dispose();
    }
  });
  return { sequences: decoded, times };
}

/**
 * The same on a batch that is encoded already.
 * @returns also the crops that were encoded flipped, if any; their batch is the caller's to dispose
 */
export async function decodeCandidates(
  batch: CropBatch,
  options: DecodeOptions,
): Promise<{ best: BestSequence[]; flipped?: View }> {
  const { encoded, frames, encodeFlipped } = batch;
  const firsts = bestFirstVertices(encoded);
  const sequences = await decodeFrom(encoded.select(firsts.map((_, row) => row)), firsts, options.maxSteps);
  if (!hasMap(encoded)) return { best: sequences.map((sequence) => ({ ...sequence, isFlipped: false })) };

  const best = sequences.map((sequence, crop) => judge(sequence, false, frames[crop]!, mapOf(encoded, crop)));
  const doubted = options.candidates > 1 ? best.flatMap((judged, crop) => (isSure(judged, options) ? [] : [crop])) : [];
  if (doubted.length === 0) return { best: best.map(({ sequence }) => sequence) };

  const flipped = flippedView(await encodeFlipped(doubted), doubted);
  try {
    doubted.forEach((crop, row) => {
      const { sequence } = best[crop]!;
      const mean = meanOfBoth(sequence.maskLogits!, mapOf(flipped.encoded, row));
      best[crop] = judge(sequence, false, frames[crop]!, mean);
    });
    // Flipped and as they lie in turn: the best first vertex there, the second one here, the second one there, ...
    const views = [viewAsItLies(encoded), flipped] as const;
    for (let candidate = 1; candidate < options.candidates; candidate++) {
      const further = { view: views[candidate % 2]!, place: Math.floor(candidate / 2), crops: doubted };
      await decodeFurther(best, further, frames, options);
    }
  } catch (error) {
    flipped.encoded.dispose();
    throw error;
  }
  return { best: best.map(({ sequence }) => sequence), flipped };
}

interface FurtherCandidate {
  readonly view: View;
  /** Which of the crop's first vertices, the best being 0. */
  readonly place: number;
  readonly crops: readonly number[];
}

/** Predicts one more polygon for those crops that are still in doubt, and puts it into `best` where it fits better. */
async function decodeFurther(
  best: Judged[],
  { view, place, crops }: FurtherCandidate,
  frames: readonly CropFrame[],
  options: DecodeOptions,
): Promise<void> {
  const again = crops.flatMap((crop) => {
    if (isSure(best[crop]!, options)) return [];
    const row = view.rowOf(crop);
    const first = firstVertices(view.encoded.firstVertexLogits, row, place + 1)[place];
    return first === undefined ? [] : [{ crop, row, first }];
  });
  if (again.length === 0) return;
  const sequences = await decodeFrom(
    view.encoded.select(again.map(({ row }) => row)),
    again.map(({ first }) => first),
    options.maxSteps,
  );
  again.forEach(({ crop }, at) => {
    const sequence = { ...sequences[at]!, cells: view.toView(sequences[at]!.cells) };
    const other = judge(sequence, view.isFlipped, frames[crop]!, best[crop]!.sequence.maskLogits!);
    if (other.candidateScore > best[crop]!.candidateScore) best[crop] = other;
  });
}

/** Whether the network knows its object's mask. */
export function hasMap({ maskLogits, fineMaskLogits }: EncodedBatch): boolean {
  return maskLogits !== undefined || fineMaskLogits !== undefined;
}

/** The best map of one crop of a batch: the refined one, [12544], else [784]. Only where there is one. */
export function mapOf({ maskLogits, fineMaskLogits }: EncodedBatch, row: number): Float32Array {
  return fineMaskLogits === undefined ? maskOf(maskLogits!, row) : maskOf(fineMaskLogits, row, FINE_COUNT);
}

/** One crop's map of those of a batch. @param count cells of a map */
export function maskOf(maskLogits: Float32Array, row: number, count = CELL_COUNT): Float32Array {
  return maskLogits.subarray(row * count, (row + 1) * count);
}

interface Judged {
  readonly sequence: BestSequence;
  /** As in Fit (predict/mask-agreement.ts). */
  readonly candidateScore: number;
}

function judge(sequence: Sequence, isFlipped: boolean, frame: CropFrame, maskLogits: Float32Array): Judged {
  const { expectedIoU, candidateScore } = fitOf(sequence.cells, frame, maskLogits);
  return { sequence: { ...sequence, isFlipped, expectedIoU, maskLogits }, candidateScore };
}

function isSure({ candidateScore, sequence: { maskLogits } }: Judged, { sure }: DecodeOptions): boolean {
  return candidateScore >= (sure ?? (isFineMap(maskLogits!) ? SURE_FROM.fine : SURE_FROM.coarse));
}
