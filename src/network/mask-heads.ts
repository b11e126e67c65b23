/**
 * Two heads of other systems on the image features of a Polygon-RNN, for comparison on the same crops (`polyrnn evaluate
 * --compare deepmask,dilation`). Predicting polygons needs neither.
 *
 *     DeepMask   every pixel of the mask sees the whole crop: two dense layers without ReLU between them (low rank)
 *     Dilation   a context module: convolutions whose taps lie further and further apart
 *
 * Sources: Pinheiro, Collobert, Dollar, "Learning to Segment Object Candidates", NeurIPS 2015 (arXiv:1506.06204); Yu,
 * Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016 (arXiv:1511.07122). Both differ from the
 * papers in width, and see this network's features instead of their own trunk's.
 */
import { GRID_SIZE } from "../geometry/grid.js";
import type { TensorOps } from "./tensor-ops.js";
import { WeightList } from "./weights.js";

/** The `architecture` field of a card of heads. */
export interface MaskHeadsOptions {
  readonly name: "mask-heads";
  /** Channels of the features they see. */
  readonly features: number;
  /** DeepMask: channels after its 1 x 1 convolution, and width of the dense layer between. */
  readonly reduced: number;
  readonly rank: number;
  /** Dilation: channels of its context module. */
  readonly context: number;
  /** Model whose features these are, and its hash: on other features they mean nothing. */
  readonly model: string;
  readonly modelHash: string;
}

/** Cells along a side of DeepMask's map. */
export const DEEPMASK_SIZE = 2 * GRID_SIZE;

/** Distances between the taps of Dilation's 3 x 3 convolutions after the first. */
const DILATIONS = [1, 2, 4, 8, 16, 1] as const;

/** @param features [B, F, 28, 28] @returns logits [B, 3136], a map of 56 x 56 row by row */
export function deepMask<T>(ops: TensorOps<T>, features: T): T {
  const reduced = ops.relu(ops.conv2d(ops.maxPool(features, 2), "deepmask.reduce")); // [B, R, 14, 14]
  return ops.dense(ops.dense(reduced, "deepmask.global_1"), "deepmask.global_2");
}

/** @param features [B, F, 28, 28] @returns logits [B, 1, 28, 28] */
export function dilationContext<T>(ops: TensorOps<T>, features: T): T {
  const wider = DILATIONS.reduce(
    (x, dilation, at) => ops.relu(ops.conv2d(x, `context.${at + 1}`, { dilation })),
    ops.relu(ops.conv2d(features, "context.0")),
  ); // [B, C, 28, 28]
  return ops.conv2d(wider, `context.${DILATIONS.length + 1}`);
}

/** Names and shapes of both heads' weights. */
export function maskHeadShapes({
  features,
  reduced,
  rank,
  context,
}: MaskHeadsOptions): ReadonlyMap<string, readonly number[]> {
  const list = new WeightList();
  list.conv("deepmask.reduce", reduced, features, 1);
  list.dense("deepmask.global_1", rank, reduced * (GRID_SIZE / 2) ** 2);
  list.dense("deepmask.global_2", DEEPMASK_SIZE ** 2, rank);
  list.conv("context.0", context, features, 3);
  DILATIONS.forEach((_, at) => list.conv(`context.${at + 1}`, context, context, 3));
  return list.conv(`context.${DILATIONS.length + 1}`, 1, context, 1).shapes;
}
