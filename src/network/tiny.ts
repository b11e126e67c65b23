/**
 * `tiny`: the plan of `mobile` with a handful of channels, for tests that run in milliseconds. Four plain convolutions
 * stand in for a trained backbone. It uses every operation that the larger networks use, so that engines can be
 * compared on it.
 */
import { GRID_SIZE } from "../geometry/grid.js";
import { lightNetwork } from "./decoder.js";
import type { ArchitectureOf, PolygonRnn } from "./polygon-rnn.js";
import type { RefineInputs, RefineWidths } from "./refine.js";
import { listRefine, refineMask } from "./refine.js";
import type { TensorOps } from "./tensor-ops.js";

type TinyOptions = ArchitectureOf<"tiny"> & {
  /** Channels of the convolutions at 1/2, 1/4, 1/8 and 1/16 of the input. */
  readonly encoder: readonly [number, number, number, number];
  /** Channels between features and maps. */
  readonly mapsHidden: number;
  readonly refineWidths: RefineWidths;
};

export function tiny(options: TinyOptions): PolygonRnn {
  return lightNetwork(options, {
    encode(ops, x) {
      const { c2, c4, features } = tinyFeatures(ops, x);
      return options.refine === true ? { features, fineMask: refineMask(ops, { features, c4, c2 }) } : { features };
    },
    listWeights(list) {
      const [c2, c4, c8, c16] = options.encoder;
      list.conv("encoder.conv_2", c2, 3, 3).conv("encoder.conv_4", c4, c2, 3).conv("encoder.conv_8", c8, c4, 3);
      list.conv("encoder.conv_16", c16, 1, 3).conv("fuse.0", options.features, c8 + c16, 3);
      if (options.refine === true) {
        listRefine(list, { features: options.features, c4, c2 }, options.refineWidths);
      }
    },
  });
}

/** @param x [B, 3, 224, 224] */
function tinyFeatures<T>(ops: TensorOps<T>, x: T): RefineInputs<T> {
  const c2 = ops.relu6(ops.conv2d(x, "encoder.conv_2", { stride: 2, padding: "right-bottom" })); // [B, 4, 112, 112]
  const c4 = ops.relu(ops.conv2d(c2, "encoder.conv_4", { stride: 2 })); // [B, 6, 56, 56]
  const c8 = ops.relu(ops.conv2d(c4, "encoder.conv_8", { stride: 2 })); // [B, 8, 28, 28]
  const c16 = ops.relu6(ops.conv2d(ops.maxPool(c8, 2), "encoder.conv_16", { depthwise: true })); // [B, 8, 14, 14]
  const joined = ops.concatChannels([c8, ops.resizeBilinear(c16, GRID_SIZE)]); // [B, 16, 28, 28]
  return { c2, c4, features: ops.relu(ops.conv2d(joined, "fuse.0")) };
}
