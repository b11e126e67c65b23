/**
 * `vgg16`: the Polygon-RNN of the paper. A VGG-16 with skips feeds the decoder; a second one, whose weights are not
 * shared, finds the first vertex with an edge branch and a vertex branch that also sees the edges; two ConvLSTM layers
 * with 3 x 3 kernels and 16 channels; one dense layer to 785 classes.
 *
 * Differs from the paper: nothing known; where the paper is silent the choice is noted beside the code.
 */
import { CELL_COUNT, CLASS_COUNT, GRID_SIZE } from "../geometry/grid.js";
import { convLstmCell } from "./conv-lstm.js";
import { oneHotTable } from "./decoder.js";
import type { ArchitectureOptions, DecoderState, Encoded, PolygonRnn, StepVertices } from "./polygon-rnn.js";
import { withStep } from "./polygon-rnn.js";
import type { Normalization, TensorOps, VertexTable } from "./tensor-ops.js";
import { WeightList } from "./weights.js";

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
  // The paper gives the branches' purpose, not their layers: one 3 x 3 convolution each, the vertex branch on features
  // and edges.
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
  // 3 x [B, 1, 28, 28]
  const y = [vertices.previous, vertices.beforePrevious, vertices.first].map((index) => ops.lookup(index, table));
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

/*
 * VGG-16 without pool5 and the fully connected layers, with the four skips of Polygon-RNN.
 * Sources: Simonyan & Zisserman, ICLR 2015 (configuration D); Castrejon et al., CVPR 2017, figure of the encoder.
 */

/** Convolutions per block and their output channels; every block but the last ends with a 2 x 2 max pooling. */
export const VGG16_BLOCKS = [
  { convolutions: 2, channels: 64 },
  { convolutions: 2, channels: 128 },
  { convolutions: 3, channels: 256 },
  { convolutions: 3, channels: 512 },
  { convolutions: 3, channels: 512 },
] as const;

/** Channels of each skip after its own convolution, and of the fused features. */
export const VGG16_FEATURES = 128;

const SKIPS = [
  { name: "pool2", channels: 128 },
  { name: "pool3", channels: 256 },
  { name: "conv4_3", channels: 512 },
  { name: "conv5_3", channels: 512 },
] as const;

/**
 * The paper brings every skip to 28 x 28 (max pooling or bilinear interpolation) and to 128 channels (3 x 3
 * convolution, ReLU), but not in which order; here the size comes first, so that all four convolutions work on the
 * grid.
 *
 * @param x      [B, 3, 224, 224]
 * @param prefix "encoder" or "first": the two trunks of the paper do not share weights
 * @returns      [B, 128, 28, 28], after ReLU
 */
export function vgg16Features<T>(ops: TensorOps<T>, x: T, prefix: string): T {
  const taps = new Map<string, T>();
  VGG16_BLOCKS.forEach(({ convolutions }, at) => {
    const block = at + 1;
    for (let layer = 1; layer <= convolutions; layer++) {
      x = ops.relu(ops.conv2d(x, `${prefix}.conv${block}_${layer}`));
      taps.set(`conv${block}_${layer}`, x);
    }
    if (block === VGG16_BLOCKS.length) return; // pool5 is left out
    x = ops.maxPool(x, 2);
    taps.set(`pool${block}`, x);
  });
  const onGrid = [
    ops.maxPool(taps.get("pool2")!, 2), // [B, 128, 56, 56] -> 28 x 28
    taps.get("pool3")!, // [B, 256, 28, 28]
    taps.get("conv4_3")!, // [B, 512, 28, 28]
    ops.resizeBilinear(taps.get("conv5_3")!, GRID_SIZE), // [B, 512, 14, 14] -> 28 x 28
  ];
  const skips = SKIPS.map(({ name }, at) => ops.relu(ops.conv2d(onGrid[at]!, `${prefix}.skip.${name}`))); // 4 x [B, 128, 28, 28]
  return ops.relu(ops.conv2d(ops.concatChannels(skips), `${prefix}.fuse`)); // [B, 512, 28, 28] -> [B, 128, 28, 28]
}

export function listVgg16(list: WeightList, prefix: string): void {
  let inputs = 3;
  VGG16_BLOCKS.forEach(({ convolutions, channels }, at) => {
    for (let layer = 1; layer <= convolutions; layer++) {
      list.conv(`${prefix}.conv${at + 1}_${layer}`, channels, inputs, 3);
      inputs = channels;
    }
  });
  for (const { name, channels } of SKIPS) list.conv(`${prefix}.skip.${name}`, VGG16_FEATURES, channels, 3);
  list.conv(`${prefix}.fuse`, VGG16_FEATURES, SKIPS.length * VGG16_FEATURES, 3);
}
