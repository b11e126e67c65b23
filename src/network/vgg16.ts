/**
 * `vgg16`: the Polygon-RNN of the paper. A VGG-16 with skips feeds the decoder; a second one, whose weights are not shared, finds
 * the first vertex with an edge branch and a vertex branch that also sees the edges; two ConvLSTM layers with 3 x 3 kernels and 16
 * channels; one dense layer to 785 classes.
 *
 * Differs from the paper: nothing known; where the paper is silent the choice is noted beside the code.
 */
import { CELL_COUNT, CLASS_COUNT } from "../geometry/grid.js";
import {
  type ArchitectureOptions,
  type DecoderState,
  type Encoded,
  type PolygonRnn,
  type StepVertices,
  withStep,
} from "./polygon-rnn.js";
import { convLstmCell } from "./conv-lstm.js";
import type { Normalization, TensorOps, VertexTable } from "./tensor-ops.js";
import { oneHotTable } from "./vertex-table.js";
import { VGG16_FEATURES, listVgg16, vgg16Features } from "./vgg16-trunk.js";
import { WeightList } from "./weight-shapes.js";

type Vgg16Options = Extract<ArchitectureOptions, { name: "vgg16" }>;

export function vgg16(options: Vgg16Options): PolygonRnn {
  const table = oneHotTable();
  return withStep({
    widths: options.widths,
    weightShapes: listWeights(options).shapes,
    vertexTable: table,
    encode,
    advance: (ops, hoisted, vertices, state) => advance(ops, table, hoisted, vertices, state, options.peepholes),
    head: (ops, hidden) => ops.dense(hidden, "decoder.head"), // [N, 785]
  });
}

function encode<T>(ops: TensorOps<T>, pixels: T, normalization: Normalization): Encoded<T> {
  const x = ops.normalize(pixels, normalization); // [B, 3, 224, 224]
  const features = vgg16Features(ops, x, "encoder"); // [B, 128, 28, 28]
  const firstFeatures = vgg16Features(ops, x, "first"); // [B, 128, 28, 28], weights of its own
  // The paper gives the branches' purpose, not their layers: one 3 x 3 convolution each, the vertex branch on features and edges.
  const edge = ops.conv2d(firstFeatures, "first.edge"); // [B, 1, 28, 28] logits
  const vertex = ops.conv2d(ops.concatChannels([firstFeatures, ops.sigmoid(edge)]), "first.vertex"); // [B, 1, 28, 28] logits
  const hoisted = ops.conv2d(features, "decoder.gates_features"); // [B, 64, 28, 28]
  return { features, edge, vertex, hoisted };
}

function advance<T>(
  ops: TensorOps<T>,
  table: VertexTable,
  hoisted: T,
  vertices: StepVertices<T>,
  state: DecoderState<T>,
  peepholes: boolean,
): DecoderState<T> {
  const y = [vertices.previous, vertices.beforePrevious, vertices.first].map((index) => ops.lookup(index, table)); // 3 x [B, 1, 28, 28]
  const gates1 = ops.add(hoisted, ops.conv2d(ops.concatChannels([...y, state[0].h]), "decoder.gates_1"));
  const layer1 = convLstmCell(ops, gates1, state[0], peepholes ? "decoder.peephole_1" : undefined);
  const gates2 = ops.conv2d(ops.concatChannels([layer1.h, state[1].h]), "decoder.gates_2");
  const layer2 = convLstmCell(ops, gates2, state[1], peepholes ? "decoder.peephole_2" : undefined);
  return [layer1, layer2];
}

function listWeights(options: Vgg16Options): WeightList {
  const [c1, c2] = options.widths;
  const list = new WeightList();
  listVgg16(list, "encoder");
  listVgg16(list, "first");
  list.conv("first.edge", 1, VGG16_FEATURES, 3).conv("first.vertex", 1, VGG16_FEATURES + 1, 3);
  list.conv("decoder.gates_features", 4 * c1, VGG16_FEATURES, 3);
  list.conv("decoder.gates_1", 4 * c1, 3 + c1, 3, "no-bias");
  list.conv("decoder.gates_2", 4 * c2, c1 + c2, 3);
  list.dense("decoder.head", CLASS_COUNT, c2 * CELL_COUNT);
  list.peepholes(options.widths, options.peepholes);
  return list;
}
