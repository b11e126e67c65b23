/**
 * `mobile`: a Polygon-RNN that is quick on a CPU. MobileNetV2 1.0 takes the place of VGG-16, batch normalization folded
 * into its convolutions; its taps at 1/4, 1/8, 1/16 and 1/32 of the input are fused at 28 x 28. The light decoder does
 * the rest (network/decoder.ts).
 *
 * Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018 (arXiv:1801.04381), table
 * 2.
 */
import { GRID_SIZE } from "../geometry/grid.js";
import { lightNetwork } from "./decoder.js";
import type { ArchitectureOf, PolygonRnn } from "./polygon-rnn.js";
import type { RefineWidths } from "./refine.js";
import { listRefine, refineMask } from "./refine.js";
import type { TensorOps } from "./tensor-ops.js";
import type { WeightList } from "./weights.js";

type MobileOptions = ArchitectureOf<"mobile"> & {
  /** Channels between features and maps. */
  readonly mapsHidden: number;
  readonly refineWidths: RefineWidths;
};

export function mobile(options: MobileOptions): PolygonRnn {
  return lightNetwork(options, {
    encode(ops, x) {
      const taps = mobileNetV2(ops, x);
      const features = fuseTaps(ops, taps);
      return options.refine === true ? { features, fineMask: refineMask(ops, { ...taps, features }) } : { features };
    },
    listWeights(list) {
      listMobileNetV2(list);
      listFusion(list, options);
      if (options.refine === true) {
        const { features, refineWidths } = options;
        listRefine(list, { features, c4: TAP_CHANNELS.c4, c2: TAP_CHANNELS.c2 }, refineWidths);
      }
    },
  });
}

/** @returns features [B, F, 28, 28] */
function fuseTaps<T>(ops: TensorOps<T>, taps: MobileNetTaps<T>): T {
  const skips = ops.relu(
    ops.concatChannels([
      ops.conv2d(taps.c4, "skip.c4", { stride: 2 }), // 56 -> 28
      ops.conv2d(taps.c8, "skip.c8"),
      ops.resizeBilinear(ops.conv2d(taps.c16, "skip.c16"), GRID_SIZE), // 14 -> 28
      ops.resizeBilinear(ops.conv2d(taps.c32, "skip.c32"), GRID_SIZE), // 7 -> 28
    ]),
  ); // [B, 4 * S, 28, 28]
  return ops.relu(ops.conv2d(ops.relu(ops.conv2d(skips, "fuse.0")), "fuse.1"));
}

function listFusion(list: WeightList, { skip, features }: MobileOptions): void {
  list.conv("skip.c4", skip, TAP_CHANNELS.c4, 3).conv("skip.c8", skip, TAP_CHANNELS.c8, 3);
  list.conv("skip.c16", skip, TAP_CHANNELS.c16, 1).conv("skip.c32", skip, TAP_CHANNELS.c32, 1);
  list.conv("fuse.0", features, 4 * skip, 3).conv("fuse.1", features, features, 3);
}

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

/** Outputs of blocks 0, 2, 5, 12 and 16, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input. */
const TAP_CHANNELS = { c2: BLOCK_0_CHANNELS, c4: 24, c8: 32, c16: 96, c32: 320 } as const;

interface MobileNetTaps<T> {
  readonly c2: T;
  readonly c4: T;
  readonly c8: T;
  readonly c16: T;
  readonly c32: T;
}

/** @param x [B, 3, 224, 224], RGB, value / 127.5 - 1 @returns the five taps */
function mobileNetV2<T>(ops: TensorOps<T>, x: T): MobileNetTaps<T> {
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
  // 16 x 112 x 112, 24 x 56 x 56, 32 x 28 x 28, 96 x 14 x 14, 320 x 7 x 7
  return { c2: outputs[0]!, c4: outputs[2]!, c8: outputs[5]!, c16: outputs[12]!, c32: outputs[16]! };
}

function invertedResidual<T>(ops: TensorOps<T>, x: T, name: string, stride: 1 | 2): T {
  x = ops.relu6(ops.conv2d(x, `${name}.expand`));
  x = ops.relu6(
    ops.conv2d(x, `${name}.depthwise`, { depthwise: true, stride, padding: stride === 2 ? "right-bottom" : "same" }),
  );
  return ops.conv2d(x, `${name}.project`);
}

function listMobileNetV2(list: WeightList): void {
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
