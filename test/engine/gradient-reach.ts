/**
 * Whether a network can be trained through TfjsOps: the gradient of something that depends on everything reaches every
 * weight.
 */
import type * as tfjs from "@tensorflow/tfjs";
import type { DecoderState, PolygonRnn } from "../../src/network/polygon-rnn.js";
import { toTfjsLayout, weightRoles } from "../../src/engine/tfjs/layout.js";
import { TfjsOps } from "../../src/engine/tfjs/ops.js";
import type { Tfjs } from "../../src/engine/tfjs/ops.js";
import { NORMALIZATION, syntheticCrops } from "./network-runner.js";
import type { Weights } from "./network-runner.js";

/** @returns the weights whose gradient is zero or not finite everywhere */
export function weightsOutOfReach(tf: Tfjs, network: PolygonRnn, weights: Weights): string[] {
  const variables = new Map(
    [...weightRoles(network)].map(([name, role]) => {
      const { shape, values } = toTfjsLayout(weights.get(name)!, role);
      return [name, tf.variable(tf.tensor(values, [...shape]))] as const;
    }),
  );
  const ops = new TfjsOps(tf, (name) => variables.get(name));
  try {
    const { grads } = tf.variableGrads(() => lossOf(tf, ops, network), [...variables.values()]);
    return [...variables]
      .filter(([, variable]) => {
        const size = tf.tidy(() => tf.max(tf.abs(grads[variable.name]!)).dataSync()[0]!);
        return !(size > 0 && size < Infinity);
      })
      .map(([name]) => name);
  } finally {
    tf.disposeVariables();
    ops.dispose();
  }
}

/** Squares of all outputs over two steps; the second is the first that sees a cell state through the peepholes. */
function lossOf(tf: Tfjs, ops: TfjsOps, network: PolygonRnn): tfjs.Scalar {
  const encoded = network.encode(ops, tf.tensor4d(syntheticCrops(1), [1, 224, 224, 3], "int32"), NORMALIZATION);
  const zeros = (channels: number): tfjs.Tensor => tf.zeros([1, 28, 28, channels]);
  const index = (cell: number): tfjs.Tensor => tf.tensor1d([cell], "int32");
  let state: DecoderState<tfjs.Tensor> = [
    { h: zeros(network.widths[0]), c: zeros(network.widths[0]) },
    { h: zeros(network.widths[1]), c: zeros(network.widths[1]) },
  ];
  let total: tfjs.Tensor = tf.add(tf.sum(tf.square(encoded.edge)), tf.sum(tf.square(encoded.vertex)));
  for (const previous of [300, 500]) {
    const next = network.step(
      ops,
      encoded.hoisted,
      { first: index(300), previous: index(previous), beforePrevious: index(784) },
      state,
    );
    total = tf.add(total, tf.sum(tf.square(next.logits)));
    state = next.state;
  }
  return total as tfjs.Scalar;
}
