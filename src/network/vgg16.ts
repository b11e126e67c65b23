/**
 * `vgg16`: the Polygon-RNN of the paper. A VGG-16 with four skips feeds the decoder. A second one, whose weights are
 * not shared, finds the first vertex: an edge branch, and a vertex branch that also sees the edges. Two ConvLSTM layers
 * with 3 x 3 kernels and one dense layer to 785 classes predict the rest.
 *
 * Sources: Castrejon et al., CVPR 2017; Simonyan & Zisserman, ICLR 2015 (configuration D), without pool5 and the fully
 * connected layers. Differs from the paper: nothing known; where the paper is silent the choice is noted beside the
 * code.
 */
import { CELL_COUNT, CLASS_COUNT, GRID_SIZE } from "../geometry/grid.js";
import type { LayerOptions } from "./decoder.js";
import { advanceLayers, listGates, oneHotTable } from "./decoder.js";
import type { ArchitectureOf, Encoded, PolygonRnn } from "./polygon-rnn.js";
import { withStep } from "./polygon-rnn.js";
import type { Normalization, TensorOps } from "./tensor-ops.js";
import { WeightList } from "./weights.js";

type Vgg16Options = ArchitectureOf<"vgg16"> & {
  /** Channels of each skip after its own convolution, and of the fused features. */
  readonly features: number;
  /** The published ones when absent. Narrower ones make a network of the same plan that a test can run. */
  readonly blocks?: Blocks;
};

export function vgg16(options: Vgg16Options): PolygonRnn {
  const table = oneHotTable();
  const layers: LayerOptions = { ...options, table, vertices: ["previous", "beforePrevious", "first"] };
  return withStep({
    widths: options.widths,
    hoistedChannels: 4 * options.widths[0],
    weightShapes: listWeights(options, layers).shapes,
    vertexTable: table,
    encode: (ops, pixels, normalization) => encode(ops, pixels, normalization, options.blocks),
    advance: advanceLayers(layers),
    head: (ops, hidden) => ops.dense(hidden, "decoder.head"), // [N, 785]
  });
}

function encode<T>(ops: TensorOps<T>, pixels: T, normalization: Normalization, blocks?: Blocks): Encoded<T> {
  const x = ops.normalize(pixels, normalization); // [B, 3, 224, 224]
  const features = vgg16Features(ops, x, "encoder", blocks); // [B, 128, 28, 28]
  const firstFeatures = vgg16Features(ops, x, "first", blocks); // [B, 128, 28, 28], weights of its own
  // The paper gives the branches' purpose, not their layers: one 3 x 3 convolution each, the vertex branch on features
  // and edges. Logits, [B, 1, 28, 28] both.
  const edge = ops.conv2d(firstFeatures, "first.edge");
  const vertex = ops.conv2d(ops.concatChannels([firstFeatures, ops.sigmoid(edge)]), "first.vertex");
  const hoisted = ops.conv2d(features, "decoder.gates_features"); // [B, 4 * C1, 28, 28]
  return { features, edge, vertex, hoisted };
}

function listWeights({ widths, features, peepholes, blocks }: Vgg16Options, layers: LayerOptions): WeightList {
  const list = new WeightList();
  for (const prefix of ["encoder", "first"]) listVgg16(list, prefix, features, blocks);
  list.conv("first.edge", 1, features, 3).conv("first.vertex", 1, features + 1, 3);
  listGates(list, layers, features);
  list.dense("decoder.head", CLASS_COUNT, widths[1] * CELL_COUNT);
  list.peepholes(widths, peepholes);
  return list;
}

/** Convolutions per block and their output channels; every block but the last ends with a 2 x 2 max pooling. */
export const VGG16_BLOCKS = [
  { convolutions: 2, channels: 64 },
  { convolutions: 2, channels: 128 },
  { convolutions: 3, channels: 256 },
  { convolutions: 3, channels: 512 },
  { convolutions: 3, channels: 512 },
] as const;

type Blocks = readonly { readonly convolutions: number; readonly channels: number }[];

/** Block that each skip comes from. */
const SKIPS = [
  { name: "pool2", block: 2 },
  { name: "pool3", block: 3 },
  { name: "conv4_3", block: 4 },
  { name: "conv5_3", block: 5 },
] as const;

/**
 * The paper brings every skip to 28 x 28 (max pooling or bilinear interpolation) and to 128 channels (3 x 3
 * convolution, ReLU), but does not say in which order. Here the size comes first, so that all four convolutions work on
 * the grid.
 *
 * @param x      [B, 3, 224, 224]
 * @param prefix "encoder" or "first": the two backbones of the paper do not share weights
 * @returns      [B, 128, 28, 28], after ReLU
 */
function vgg16Features<T>(ops: TensorOps<T>, x: T, prefix: string, blocks: Blocks = VGG16_BLOCKS): T {
  const taps = new Map<string, T>();
  blocks.forEach(({ convolutions }, at) => {
    const block = at + 1;
    for (let layer = 1; layer <= convolutions; layer++) {
      x = ops.relu(ops.conv2d(x, `${prefix}.conv${block}_${layer}`));
      taps.set(`conv${block}_${layer}`, x);
    }
    if (block === blocks.length) return; // pool5 is left out
    x = ops.maxPool(x, 2);
    taps.set(`pool${block}`, x);
  });
  const onGrid = [
    ops.maxPool(taps.get("pool2")!, 2), // [B, 128, 56, 56] -> 28 x 28
    taps.get("pool3")!, // [B, 256, 28, 28]
    taps.get("conv4_3")!, // [B, 512, 28, 28]
    ops.resizeBilinear(taps.get("conv5_3")!, GRID_SIZE), // [B, 512, 14, 14] -> 28 x 28
  ];
  // 4 x [B, 128, 28, 28]
  const skips = SKIPS.map(({ name }, at) => ops.relu(ops.conv2d(onGrid[at]!, `${prefix}.skip.${name}`)));
  return ops.relu(ops.conv2d(ops.concatChannels(skips), `${prefix}.fuse`)); // [B, 512, 28, 28] -> [B, 128, 28, 28]
}

function listVgg16(list: WeightList, prefix: string, features: number, blocks: Blocks = VGG16_BLOCKS): void {
  let inputs = 3;
  blocks.forEach(({ convolutions, channels }, at) => {
    for (let layer = 1; layer <= convolutions; layer++) {
      list.conv(`${prefix}.conv${at + 1}_${layer}`, channels, inputs, 3);
      inputs = channels;
    }
  });
  for (const { name, block } of SKIPS) {
    list.conv(`${prefix}.skip.${name}`, features, blocks[block - 1]!.channels, 3);
  }
  list.conv(`${prefix}.fuse`, features, SKIPS.length * features, 3);
}
