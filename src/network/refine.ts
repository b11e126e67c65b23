/**
 * The refined mask: from the image features at 28 x 28 up to 112 x 112, joined on the way with what the backbone saw at
 * each size. What is learned is the share of each fine cell inside the object's outline. Vertices are placed, and
 * polygons judged, by this map (predict/place-vertices.ts, predict/mask-agreement.ts).
 *
 * After Pinheiro, Lin, Collobert, Dollar, "Learning to Refine Object Segments" (SharpMask), ECCV 2016
 * (arXiv:1603.08695). Differs from it: sizes are joined by sums instead of concatenation, and enlarging is bilinear.
 */
import { FINE_SIZE, GRID_SIZE } from "../geometry/grid.js";
import type { TensorOps } from "./tensor-ops.js";
import type { WeightList } from "./weights.js";

/** What the refined mask is made from; c4 and c2 are the backbone at 1/4 and 1/2 of the input, of any width. */
export interface RefineInputs<T> {
  /** [B, F, 28, 28] */
  readonly features: T;
  /** [B, C, 56, 56] */
  readonly c4: T;
  /** [B, C, 112, 112] */
  readonly c2: T;
}

/** Channels at 56 and 112 cells along a side, and of the layer before the last. */
export type RefineWidths = readonly [at56: number, at112: number, last: number];

/** @returns logits [B, 1, 112, 112] */
export function refineMask<T>(ops: TensorOps<T>, { features, c4, c2 }: RefineInputs<T>): T {
  const from28 = ops.resizeBilinear(ops.conv2d(features, "refine.features"), 2 * GRID_SIZE);
  const at56 = ops.relu(ops.add(from28, ops.conv2d(c4, "refine.c4"))); // [B, 32, 56, 56]
  const from56 = ops.resizeBilinear(ops.conv2d(at56, "refine.join_56"), FINE_SIZE);
  const at112 = ops.relu(ops.add(from56, ops.conv2d(c2, "refine.c2"))); // [B, 16, 112, 112]
  return ops.conv2d(ops.relu(ops.conv2d(at112, "refine.join_112")), "refine.out"); // [B, 1, 112, 112]
}

export function listRefine(
  list: WeightList,
  inputs: { readonly features: number; readonly c4: number; readonly c2: number },
  [at56, at112, last]: RefineWidths,
): void {
  list.conv("refine.features", at56, inputs.features, 3).conv("refine.c4", at56, inputs.c4, 3);
  list.conv("refine.join_56", at112, at56, 3).conv("refine.c2", at112, inputs.c2, 3);
  list.conv("refine.join_112", last, at112, 3).conv("refine.out", 1, last, 3);
}
