/**
 * VGG-16 without pool5 and the fully connected layers, with the four skips of Polygon-RNN.
 * Sources: Simonyan & Zisserman, ICLR 2015 (configuration D); Castrejon et al., CVPR 2017, figure of the encoder.
 */
import { GRID_SIZE } from "../geometry/grid.js";
import type { TensorOps } from "./tensor-ops.js";
import type { WeightList } from "./weight-shapes.js";

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
 * The paper brings every skip to 28 x 28 (max pooling or bilinear interpolation) and to 128 channels (3 x 3 convolution, ReLU), but
 * not in which order; here the size comes first, so that all four convolutions work on the grid.
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
