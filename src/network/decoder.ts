/**
 * The part that `mobile` and `tiny` share after their image features: maps, hoisted gates, and a decoder step with a
 * light head.
 *
 * Differs from the 2017 paper: edge, vertex and a mask map come from the shared encoder and are shown to the decoder;
 * vertices enter with relative coordinates besides the one-hot grid; the head is a 1 x 1 convolution plus a low-rank
 * dense layer instead of one dense layer of 9.8 million weights.
 */
import { CELL_COUNT, CLASS_COUNT, GRID_SIZE } from "../geometry/grid.js";
import { convLstmCell } from "./conv-lstm.js";
import type { DecoderState, Encoded, StateWidths, StepVertices } from "./polygon-rnn.js";
import type { TensorOps, VertexTable } from "./tensor-ops.js";
import type { WeightList } from "./weights.js";

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
  // 3 x [B, 3, 28, 28]
  const y = [vertices.first, vertices.previous, vertices.beforePrevious].map((index) => ops.lookup(index, table));
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

/*
 * How a vertex enters the decoder: planes of the grid, looked up by cell index.
 * A constant table keeps the step free of arithmetic on indices and lets every engine use its plain row lookup.
 */

/** The paper's form: a one-hot grid. [785, 1, 28, 28]; the end-of-sequence row is all zeros. */
export function oneHotTable(): VertexTable {
  const values = new Float32Array(CLASS_COUNT * CELL_COUNT);
  for (let cell = 0; cell < CELL_COUNT; cell++) values[cell * CELL_COUNT + cell] = 1;
  return { name: "vertex.one_hot", channels: 1, values };
}

/**
 * One-hot grid and two planes of relative coordinates, (col - col of v) / 14 and (row - row of v) / 14. [785, 3, 28,
 * 28]; the end-of-sequence row is all zeros. Not in the paper: convolutions with 3 x 3 kernels learn from it where the
 * last vertex is without carrying it across the grid, one cell per step.
 */
export function relativeTable(): VertexTable {
  const values = new Float32Array(CLASS_COUNT * 3 * CELL_COUNT);
  for (let cell = 0; cell < CELL_COUNT; cell++) {
    const start = cell * 3 * CELL_COUNT;
    values[start + cell] = 1;
    for (let at = 0; at < CELL_COUNT; at++) {
      values[start + CELL_COUNT + at] = ((at % GRID_SIZE) - (cell % GRID_SIZE)) / (GRID_SIZE / 2);
      values[start + 2 * CELL_COUNT + at] =
        (Math.floor(at / GRID_SIZE) - Math.floor(cell / GRID_SIZE)) / (GRID_SIZE / 2);
    }
  }
  return { name: "vertex.relative", channels: 3, values };
}
