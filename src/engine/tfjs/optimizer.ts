/**
 * Adam over one vector of weights, with decoupled weight decay, clipping by the gradient's norm and a moving average of
 * the weights. Sources: Kingma & Ba, ICLR 2015 (arXiv:1412.6980), algorithm 1; Loshchilov & Hutter, ICLR 2019
 * (arXiv:1711.05101) for the decay; Pascanu et al., ICML 2013 (arXiv:1211.5063) for the clipping.
 *
 * `FlatWeights` cuts that vector into the network's tensors under the gradient tape, so that the gradient is one vector
 * too. A step is then a dozen large operations instead of a thousand small ones.
 */
import type * as tfjs from "@tensorflow/tfjs";
import type { WeightTensor } from "../../model/safetensors.js";
import type { OptimizerOptions } from "../trainer.js";
import type { WeightRole } from "./layout.js";
import { toFileLayout, toTfjsLayout } from "./layout.js";
import type { Tfjs } from "./ops.js";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** Vectors of one length; a `type`, so that tf.dispose takes it. */
export type AdamState = {
  weights: tfjs.Tensor1D;
  first: tfjs.Tensor1D;
  second: tfjs.Tensor1D;
  ema?: tfjs.Tensor1D;
};

export interface AdamInput {
  /** Before clipping. */
  readonly gradient: tfjs.Tensor1D;
  /** Norm of the gradient. */
  readonly norm: number;
  /** Per weight. */
  readonly learningRates: tfjs.Tensor1D;
  /** Which step this is, from 1. */
  readonly step: number;
}

/** Call it inside tf.tidy. @returns new vectors; the caller disposes them and the old ones */
export function adamStep(
  tf: Tfjs,
  { weights, first, second, ema }: AdamState,
  { gradient, norm, learningRates, step }: AdamInput,
  options: OptimizerOptions,
): AdamState {
  const isTooLong = options.clipNorm > 0 && norm > options.clipNorm;
  const clipped = isTooLong ? tf.mul(gradient, options.clipNorm / norm) : gradient;
  const m: tfjs.Tensor1D = tf.add(tf.mul(first, BETA1), tf.mul(clipped, 1 - BETA1));
  const v: tfjs.Tensor1D = tf.add(tf.mul(second, BETA2), tf.mul(tf.square(clipped), 1 - BETA2));
  // m / (1 - beta1^t) over sqrt(v / (1 - beta2^t)) + epsilon
  const spread = tf.add(tf.mul(tf.sqrt(v), 1 / Math.sqrt(1 - BETA2 ** step)), EPSILON);
  const move = tf.div(tf.mul(m, 1 / (1 - BETA1 ** step)), spread);
  const decayed = options.weightDecay > 0 ? tf.add(move, tf.mul(weights, options.weightDecay)) : move;
  const moved: tfjs.Tensor1D = tf.sub(weights, tf.mul(learningRates, decayed));
  const state: AdamState = { weights: moved, first: m, second: v };
  if (ema === undefined) return state;
  // A young average forgets faster, or it would hold on to the first random weights: (1 + t) / (10 + t), as
  // TensorFlow's moving averages do.
  const decay = Math.min(options.ema, (1 + step) / (10 + step));
  return { ...state, ema: tf.add(tf.mul(ema, decay), tf.mul(moved, 1 - decay)) };
}

interface Part {
  readonly name: string;
  readonly role: WeightRole;
  readonly fileShape: readonly number[];
  readonly shape: number[];
  readonly offset: number;
  readonly size: number;
}

export class FlatWeights {
  readonly size: number;
  private readonly parts: readonly Part[];

  /** @param names in the order of the vector; @param shapes in file layout */
  constructor(
    names: readonly string[],
    shapes: ReadonlyMap<string, readonly number[]>,
    roles: ReadonlyMap<string, WeightRole>,
  ) {
    let offset = 0;
    this.parts = names.map((name) => {
      const fileShape = shapes.get(name)!;
      const role = roles.get(name)!;
      const size = fileShape.reduce((product, length) => product * length, 1);
      const { shape } = toTfjsLayout({ shape: fileShape, values: new Float32Array(size) }, role);
      const part = { name, role, fileShape, shape: [...shape], offset, size };
      offset += size;
      return part;
    });
    this.size = offset;
  }

  /** Tensors of the vector, in the layout of TensorFlow.js; the gradient flows through. */
  cut(tf: Tfjs, vector: tfjs.Tensor1D): Map<string, tfjs.Tensor> {
    const pieces = tf.split(
      vector,
      this.parts.map(({ size }) => size),
    );
    return new Map(this.parts.map(({ name, shape }, at) => [name, tf.reshape(pieces[at]!, shape)]));
  }

  /** @param weights in file layout @returns the vector's values */
  join(weights: ReadonlyMap<string, WeightTensor>): Float32Array {
    const values = new Float32Array(this.size);
    for (const { name, role, fileShape, offset } of this.parts) {
      const weight = weights.get(name);
      if (weight?.shape.join() !== fileShape.join())
        throw new Error(
          `weight ${name}: expected shape ${JSON.stringify(fileShape)} but received ${JSON.stringify(weight?.shape)}`,
        );
      values.set(toTfjsLayout(weight, role).values, offset);
    }
    return values;
  }

  /** The way back: copies, in file layout. */
  part(values: Float32Array): Map<string, WeightTensor> {
    return new Map(
      this.parts.map(({ name, role, fileShape, shape, offset, size }) => [
        name,
        {
          shape: fileShape,
          values: toFileLayout({ shape, values: values.subarray(offset, offset + size) }, role).values,
        },
      ]),
    );
  }
}
