/**
 * Adam over one vector of weights, with decoupled weight decay, clipping by the gradient's norm and a moving average of the weights.
 * Sources: Kingma & Ba, ICLR 2015 (arXiv:1412.6980), algorithm 1; Loshchilov & Hutter, ICLR 2019 (arXiv:1711.05101) for the decay;
 * Pascanu et al., ICML 2013 (arXiv:1211.5063) for the clipping.
 */
import type * as tfjs from "@tensorflow/tfjs";
import type { Tfjs } from "./tfjs-ops.js";
import type { OptimizerOptions } from "./trainer.js";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** Vectors of one length; a `type`, so that tf.dispose takes it. */
export type AdamState = {
  weights: tfjs.Tensor1D;
  first: tfjs.Tensor1D;
  second: tfjs.Tensor1D;
  average?: tfjs.Tensor1D;
};

/**
 * @param gradient before clipping
 * @param norm     its global norm
 * @param rates    learning rate per weight
 * @param step     which step this is, from 1
 * @returns        new vectors; the caller disposes them and the old ones. Call it inside tf.tidy.
 */
export function adamStep(
  tf: Tfjs,
  { weights, first, second, average }: AdamState,
  gradient: tfjs.Tensor1D,
  norm: number,
  rates: tfjs.Tensor1D,
  step: number,
  options: OptimizerOptions,
): AdamState {
  const isTooLong = options.clipNorm > 0 && norm > options.clipNorm;
  const clipped = isTooLong ? tf.mul(gradient, options.clipNorm / norm) : gradient;
  const m = tf.add(tf.mul(first, BETA1), tf.mul(clipped, 1 - BETA1));
  const v = tf.add(tf.mul(second, BETA2), tf.mul(tf.square(clipped), 1 - BETA2));
  // m / (1 - beta1^t) over sqrt(v / (1 - beta2^t)) + epsilon
  const spread = tf.add(tf.mul(tf.sqrt(v), 1 / Math.sqrt(1 - BETA2 ** step)), EPSILON);
  const move = tf.div(tf.mul(m, 1 / (1 - BETA1 ** step)), spread);
  const decayed = options.weightDecay > 0 ? tf.add(move, tf.mul(weights, options.weightDecay)) : move;
  const moved = tf.sub(weights, tf.mul(rates, decayed));
  const state = { weights: moved, first: m, second: v };
  if (average === undefined) return state as AdamState;
  // A young average forgets faster, or it would hold on to the first random weights: (1 + t) / (10 + t), as TensorFlow's moving averages do.
  const decay = Math.min(options.average, (1 + step) / (10 + step));
  return { ...state, average: tf.add(tf.mul(average, decay), tf.mul(moved, 1 - decay)) } as AdamState;
}
