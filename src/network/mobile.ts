/**
 * `mobile`: a Polygon-RNN that is quick on a CPU. MobileNetV2 taps at 1/4, 1/8, 1/16 and 1/32, fused at 28 x 28, take the place of
 * VGG-16; the rest follows the paper's plan with the light decoder (see light-decoder.ts for what differs).
 */
import { GRID_SIZE } from "../geometry/grid.js";
import { type ArchitectureOptions, type PolygonRnn, withStep } from "./polygon-rnn.js";
import { encodeMaps, lightAdvance, lightHead, listLightDecoder } from "./light-decoder.js";
import { MOBILENET_TAPS, listMobileNetV2, mobileNetV2 } from "./mobilenet-v2.js";
import type { TensorOps } from "./tensor-ops.js";
import { relativeTable } from "./vertex-table.js";
import { WeightList } from "./weight-shapes.js";

type MobileOptions = Extract<ArchitectureOptions, { name: "mobile" }>;

/** Channels between features and maps. */
const MAPS_HIDDEN = 32;

export function mobile(options: MobileOptions): PolygonRnn {
  const table = relativeTable();
  return withStep({
    widths: options.widths,
    weightShapes: listWeights(options).shapes,
    vertexTable: table,
    encode: (ops, pixels, normalization) => encodeMaps(ops, fuseTaps(ops, ops.normalize(pixels, normalization))),
    advance: (ops, hoisted, vertices, state) => lightAdvance(ops, table, hoisted, vertices, state, options.peepholes),
    head: lightHead,
  });
}

/** @param x [B, 3, 224, 224] @returns features [B, F, 28, 28] */
function fuseTaps<T>(ops: TensorOps<T>, x: T): T {
  const taps = mobileNetV2(ops, x);
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

function listWeights(options: MobileOptions): WeightList {
  const list = new WeightList();
  listMobileNetV2(list);
  list.conv("skip.c4", options.skip, MOBILENET_TAPS.c4, 3).conv("skip.c8", options.skip, MOBILENET_TAPS.c8, 3);
  list.conv("skip.c16", options.skip, MOBILENET_TAPS.c16, 1).conv("skip.c32", options.skip, MOBILENET_TAPS.c32, 1);
  list.conv("fuse.0", options.features, 4 * options.skip, 3).conv("fuse.1", options.features, options.features, 3);
  listLightDecoder(list, relativeTable(), { ...options, mapsHidden: MAPS_HIDDEN });
  return list;
}
