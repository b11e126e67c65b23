/**
 * Crops in, polygons out: runs the decode loop on a batch and brings the cells back to image pixels. Knows no files.
 */
import { count } from "../count.js";
import type { Crop } from "../crop/crop.js";
import type { Engine } from "../engine/engine.js";
import { orientClockwise, signedArea } from "../geometry/ring.js";
import { isSimple, makeSimple } from "../geometry/simple-ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import type { Failure, Ring } from "../types.js";
import type { DecodeTimes } from "./decode.js";
import { decoderOf } from "./decoder.js";
import type { DecodeOptions } from "./options.js";
import type { DecodeBatch, Outline } from "./outline.js";

export interface PredictOptions extends DecodeOptions {
  /** Douglas-Peucker tolerance in image pixels; 0 keeps every vertex. */
  readonly simplify: number;
}

interface Predicted {
  readonly predictions: Prediction[];
  readonly times: DecodeTimes;
}

export type Prediction =
  | {
      readonly kind: "polygon";
      readonly crop: Crop;
      readonly ring: Ring;
      readonly score: number;
      readonly ended: boolean;
    }
  | { readonly kind: "failed"; readonly crop: Crop; readonly failure: Failure };

/** On an engine in this thread. @returns one prediction per crop, in order */
export function predictBatch(engine: Engine, crops: readonly Crop[], options: PredictOptions): Promise<Predicted> {
  return predictWith(decoderOf(engine).decode, crops, options);
}

/** @returns one prediction per crop, in order */
export async function predictWith(
  decode: DecodeBatch,
  crops: readonly Crop[],
  options: PredictOptions,
): Promise<Predicted> {
  const { maxSteps, candidates, sure } = options;
  const { outlines, times } = await decode(crops, {
    maxSteps,
    candidates,
    ...(sure !== undefined && { sure }),
  });
  return { predictions: crops.map((crop, at) => toPrediction(crop, outlines[at]!, options)), times };
}

function toPrediction(crop: Crop, outline: Outline, options: PredictOptions): Prediction {
  const { ring: predicted, distinct, score, steps, ended } = outline;
  if (distinct < 3) {
    const failure: Failure = {
      reason: "too-few-vertices",
      message:
        `annotation ${crop.instance.annotationId}: expected a sequence with at least 3 distinct vertices, ` +
        `received ${distinct} after ${count(steps, "step")}; draw this one by hand, or try a larger --context`,
    };
    return { kind: "failed", crop, failure };
  }
  const ring = options.simplify > 0 ? simplifyAsSimple(predicted, options.simplify) : predicted;
  return { kind: "polygon", crop, ring, score, ended };
}

/** Where two sides are closer than the tolerance, simplifying would make a simple ring cross itself. */
function simplifyAsSimple(ring: Ring, tolerancePx: number): Ring {
  const simplified = simplifyRing(ring, tolerancePx);
  return isSimple(ring) ? orientClockwise(makeSimple(simplified, signedArea)) : simplified;
}
