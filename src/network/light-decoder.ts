/**
 * The part that `mobile` and `tiny` share after their image features: maps, hoisted gates, and a decoder step with a light head.
 *
 * Differs from the 2017 paper: edge, vertex and a mask map come from the shared encoder and are shown to the decoder; vertices
 * enter with relative coordinates besides the one-hot grid; the head is a 1 x 1 convolution plus a low-rank dense layer instead of
 * one dense layer of 9.8 million weights.
 */
import { CLASS_COUNT, CELL_COUNT } from "../geometry/grid.js";
import type { DecoderState, Encoded, StateWidths, StepVertices } from "./polygon-rnn.js";
import { convLstmCell } from "./conv-lstm.js";
import type { TensorOps, VertexTable } from "./tensor-ops.js";
import type { WeightList } from "./weight-shapes.js";

/** Edge, vertex and mask, in the order of `maps.out`. */
const MAP_COUNT = 3;
/** y(1), y(t-1) and y(t-2). */
const VERTICES_SEEN = 3;

export interface LightDecoderOptions {
  readonly widths: StateWidths;
  /** Channels of the image features. */
  readonly features: number;
  /** Channels between features and maps. */
  readonly mapsHidden: number;
  /** Width of the low-rank dense layer. */
  readonly rank: number;
  readonly peepholes: boolean;
}

/** @param features [B, F, 28, 28] */
export function encodeMaps<T>(ops: TensorOps<T>, features: T): Encoded<T> {
  const maps = ops.conv2d(ops.relu(ops.conv2d(features, "maps.hidden")), "maps.out"); // [B, 3, 28, 28] logits
  const shown = ops.affine(ops.sigmoid(maps), 2, -1); // -1..1
  const hoisted = ops.conv2d(ops.concatChannels([features, shown]), "decoder.gates_features"); // [B, 4 * C1, 28, 28]
  return { features, edge: ops.channel(maps, 0), vertex: ops.channel(maps, 1), mask: ops.channel(maps, 2), hoisted };
}

/** The recurrent part of a step: both ConvLSTM layers. */
export function lightAdvance<T>(
  ops: TensorOps<T>,
  table: VertexTable,
  hoisted: T,
  vertices: StepVertices<T>,
  state: DecoderState<T>,
  peepholes: boolean,
): DecoderState<T> {
  const y = [vertices.first, vertices.previous, vertices.beforePrevious].map((index) => ops.lookup(index, table)); // 3 x [B, 3, 28, 28]
  const gates1 = ops.add(hoisted, ops.conv2d(ops.concatChannels([...y, state[0].h]), "decoder.gates_1"));
  const layer1 = convLstmCell(ops, gates1, state[0], peepholes ? "decoder.peephole_1" : undefined);
  const gates2 = ops.conv2d(ops.concatChannels([layer1.h, state[1].h]), "decoder.gates_2");
  const layer2 = convLstmCell(ops, gates2, state[1], peepholes ? "decoder.peephole_2" : undefined);
  return [layer1, layer2];
}

/** @param hidden h of layer two, [N, C2, 28, 28] @returns [N, 785] */
export function lightHead<T>(ops: TensorOps<T>, hidden: T): T {
  const overall = ops.dense(ops.relu(ops.dense(hidden, "decoder.global_1")), "decoder.global_2"); // [N, 785]
  const perCell = ops.padEnd(ops.flatten(ops.conv2d(hidden, "decoder.cell")), 1); // [N, 784] -> [N, 785], 0 for end-of-sequence
  return ops.add(overall, perCell);
}

export function listLightDecoder(list: WeightList, table: VertexTable, options: LightDecoderOptions): void {
  const [c1, c2] = options.widths;
  list.conv("maps.hidden", options.mapsHidden, options.features, 3).conv("maps.out", MAP_COUNT, options.mapsHidden, 1);
  list.conv("decoder.gates_features", 4 * c1, options.features + MAP_COUNT, 3);
  list.conv("decoder.gates_1", 4 * c1, VERTICES_SEEN * table.channels + c1, 3, "no-bias");
  list.conv("decoder.gates_2", 4 * c2, c1 + c2, 3);
  list.conv("decoder.cell", 1, c2, 1);
  list.dense("decoder.global_1", options.rank, c2 * CELL_COUNT).dense("decoder.global_2", CLASS_COUNT, options.rank);
  list.peepholes(options.widths, options.peepholes);
}
