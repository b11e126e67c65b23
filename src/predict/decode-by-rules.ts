/**
 * With annotators in the loop: the polygon an annotator is shown first is the one `annotate` would write, so that their first vertex is that
 * of the best candidate (decode-best.ts), in the mirror where it was drawn there; from there on rules decide what is drawn (draw-rows.ts).
 */
import type { CropFrame } from "../crop/crop.js";
import type { Decoding, EncodedBatch, Engine } from "../runtime/engine.js";
import { type BestOptions, type BestSequence, type CropBatch, drawBest } from "./decode-best.js";
import { type DecodeTimes, encodeAndDraw } from "./decode.js";
import { type DrawingRule, type DrawnPolygon, drawRows } from "./draw-rows.js";
import { mapOf, mirrorCells } from "./mirror.js";
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
  engine: Engine, pixels: Uint8Array, frames: readonly CropFrame[], rulesOf: (crop: number, isMirrored: boolean) => readonly R[], options: BestOptions,
): Promise<DrawnByRules<R> & { times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDraw(engine, pixels, frames.length, async (encoded, encode): Promise<DrawnByRules<R>> => {
    const { maskLogits } = encoded;
    if (maskLogits !== undefined && options.candidates > 1) return fromBest({ encoded, pixels, frames, encode }, rulesOf, options);
    const polygons = await drawRows(encoded, frames.map((_, crop) => rulesOf(crop, false)), options.maxSteps);
    return { polygons, maskLogits: maskLogits && frames.map((_, crop) => mapOf(maskLogits, crop)) };
  });
  return { ...drawn, times };
}

async function fromBest<R extends DrawingRule<R>>(
  batch: CropBatch, rulesOf: (crop: number, isMirrored: boolean) => readonly R[], options: BestOptions,
): Promise<DrawnByRules<R>> {
  const opened: EncodedBatch[] = [batch.encoded];
  try {
    const { best, mirrored } = await drawBest(batch, options);
    if (mirrored !== undefined) opened.push(mirrored.encoded);
    const crops = best.map((sequence, crop): Shown => ({ crop, sequence }));
    const here = crops.filter(({ sequence }) => !sequence.isMirrored);
    const there = crops.filter(({ sequence }) => sequence.isMirrored);
    const drawView = async (some: readonly Shown[], decoding: Decoding, toView: (cells: readonly number[]) => readonly number[]): Promise<DrawnPolygon<R>[]> => {
      const rules = some.map(({ crop, sequence }) => rulesOf(crop, sequence.isMirrored));
      const firsts = some.map(({ sequence }) => toView(sequence.cells)[0]!);
      const polygons = await drawRows(decoding, rules, options.maxSteps, chooseBest, firsts);
      return polygons.map(({ crop, rule, sequence }) => ({ crop: some[crop]!.crop, rule, sequence: { ...sequence, cells: toView(sequence.cells) } }));
    };
    const polygons = [
      ...(here.length > 0 ? await drawView(here, batch.encoded.select(here.map(({ crop }) => crop)), (cells) => cells) : []),
      ...(there.length > 0 ? await drawView(there, mirrored!.encoded.select(there.map(({ crop }) => mirrored!.rowOf.get(crop)!)), mirrorCells) : []),
    ];
    return { polygons, maskLogits: best.map(({ maskLogits }) => maskLogits!) };
  } finally {
    for (const encoded of opened) encoded.dispose();
  }
}

/** A crop and the polygon its annotators are shown first. */
interface Shown { readonly crop: number; readonly sequence: BestSequence }
