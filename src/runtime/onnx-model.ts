/**
 * A Polygon-RNN as two ONNX models, built in memory from its weights: one for the image side, one for a decoder step.
 *
 *     encoder  pixels [B, 224, 224, 3] uint8            -> vertex, mask, edge [B, 1, 28, 28], hoisted [B, 4 * C1, 28, 28], features
 *     step     hoisted, h1, c1, h2, c2 float,
 *              first, previous, before_previous [B] int32 -> logits [B, 785], next_h1, next_c1, next_h2, next_c2
 */
import { CROP_SIZE, GRID_SIZE } from "../geometry/grid.js";
import type { DecoderState, PolygonRnn } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import { type GraphOptions, type GraphValue, OnnxGraphOps, type WeightMap } from "./onnx-ops.js";
import { encodeOnnxModel } from "./onnx-proto.js";

/** `all` adds the edge logits and the features to what decoding needs: for looking inside and for exported models. */
export type EncoderOutputs = "decoding" | "all";

export function buildEncoderModel(
  network: PolygonRnn,
  weights: WeightMap,
  normalization: Normalization,
  outputs: EncoderOutputs,
  options: GraphOptions = {},
): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_encoder", weights, options);
  const encoded = network.encode(ops, ops.input("pixels", "uint8", [CROP_SIZE, CROP_SIZE, 3]), normalization);
  ops.output(encoded.vertex, "vertex");
  ops.output(encoded.hoisted, "hoisted");
  if (encoded.mask !== undefined) ops.output(encoded.mask, "mask");
  if (outputs === "all") {
    ops.output(encoded.edge, "edge");
    ops.output(encoded.features, "features");
  }
  return encodeOnnxModel(ops.build());
}

export function buildStepModel(network: PolygonRnn, weights: WeightMap, options: GraphOptions = {}): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_step", weights, options);
  const plane = (name: string, channels: number): GraphValue =>
    ops.input(name, "float", [channels, GRID_SIZE, GRID_SIZE]);
  const [c1, c2] = network.widths;
  const hoisted = plane("hoisted", 4 * c1);
  const state: DecoderState<GraphValue> = [
    { h: plane("h1", c1), c: plane("c1", c1) },
    { h: plane("h2", c2), c: plane("c2", c2) },
  ];
  const vertices = {
    first: ops.input("first", "int32", []),
    previous: ops.input("previous", "int32", []),
    beforePrevious: ops.input("before_previous", "int32", []),
  };
  const next = network.step(ops, hoisted, vertices, state);
  ops.output(next.logits, "logits");
  next.state.forEach((cell, layer) => {
    ops.output(cell.h, `next_h${layer + 1}`);
    ops.output(cell.c, `next_c${layer + 1}`);
  });
  return encodeOnnxModel(ops.build());
}
