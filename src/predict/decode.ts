/**
 * From a batch of crops to sequences: encodes once, then runs the decode loop (draw-rows.ts), in prediction mode or with an annotator.
 * Prediction mode takes several steps in one call where the engine offers that (draw-ahead.ts).
 */
import type { Decoding, EncodedBatch, Engine } from "../runtime/engine.js";
import { drawAhead } from "./draw-ahead.js";
import { type Decision, type DrawingRule, type Sequence, bestFirstVertices, drawRows } from "./draw-rows.js";
import { chooseBest } from "./score.js";

export type { Sequence } from "./draw-rows.js";

/** Decoder steps at most, as in the authors' released code. */
export const MAX_STEPS = 71;

export interface DecodeTimes {
  readonly encodeMs: number;
  readonly stepsMs: number;
}

/** Prediction mode: whatever the network proposes is drawn. */
class Accept implements DrawingRule<Accept> {
  decide(_drawn: readonly number[], proposed: number): Decision<Accept> {
    return { taken: proposed };
  }
}
const ACCEPT: readonly Accept[] = [new Accept()];

/**
 * Prediction mode with one polygon per crop, from the best first vertex on.
 * @param pixels   [count, 224, 224, 3] uint8 RGB
 * @param maxSteps decoder steps at most, at least 1
 * @returns        one sequence per crop, in the order of the crops
 */
export async function decodeGreedy(
  engine: Engine,
  pixels: Uint8Array,
  count: number,
  maxSteps: number,
): Promise<{ sequences: Sequence[]; times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDraw(engine, pixels, count, (decoding) =>
    drawFrom(decoding, bestFirstVertices(decoding), maxSteps),
  );
  return { sequences: drawn, times };
}

/**
 * @param encoded  one row per polygon; disposed here, also after an error
 * @param firsts   first vertex of each row, 0..783
 * @returns        one sequence per row, in order
 */
export async function drawFrom(encoded: Decoding, firsts: readonly number[], maxSteps: number): Promise<Sequence[]> {
  if (encoded.steps !== undefined) return drawAhead(encoded, firsts, maxSteps);
  const sequences = Array<Sequence>(firsts.length);
  const polygons = await drawRows(
    encoded,
    firsts.map(() => ACCEPT),
    maxSteps,
    chooseBest,
    firsts,
  );
  for (const { crop, sequence } of polygons) sequences[crop] = sequence;
  return sequences;
}

/** Encodes crops, [count, 224, 224, 3] uint8. */
export type Encode = (pixels: Uint8Array, count: number) => Promise<EncodedBatch>;

/**
 * @param draw is given the batch, which it disposes, and may encode more
 * @returns    also the time that went into encoding and into everything else
 */
export async function encodeAndDraw<D>(
  engine: Engine,
  pixels: Uint8Array,
  count: number,
  draw: (encoded: EncodedBatch, encode: Encode) => Promise<D>,
): Promise<{ drawn: D; times: DecodeTimes }> {
  const started = performance.now();
  let encodeMs = 0;
  const encode: Encode = async (...crops) => {
    const began = performance.now();
    const encoded = await engine.encode(...crops);
    encodeMs += performance.now() - began;
    return encoded;
  };
  const drawn = await draw(await encode(pixels, count), encode);
  return { drawn, times: { encodeMs, stepsMs: performance.now() - started - encodeMs } };
}
