/**
 * With annotators in the loop: the polygon an annotator is shown first is the one `annotate` would write, so that their first vertex is that
 * of the best candidate (decode-best.ts); from there on rules decide what is drawn (draw-rows.ts).
 */
import type { CropFrame } from "../crop/crop.js";
import type { Engine } from "../runtime/engine.js";
import { type BestOptions, drawBest } from "./decode-best.js";
import { type DecodeTimes, encodeAndDraw } from "./decode.js";
import { type DrawingRule, type DrawnPolygon, drawRows } from "./draw-rows.js";
import { chooseBest } from "./score.js";

/**
 * @param pixels [rules.length, 224, 224, 3] uint8 RGB
 * @param frames of each crop
 * @param rules  for each crop, the rules of its polygons; all of them share one encoding and step together
 * @returns      one polygon per rule, those of forks included, in the order in which they ended, and the mask maps of the crops, [rules.length, 784]
 */
export async function decodeByRules<R extends DrawingRule<R>>(
  engine: Engine, pixels: Uint8Array, frames: readonly CropFrame[], rules: readonly (readonly R[])[], options: BestOptions,
): Promise<{ polygons: DrawnPolygon<R>[]; maskLogits: Float32Array | undefined; times: DecodeTimes }> {
  let maskLogits: Float32Array | undefined;
  const { drawn, times } = await encodeAndDraw(engine, pixels, rules.length, async (encoded) => {
    ({ maskLogits } = encoded);
    if (maskLogits === undefined || options.candidates === 1) return drawRows(encoded, rules, options.maxSteps);
    let firsts: number[];
    try {
      firsts = (await drawBest(encoded, frames, options)).map(({ cells }) => cells[0]!);
    } catch (error) {
      encoded.dispose();
      throw error;
    }
    return drawRows(encoded, rules, options.maxSteps, chooseBest, firsts);
  });
  return { polygons: drawn, maskLogits, times };
}
