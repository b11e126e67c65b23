/**
 * With annotators in the loop: the polygon an annotator is shown first is the one `annotate` would write, so that their first vertex is that
 * of the best candidate (decode-best.ts), in the mirror where it was drawn there; from there on rules decide what is drawn (draw-rows.ts).
 */
import type { CropFrame } from "../crop/crop.js";
import type { EncodedBatch, Engine } from "../runtime/engine.js";
import { type BestOptions, type CropBatch, drawBest, maskOf } from "./decode-best.js";
import { type DecodeTimes, encodeAndDraw } from "./decode.js";
import { type DrawingRule, type DrawnPolygon, drawRows } from "./draw-rows.js";
import { mirrorSequence } from "./mirror.js";
import { chooseBest } from "./score.js";

export interface DrawnByRules<R> {
  /** One per rule, those of forks included, cells as the crop lies. */
  readonly polygons: DrawnPolygon<R>[];
  /** Mask map of each crop, [784]; absent where the network has none. */
  readonly maskLogits: readonly Float32Array[] | undefined;
}

/**
 * @param pixels  [frames.length, 224, 224, 3] uint8 RGB
 * @param rulesOf rules of a crop's polygons; all of them share one encoding and step together. What they see of a crop in the mirror, and
 *   what they decide, is in the mirror too
 */
export async function decodeByRules<R extends DrawingRule<R>>(
  engine: Engine,
  pixels: Uint8Array,
  frames: readonly CropFrame[],
  rulesOf: (crop: number, isMirrored: boolean) => readonly R[],
  options: BestOptions,
): Promise<DrawnByRules<R> & { times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDraw(
    engine,
    pixels,
    frames.length,
    async (encoded, encode): Promise<DrawnByRules<R>> => {
      const { maskLogits } = encoded;
      if (maskLogits !== undefined && options.candidates > 1)
        return fromBest({ encoded, pixels, frames, encode }, rulesOf, options);
      const polygons = await drawRows(
        encoded,
        frames.map((_, crop) => rulesOf(crop, false)),
        options.maxSteps,
      );
      return { polygons, maskLogits: maskLogits && frames.map((_, crop) => maskOf(maskLogits, crop)) };
    },
  );
  return { ...drawn, times };
}

async function fromBest<R extends DrawingRule<R>>(
  batch: CropBatch,
  rulesOf: (crop: number, isMirrored: boolean) => readonly R[],
  options: BestOptions,
): Promise<DrawnByRules<R>> {
  const opened: EncodedBatch[] = [batch.encoded];
  try {
    const { best, mirrored } = await drawBest(batch, options);
    if (mirrored !== undefined) opened.push(mirrored.encoded);
    const drawView = async (
      isMirrored: boolean,
      view: EncodedBatch,
      rowOf: (crop: number) => number,
      toView: (cells: readonly number[]) => readonly number[],
    ): Promise<DrawnPolygon<R>[]> => {
      const crops = best.flatMap((sequence, crop) => (sequence.isMirrored === isMirrored ? [crop] : []));
      if (crops.length === 0) return [];
      const firsts = crops.map((crop) => toView(best[crop]!.cells)[0]!);
      const polygons = await drawRows(
        view.select(crops.map(rowOf)),
        crops.map((crop) => rulesOf(crop, isMirrored)),
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
    const polygons = await drawView(
      false,
      batch.encoded,
      (crop) => crop,
      (cells) => cells,
    );
    if (mirrored !== undefined)
      polygons.push(...(await drawView(true, mirrored.encoded, (crop) => mirrored.rowOf.get(crop)!, mirrorSequence)));
    return { polygons, maskLogits: best.map(({ maskLogits }) => maskLogits!) };
  } finally {
    for (const encoded of opened) encoded.dispose();
  }
}
