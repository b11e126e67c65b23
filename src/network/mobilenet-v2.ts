/**
 * MobileNetV2 1.0 as a trunk, batch normalization folded into the convolutions.
 * Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018 (arXiv:1801.04381), table 2.
 */
import type { TensorOps } from "./tensor-ops.js";
import type { WeightList } from "./weight-shapes.js";

/** Blocks 1 to 16: [output channels, stride]; block 0 has no expansion and gives 16 channels. */
const BLOCKS: readonly (readonly [channels: number, stride: 1 | 2])[] = [
  [24, 2],
  [24, 1],
  [32, 2],
  [32, 1],
  [32, 1],
  [64, 2],
  [64, 1],
  [64, 1],
  [64, 1],
  [96, 1],
  [96, 1],
  [96, 1],
  [160, 2],
  [160, 1],
  [160, 1],
  [320, 1],
];
const STEM_CHANNELS = 32;
const BLOCK_0_CHANNELS = 16;
const EXPANSION = 6;

/** Channels of the four taps, at 1/4, 1/8, 1/16 and 1/32 of the input. */
export const MOBILENET_TAPS = { c4: 24, c8: 32, c16: 96, c32: 320 } as const;

export interface MobileNetTaps<T> {
  readonly c4: T;
  readonly c8: T;
  readonly c16: T;
  readonly c32: T;
}

/** @param x [B, 3, 224, 224], RGB, value / 127.5 - 1 @returns the outputs of blocks 2, 5, 12 and 16 */
export function mobileNetV2<T>(ops: TensorOps<T>, x: T): MobileNetTaps<T> {
  x = ops.relu6(ops.conv2d(x, "encoder.stem", { stride: 2, padding: "right-bottom" })); // [B, 32, 112, 112]
  x = ops.relu6(ops.conv2d(x, "encoder.block_0.depthwise", { depthwise: true }));
  x = ops.conv2d(x, "encoder.block_0.project"); // [B, 16, 112, 112]
  const outputs: T[] = [x];
  let inputs = BLOCK_0_CHANNELS;
  BLOCKS.forEach(([channels, stride], at) => {
    const y = invertedResidual(ops, x, `encoder.block_${at + 1}`, stride);
    x = stride === 1 && channels === inputs ? ops.add(x, y) : y;
    inputs = channels;
    outputs.push(x);
  });
  // 24 x 56 x 56, 32 x 28 x 28, 96 x 14 x 14, 320 x 7 x 7
  return { c4: outputs[2]!, c8: outputs[5]!, c16: outputs[12]!, c32: outputs[16]! };
}

function invertedResidual<T>(ops: TensorOps<T>, x: T, name: string, stride: 1 | 2): T {
  x = ops.relu6(ops.conv2d(x, `${name}.expand`));
  x = ops.relu6(
    ops.conv2d(x, `${name}.depthwise`, { depthwise: true, stride, padding: stride === 2 ? "right-bottom" : "same" }),
  );
  return ops.conv2d(x, `${name}.project`);
}

export function listMobileNetV2(list: WeightList): void {
  list.conv("encoder.stem", STEM_CHANNELS, 3, 3);
  list
    .conv("encoder.block_0.depthwise", STEM_CHANNELS, 1, 3)
    .conv("encoder.block_0.project", BLOCK_0_CHANNELS, STEM_CHANNELS, 1);
  let inputs = BLOCK_0_CHANNELS;
  BLOCKS.forEach(([channels], at) => {
    const wide = EXPANSION * inputs;
    list.conv(`encoder.block_${at + 1}.expand`, wide, inputs, 1);
    list.conv(`encoder.block_${at + 1}.depthwise`, wide, 1, 3);
    list.conv(`encoder.block_${at + 1}.project`, channels, wide, 1);
    inputs = channels;
  });
}
