/** The truth of one instance as a mask, or why it takes no part in the evaluation. */
import type { Entry } from "../dataset/dataset.js";
import { PolyrnnError } from "../errors.js";
import { rasterizeTruth } from "../geometry/iou.js";
import { rleArea } from "../geometry/rle.js";
import type { Instance, Rle } from "../types.js";
import { dropSmallParts } from "./mask-parts.js";
import type { ImageSize } from "./read-prediction.js";
import type { TruthReason } from "./reason-words.js";
import type { Rasterizer } from "./report-types.js";

export interface Exclusion {
  readonly reason: TruthReason;
  readonly message?: string;
}
export type PreparedTruth = { readonly kind: "mask"; readonly mask: Rle } | ({ readonly kind: "excluded" } & Exclusion);

/** Why an annotation of the truth is no instance. */
export function exclusionOf(entry: Exclude<Entry, { kind: "instance" }>): Exclusion {
  if (entry.kind === "skipped") return { reason: entry.reason };
  return { reason: `truth-${entry.failure.reason}`, message: entry.failure.message };
}

/**
 * Union of the truth's parts, without those below `minArea` pixels.
 * @returns excluded: truth-missing, truth-invalid, truth-empty (covers no pixel of the image), truth-small (nothing is left)
 */
export function prepareTruth(instance: Instance, size: ImageSize, rule: Rasterizer, minArea: number): PreparedTruth {
  if (instance.truthProblem !== undefined)
    return { kind: "excluded", reason: "truth-invalid", message: instance.truthProblem };
  if (instance.truth === undefined) return { kind: "excluded", reason: "truth-missing" };
  let whole: Rle;
  try {
    whole = rasterizeTruth(instance.truth, size.height, size.width, rule);
  } catch (thrown) {
    if (!(thrown instanceof PolyrnnError)) throw thrown;
    return { kind: "excluded", reason: "truth-invalid", message: thrown.message };
  }
  if (rleArea(whole) === 0) return { kind: "excluded", reason: "truth-empty" };
  const mask = dropSmallParts(whole, minArea);
  if (rleArea(mask) === 0) return { kind: "excluded", reason: "truth-small" };
  return { kind: "mask", mask };
}
