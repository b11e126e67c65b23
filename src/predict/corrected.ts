/**
 * With annotators in the loop: the polygon an annotator is shown first is the one `annotate` would write, so that their
 * first vertex is that of the best candidate (predict/candidates.ts), in the mirror where it was drawn there; from
 * there on rules decide what is drawn (predict/decode-loop.ts).
 */
import type { CropFrame } from "../crop/crop.js";
import type { EncodedBatch, Engine } from "../engine/engine.js";
import type { BestOptions, CropBatch } from "./candidates.js";
import { decodeCandidates, maskOf } from "./candidates.js";
import { chooseBest } from "./choose-vertex.js";
import type { DecodingRule, DecodedPolygon } from "./decode-loop.js";
import { decodeLoop } from "./decode-loop.js";
import type { DecodeTimes } from "./decode.js";
import { encodeAndDecode } from "./decode.js";
import { flipSequence } from "./flip.js";

export interface CorrectedPolygons<R> {
  /** One per rule, those of forks included, cells as the crop lies. */
  readonly polygons: DecodedPolygon<R>[];
  /** Mask map of each crop, [784]; absent where the network has none. */
  readonly maskLogits: readonly Float32Array[] | undefined;
}

/**
 * @param pixels  [frames.length, 224, 224, 3] uint8 RGB
 * @param rulesOf rules of a crop's polygons; all of them share one encoding and step together. What they see of a crop
 *   in the mirror, and what they decide, is in the mirror too
 */
export async function decodeCorrected<R extends DecodingRule<R>>(
  engine: Engine,
  pixels: Uint8Array,
  frames: readonly CropFrame[],
  rulesOf: (crop: number, isFlipped: boolean) => readonly R[],
  options: BestOptions,
): Promise<CorrectedPolygons<R> & { times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDecode(
    engine,
    pixels,
    frames.length,
    async (encoded, encode): Promise<CorrectedPolygons<R>> => {
      const { maskLogits } = encoded;
      if (maskLogits !== undefined && options.candidates > 1)
        return fromBest({ encoded, pixels, frames, encode }, rulesOf, options);
      const polygons = await decodeLoop(
        encoded,
        frames.map((_, crop) => rulesOf(crop, false)),
        options.maxSteps,
      );
      return { polygons, maskLogits: maskLogits && frames.map((_, crop) => maskOf(maskLogits, crop)) };
    },
  );
  return { ...drawn, times };
}

async function fromBest<R extends DecodingRule<R>>(
  batch: CropBatch,
  rulesOf: (crop: number, isFlipped: boolean) => readonly R[],
  options: BestOptions,
): Promise<CorrectedPolygons<R>> {
  const opened: EncodedBatch[] = [batch.encoded];
  try {
    const { best, flipped } = await decodeCandidates(batch, options);
    if (flipped !== undefined) opened.push(flipped.encoded);
    const decodeView = async (
      isFlipped: boolean,
      view: EncodedBatch,
      rowOf: (crop: number) => number,
      toView: (cells: readonly number[]) => readonly number[],
    ): Promise<DecodedPolygon<R>[]> => {
      const crops = best.flatMap((sequence, crop) => (sequence.isFlipped === isFlipped ? [crop] : []));
      if (crops.length === 0) return [];
      const firsts = crops.map((crop) => toView(best[crop]!.cells)[0]!);
      const polygons = await decodeLoop(
        view.select(crops.map(rowOf)),
        crops.map((crop) => rulesOf(crop, isFlipped)),
        options.maxSteps,
        chooseBest,
        firsts,
      );
      return polygons.map(({ crop, rule, sequence }) => ({
        crop: crops[crop]!,
        rule,
        sequence: { ...sequence, cells: toView(sequence.cells) },
      }));
    };
    const polygons = await decodeView(
      false,
      batch.encoded,
      (crop) => crop,
      (cells) => cells,
    );
    if (flipped !== undefined)
      polygons.push(...(await decodeView(true, flipped.encoded, (crop) => flipped.rowOf.get(crop)!, flipSequence)));
    return { polygons, maskLogits: best.map(({ maskLogits }) => maskLogits!) };
  } finally {
    for (const encoded of opened) encoded.dispose();
  }
}
