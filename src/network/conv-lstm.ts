/**
 * One step of a convolutional LSTM. Equations of Shi et al., "Convolutional LSTM Network", NeurIPS 2015
 * (arXiv:1506.04214), as Polygon-RNN uses them. The caller does the convolutions over input and hidden state and passes
 * them in as one tensor of gates.
 *
 *     i = sigmoid(gate_i + w_ci * c(t-1))        the w_c terms are the optional peepholes, learned maps [C, 28, 28]
 *     f = sigmoid(gate_f + w_cf * c(t-1))
 *     c = f * c(t-1) + i * tanh(gate_g)
 *     o = sigmoid(gate_o + w_co * c(t))
 *     h = o * tanh(c)
 */
import type { TensorOps } from "./tensor-ops.js";

/** Hidden and cell state of one layer, each [B, C, 28, 28]; zeros before the first step. */
export interface CellState<T> {
  readonly h: T;
  readonly c: T;
}

/**
 * @param gates     [B, 4 * C, 28, 28], order input, forget, output, candidate
 * @param peepholes name of the layer's peephole maps, for example "decoder.peephole_1"; absent: none
 */
export function convLstmCell<T>(ops: TensorOps<T>, gates: T, state: CellState<T>, peepholes?: string): CellState<T> {
  // 4 x [B, C, 28, 28]
  const [inputGate, forgetGate, outputGate, candidate] = ops.splitChannels(gates, 4) as [T, T, T, T];
  const peep = (gate: T, cell: T, name: string): T =>
    peepholes === undefined ? gate : ops.add(gate, ops.multiplyMap(cell, `${peepholes}.${name}`));
  const i = ops.sigmoid(peep(inputGate, state.c, "input"));
  const f = ops.sigmoid(peep(forgetGate, state.c, "forget"));
  const c = ops.add(ops.multiply(f, state.c), ops.multiply(i, ops.tanh(candidate)));
  const o = ops.sigmoid(peep(outputGate, c, "output"));
  return { h: ops.multiply(o, ops.tanh(c)), c };
}
