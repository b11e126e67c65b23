/**
 * Loss of one batch, run under the gradient tape with the functions of src/network.
 *
 * Teacher forcing: step t sees the true vertices before it. The steps' loss is the cross-entropy with smoothed targets:
 * 1 at the true cell, less at its 4-neighbors, normalized; end-of-sequence is one-hot. It is averaged over the live
 * steps of the batch, those up to and including the first end-of-sequence. Edge, vertex and mask are binary
 * cross-entropies per cell, positives of edge and vertex weighted because they are rare. Sources: Castrejon et al.,
 * CVPR 2017 (losses, first vertex network), and the authors' released code (smoothing). The mask map and the positive
 * weights are this project's.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { CELL_COUNT, CLASS_COUNT, CROP_SIZE, EOS, FINE_SIZE, GRID_SIZE } from "../../geometry/grid.js";
import type { DecoderState, Encoded, PolygonRnn } from "../../network/polygon-rnn.js";
import type { Normalization } from "../../network/tensor-ops.js";
import type { LossOptions, TrainingBatch } from "../trainer.js";
import type { Tfjs, TfjsOps } from "./ops.js";

/** About one cell in 15 is on the boundary, one in 60 is a vertex. */
const POSITIVE_WEIGHTS = { edge: 3, vertex: 8, mask: 1 } as const;

/** A batch as tensors; a `type`, so that tf.dispose takes it. */
export type BatchTensors = {
  crops: tfjs.Tensor; // [B, 224, 224, 3] int32
  vertices: tfjs.Tensor[]; // T x [B] int32: what step t sees as y(t-1)
  none: tfjs.Tensor; // [B] int32, all 784
  wanted: tfjs.Tensor; // [T * B] int32, step by step
  live: tfjs.Tensor; // [T * B] 1 or 0
  edge: tfjs.Tensor; // [B, 28, 28, 1] 1 or 0, like the next two
  vertex: tfjs.Tensor;
  mask: tfjs.Tensor;
  fineMask: tfjs.Tensor; // [B, 112, 112, 1] 0..1
};

/** What is read after a step, in this order. */
export const FIGURES = ["total", "steps", "edge", "vertex", "mask", "fineMask", "accuracy", "maskIou"] as const;

/** @returns tensors the caller disposes */
export function uploadBatch(
  tf: Tfjs,
  { size, steps, crops, cells, edge, mask, fineMask }: TrainingBatch,
): BatchTensors {
  const column = (t: number): Int32Array =>
    Int32Array.from({ length: size }, (_, row) => cells[row * (steps + 1) + t]!);
  const columns = Array.from({ length: steps + 1 }, (_, t) => column(t));
  const live = columns
    .slice(0, steps)
    .flatMap((seen, t) => Array.from(seen, (cell) => (t === 0 || cell !== EOS ? 1 : 0)));
  const vertex = new Float32Array(size * CELL_COUNT);
  columns.forEach((column) => {
    column.forEach((cell, row) => {
      if (cell !== EOS) vertex[row * CELL_COUNT + cell] = 1;
    });
  });
  const plane = (values: ArrayLike<number>): tfjs.Tensor =>
    tf.tensor4d(Float32Array.from(values), [size, GRID_SIZE, GRID_SIZE, 1]);
  return {
    crops: tf.tensor4d(crops, [size, CROP_SIZE, CROP_SIZE, 3], "int32"),
    vertices: columns.slice(0, steps).map((cellsAt) => tf.tensor1d(cellsAt, "int32")),
    none: tf.fill([size], EOS, "int32"),
    wanted: tf.tensor1d(
      columns.slice(1).flatMap((cellsAt) => [...cellsAt]),
      "int32",
    ),
    live: tf.tensor1d(live),
    edge: plane(edge),
    vertex: plane(vertex),
    mask: plane(mask),
    fineMask: tf.tensor4d(fineMask, [size, FINE_SIZE, FINE_SIZE, 1]),
  };
}

/**
 * Target distribution by class, [785, 785]; rows sum to 1.
 * @param smoothing weight of a 4-neighbor; the cell itself has 1
 */
export function smoothedTargets(smoothing: number): Float32Array {
  const table = new Float32Array(CLASS_COUNT * CLASS_COUNT);
  table[EOS * CLASS_COUNT + EOS] = 1;
  for (let cell = 0; cell < CELL_COUNT; cell++) {
    const col = cell % GRID_SIZE;
    const neighbors = [
      ...(cell >= GRID_SIZE ? [cell - GRID_SIZE] : []),
      ...(cell + GRID_SIZE < CELL_COUNT ? [cell + GRID_SIZE] : []),
      ...(col > 0 ? [cell - 1] : []),
      ...(col + 1 < GRID_SIZE ? [cell + 1] : []),
    ];
    const sum = 1 + smoothing * neighbors.length;
    table[cell * CLASS_COUNT + cell] = 1 / sum;
    for (const neighbor of neighbors) table[cell * CLASS_COUNT + neighbor] = smoothing / sum;
  }
  return table;
}

/** What a loss is computed with; `targets` is [785, 785]. */
export interface LossContext {
  readonly tf: Tfjs;
  readonly ops: TfjsOps;
  readonly network: PolygonRnn;
  readonly normalization: Normalization;
  readonly targets: tfjs.Tensor;
  readonly options: LossOptions;
}

