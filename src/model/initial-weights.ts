/**
 * Random weights to start training from, the same on every machine for the same seed.
 *
 * Kernels in front of a ReLU: He et al., ICCV 2015 (arXiv:1502.01852), deviation sqrt(2 / inputs). Gates, the logits of
 * the maps and the head have no ReLU behind them and get sqrt(1 / (3 * inputs)). First steps then stay near zero, where
 * the gates are open. Biases are zero, except those of the forget gates, which are one: an LSTM that starts out
 * remembering learns longer sequences (Jozefowicz et al., ICML 2015).
 */
import { createRandom } from "../random.js";
import type { WeightTensor } from "./safetensors.js";

const WITHOUT_RELU = /^(?:decoder\.(?!global_1)|maps\.out|first\.(?:edge|vertex)\.)/;
/** Biases of gates, in the order input, forget, output, candidate. */
const GATE_BIASES: ReadonlySet<string> = new Set(["decoder.gates_features.bias", "decoder.gates_2.bias"]);

/** @param shape in file layout, outputs first */
export function initialWeight(name: string, shape: readonly number[], seed: number | string): WeightTensor {
  const values = new Float32Array(shape.reduce((product, side) => product * side, 1));
  if (name.endsWith(".weight") && !name.includes(".peephole_")) {
    const random = createRandom(seed).fork(name);
    const inputs = values.length / shape[0]!;
    const deviation = Math.sqrt((WITHOUT_RELU.test(name) ? 1 / 3 : 2) / inputs);
    for (let at = 0; at < values.length; at++) values[at] = random.normal() * deviation;
  }
  if (GATE_BIASES.has(name)) values.fill(1, values.length / 4, values.length / 2);
  return { shape, values };
}
