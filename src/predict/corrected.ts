/**
 * With annotators in the loop. The polygon an annotator is shown first is the one that `annotate` would write. It
 * starts as the best candidate does (predict/candidates.ts), on the flipped crop where that one came from there. From
 * there on rules decide about each vertex (predict/decode-loop.ts).
 */
import type { CropFrame } from "../crop/crop.js";
import type { EncodedBatch, Engine } from "../engine/engine.js";
import type { BestSequence, CropBatch } from "./candidates.js";
import { decodeCandidates, hasMap, mapOf } from "./candidates.js";
import type { DecodedPolygon, DecodingRule } from "./decode-loop.js";
import { decodeLoop } from "./decode-loop.js";
import type { DecodeTimes, EncodeFlipped } from "./decode.js";
import { encodeAndDecode } from "./decode.js";
import type { View } from "./flip.js";
import { viewAsItLies } from "./flip.js";
import type { DecodeOptions } from "./options.js";

export interface CorrectedPolygons<R> {
  /** One per rule, those of forks included, cells as the crop lies. */
  readonly polygons: DecodedPolygon<R>[];
  /** The map that places each crop's vertices, [784] or [12544]; absent where the network has no mask. */
  readonly maskLogits: readonly Float32Array[] | undefined;
}

/**
 * The rules of a crop's polygons. All of them share one encoding and step together. What they see of a flipped crop,
 * and what they decide, is flipped too.
 */
export type RulesOf<R> = (crop: number, isFlipped: boolean) => readonly R[];

/** @param crops `pixels` is [frames.length, 224, 224, 3] uint8 RGB */
export async function decodeCorrected<R extends DecodingRule<R>>(
  engine: Engine,
  { pixels, frames }: { readonly pixels: Uint8Array; readonly frames: readonly CropFrame[] },
  rulesOf: RulesOf<R>,
  options: DecodeOptions,
): Promise<CorrectedPolygons<R> & { times: DecodeTimes }> {
  const decode = async (encoded: EncodedBatch, encodeFlipped: EncodeFlipped): Promise<CorrectedPolygons<R>> => {
    if (hasMap(encoded) && options.candidates > 1)
      return fromBest({ encoded, frames, encodeFlipped }, rulesOf, options);
    const rules = frames.map((_, crop) => rulesOf(crop, false));
    const polygons = await decodeLoop(encoded, rules, { maxSteps: options.maxSteps });
    return { polygons, maskLogits: hasMap(encoded) ? frames.map((_, crop) => mapOf(encoded, crop)) : undefined };
  };
  const { decoded, times } = await encodeAndDecode(engine, pixels, frames.length, decode);
  return { ...decoded, times };
}

async function fromBest<R extends DecodingRule<R>>(
  batch: CropBatch,
  rulesOf: RulesOf<R>,
  options: DecodeOptions,
): Promise<CorrectedPolygons<R>> {
  const views = [viewAsItLies(batch.encoded)];
  try {
    const { best, flipped } = await decodeCandidates(batch, options);
    if (flipped !== undefined) views.push(flipped);
    const polygons: DecodedPolygon<R>[] = [];
    for (const view of views) polygons.push(...(await decodeView(view, best, rulesOf, options)));
    return { polygons, maskLogits: best.map(({ maskLogits }) => maskLogits!) };
  } finally {
    for (const { encoded } of views) encoded.dispose();
  }
}

/** The polygons of the crops whose best candidate comes from this view. */
async function decodeView<R extends DecodingRule<R>>(
  { isFlipped, encoded, rowOf, toView }: View,
  best: readonly BestSequence[],
  rulesOf: RulesOf<R>,
  { maxSteps }: DecodeOptions,
): Promise<DecodedPolygon<R>[]> {
  const crops = best.flatMap((sequence, crop) => (sequence.isFlipped === isFlipped ? [crop] : []));
  if (crops.length === 0) return [];
  const polygons = await decodeLoop(
    encoded.select(crops.map(rowOf)),
    crops.map((crop) => rulesOf(crop, isFlipped)),
    { maxSteps, firsts: crops.map((crop) => toView(best[crop]!.cells)[0]!) },
  );
  return polygons.map(({ crop, rule, sequence }) => ({
    crop: crops[crop]!,
    rule,
    sequence: { ...sequence, cells: toView(sequence.cells) },
  }));
}
