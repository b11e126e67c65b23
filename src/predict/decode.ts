/**
 * From a batch of crops to sequences: encodes once, then runs the decode loop (draw-rows.ts), in prediction mode or with an annotator.
 * Prediction mode takes several steps in one call where the engine offers that (draw-ahead.ts).
 */
import type { Decoding, Engine } from "../runtime/engine.js";
import { drawAhead } from "./draw-ahead.js";
import { type Decision, type DrawingRule, type DrawnPolygon, type Sequence, drawRows } from "./draw-rows.js";

export type { Sequence } from "./draw-rows.js";

/** Decoder steps at most, as in the authors' released code. */
export const MAX_STEPS = 71;

export interface DecodeTimes { readonly encodeMs: number; readonly stepsMs: number }

/** Prediction mode: whatever the network proposes is drawn. */
class Accept implements DrawingRule<Accept> {
  decide(_drawn: readonly number[], proposed: number): Decision<Accept> {
    return { taken: proposed };
  }
}
const ACCEPT: readonly Accept[] = [new Accept()];

/**
 * @param pixels   [count, 224, 224, 3] uint8 RGB
 * @param maxSteps decoder steps at most, at least 1
 * @returns        one sequence per crop, in the order of the crops
 */
export async function decodeGreedy(
  engine: Engine, pixels: Uint8Array, count: number, maxSteps: number,
): Promise<{ sequences: Sequence[]; times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDraw(engine, pixels, count, async (decoding) => {
    if (decoding.steps !== undefined) return drawAhead(decoding, maxSteps);
    const sequences = Array<Sequence>(count);
    for (const { crop, sequence } of await drawRows(decoding, Array.from({ length: count }, () => ACCEPT), maxSteps)) sequences[crop] = sequence;
    return sequences;
  });
  return { sequences: drawn, times };
}

/**
 * @param pixels   [rules.length, 224, 224, 3] uint8 RGB
 * @param rules    for each crop, the rules of its polygons; all of them share one encoding and step together
 * @param maxSteps decoder steps at most, at least 1
 * @returns        one polygon per rule, those of forks included, in the order in which they ended
 */
export async function decodeByRules<R extends DrawingRule<R>>(
  engine: Engine, pixels: Uint8Array, rules: readonly (readonly R[])[], maxSteps: number,
): Promise<{ polygons: DrawnPolygon<R>[]; times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDraw(engine, pixels, rules.length, (decoding) => drawRows(decoding, rules, maxSteps));
  return { polygons: drawn, times };
}

async function encodeAndDraw<D>(
  engine: Engine, pixels: Uint8Array, count: number, draw: (decoding: Decoding) => Promise<D>,
): Promise<{ drawn: D; times: DecodeTimes }> {
  const started = performance.now();
  const decoding = await engine.encode(pixels, count);
  const encoded = performance.now();
  const drawn = await draw(decoding);
  return { drawn, times: { encodeMs: encoded - started, stepsMs: performance.now() - encoded } };
}