/**
 * @param encoded called between encoder and decoder, for taking the time
 * @returns the sum that is minimized, and the figures to be read, [FIGURES.length]; -1 where the network has no such
 *   map
 */
export function lossOfBatch(
  context: LossContext,
  batch: BatchTensors,
  encoded?: () => void,
): { total: tfjs.Scalar; figures: tfjs.Tensor1D } {
  const {
    tf,
    ops,
    network,
    normalization,
    options: { weights },
  } = context;
  const image = network.encode(ops, batch.crops, normalization);
  encoded?.();
  const logits = decode(context, image, batch); // [T * B, 785]
  const live = tf.sum(batch.live);
  // [T * B]
  const crossEntropy = tf.neg(tf.sum(tf.mul(tf.gather(context.targets, batch.wanted), tf.logSoftmax(logits)), 1));
  const steps = tf.div(tf.sum(tf.mul(crossEntropy, batch.live)), live);
  const edge = binaryCrossEntropy(tf, image.edge, batch.edge, POSITIVE_WEIGHTS.edge);
  const vertex = binaryCrossEntropy(tf, image.vertex, batch.vertex, POSITIVE_WEIGHTS.vertex);
  const mask =
    image.mask === undefined ? undefined : binaryCrossEntropy(tf, image.mask, batch.mask, POSITIVE_WEIGHTS.mask);
  const fineMask = image.fineMask && binaryCrossEntropy(tf, image.fineMask, batch.fineMask, POSITIVE_WEIGHTS.mask);
  const parts = [
    tf.mul(steps, weights.steps),
    tf.mul(edge, weights.edge),
    tf.mul(vertex, weights.vertex),
    ...(mask ? [tf.mul(mask, weights.mask)] : []),
    ...(fineMask ? [tf.mul(fineMask, weights.mask)] : []),
  ];
  const total = tf.addN(parts) as tfjs.Scalar;
  const hits = tf.mul(tf.cast(tf.equal(tf.argMax(logits, 1), batch.wanted), "float32"), batch.live);
  const none = tf.scalar(-1);
  const figures = [
    total,
    steps,
    edge,
    vertex,
    mask ?? none,
    fineMask ?? none,
    tf.div(tf.sum(hits), live),
    image.mask === undefined ? none : maskIou(tf, image.mask, batch.mask),
  ];
  return { total, figures: tf.stack(figures) as tfjs.Tensor1D };
}

/** Every step's logits under teacher forcing, [T * B, 785]. */
function decode(
  { tf, ops, network, options: { truncate } }: LossContext,
  { hoisted }: Encoded<tfjs.Tensor>,
  { vertices, none }: BatchTensors,
): tfjs.Tensor2D {
  const zeros = (layer: 0 | 1): tfjs.Tensor => tf.zeros([none.size, GRID_SIZE, GRID_SIZE, network.widths[layer]]);
  let state: DecoderState<tfjs.Tensor> = [
    { h: zeros(0), c: zeros(0) },
    { h: zeros(1), c: zeros(1) },
  ];
  const hidden = vertices.map((previous, t) => {
    if (truncate !== undefined && t > 0 && t % truncate === 0) {
      const [one, two] = state;
      state = [
        { h: detach(tf, one.h), c: detach(tf, one.c) },
        { h: detach(tf, two.h), c: detach(tf, two.c) },
      ];
    }
    state = network.advance(
      ops,
      hoisted,
      { first: vertices[0]!, previous, beforePrevious: vertices[t - 1] ?? none },
      state,
    );
    return state[1].h as tfjs.Tensor4D;
  });
  // The head has no memory: all steps in one go, and one gradient for its weights instead of a sum over the steps.
  return network.head(ops, tf.concat4d(hidden, 0)) as tfjs.Tensor2D;
}

/** The same values, without a gradient. */
function detach(tf: Tfjs, x: tfjs.Tensor): tfjs.Tensor {
  return tf.customGrad((y) => ({ value: tf.clone(y as tfjs.Tensor), gradFunc: (dy) => tf.zerosLike(dy) }))(x);
}

/** Mean over all cells of softplus(-x) * weight * truth + softplus(x) * (1 - truth). */
function binaryCrossEntropy(tf: Tfjs, logits: tfjs.Tensor, truth: tfjs.Tensor, positiveWeight: number): tfjs.Tensor {
  // (1 - y) x + (1 + (w - 1) y) softplus(-x): one softplus, no overflow
  const weight = tf.add(tf.mul(truth, positiveWeight - 1), 1);
  return tf.mean(tf.add(tf.mul(tf.sub(1, truth), logits), tf.mul(weight, tf.softplus(tf.neg(logits)))));
}

/** Mean over the batch of the IoU on the grid, cells of the truth by their shares; an empty union counts as 0. */
function maskIou(tf: Tfjs, logits: tfjs.Tensor, truth: tfjs.Tensor): tfjs.Tensor {
  const predicted = tf.cast(tf.greater(logits, 0), "float32");
  const both = tf.sum(tf.mul(predicted, truth), [1, 2, 3]); // [B]
  const either = tf.sum(tf.maximum(predicted, truth), [1, 2, 3]);
  return tf.mean(tf.div(both, tf.maximum(either, 1)));
}
