/**
 * Prediction mode as one ONNX model: the loop to end-of-sequence runs inside the graph, so that the file alone draws polygons.
 *
 *     pixels [B, 224, 224, 3] uint8 RGB, max_steps [] int64 -> cells [B, steps + 1] int32
 *
 * `cells` holds the first vertex, then one cell index per step, 784 (end-of-sequence) from where a row has ended. The loop stops when
 * every row has, or after max_steps. No row leaves the batch on the way: that is what the program's own decode loop is for.
 */
import { CROP_SIZE, EOS, GRID_SIZE } from "../geometry/grid.js";
import type { DecoderState, PolygonRnn } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import { type GraphValue, OnnxGraphOps, type WeightMap } from "./onnx-ops.js";
import { appendVertexScores } from "./onnx-vertex-scores.js";
import { DATA_TYPE, encodeOnnxModel, graphAttribute, intAttribute, intsAttribute } from "./onnx-proto.js";

export function buildLoopModel(network: PolygonRnn, weights: WeightMap, normalization: Normalization): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn", weights);
  const encoded = network.encode(ops, ops.input("pixels", "uint8", [CROP_SIZE, CROP_SIZE, 3]), normalization);
  const maxSteps = ops.inputOf("max_steps", "int64", []);
  const first = bestIndex(ops, ops.flatten(encoded.vertex)); // [B]
  const [noVertex, notDone] = sameForEveryRow(ops, first);
  const zeros = zeroState(ops, network, encoded.hoisted);
  const carried = [first, noVertex, notDone, ...zeros];
  const body = loopBody(network, weights, ops, encoded.hoisted, first);
  const one = ops.constant("int32_one", [], Int32Array.of(1));
  const keepGoing = ops.node("Cast", [one], [], [intAttribute("to", DATA_TYPE.bool)]);
  const inputs = [maxSteps.name, keepGoing.name, ...carried.map(({ name }) => name)];
  const outputs = ops.nodeWithOutputs("Loop", inputs, carried.length + 1, [graphAttribute("body", body)]);
  const steps = outputs.at(-1)!; // [steps, B]
  const firstRow = ops.node("Unsqueeze", [first.name, ops.constant("axis_0", [1], BigInt64Array.of(0n))], []);
  const all = ops.node("Concat", [firstRow.name, steps], [], [intAttribute("axis", 0)]);
  ops.outputOf(ops.node("Transpose", [all.name], [], [intsAttribute("perm", [1, 0])]), "cells", "int32", [
    "batch",
    "vertices",
  ]);
  return encodeOnnxModel(ops.build());
}

/** One step: decoder, choice of a class, and whether any row still draws. */
function loopBody(
  network: PolygonRnn,
  weights: WeightMap,
  outer: OnnxGraphOps,
  hoisted: GraphValue,
  first: GraphValue,
): ReturnType<OnnxGraphOps["build"]> {
  const body = new OnnxGraphOps("body", weights, {}, outer);
  body.inputOf("iteration", "int64", []);
  body.inputOf("keep_going", "bool", []);
  const previous = body.inputOf("previous", "int32", ["batch"]);
  const beforePrevious = body.inputOf("before_previous", "int32", ["batch"]);
  const done = body.inputOf("done", "bool", ["batch"]);
  const [c1, c2] = network.widths;
  const plane = (name: string, channels: number): GraphValue =>
    body.input(name, "float", [channels, GRID_SIZE, GRID_SIZE]);
  const state: DecoderState<GraphValue> = [
    { h: plane("h1", c1), c: plane("c1", c1) },
    { h: plane("h2", c2), c: plane("c2", c2) },
  ];

  const next = network.step(body, hoisted, { first, previous, beforePrevious }, state);
  const eos = body.constant("eos", [], Int32Array.of(EOS));
  const chosen = body.node("Where", [done.name, eos, bestIndex(body, appendVertexScores(body, next.logits)).name], []);
  const nowDone = body.node("Or", [done.name, body.node("Equal", [chosen.name, eos], []).name], []);
  const asNumbers = body.node("Cast", [nowDone.name], [], [intAttribute("to", DATA_TYPE.int32)]);
  const allDone = body.node("ReduceMin", [asNumbers.name], [], [intAttribute("keepdims", 0)]); // 1 when every row has ended
  const going = body.node(
    "Not",
    [body.node("Cast", [allDone.name], [], [intAttribute("to", DATA_TYPE.bool)]).name],
    [],
  );

  body.outputOf(going, "next_keep_going", "bool", []);
  body.outputOf(chosen, "next_previous", "int32", ["batch"]);
  body.outputOf(previous, "next_before_previous", "int32", ["batch"]);
  body.outputOf(nowDone, "next_done", "bool", ["batch"]);
  next.state.forEach((cell, layer) => {
    body.output(cell.h, `next_h${layer + 1}`);
    body.output(cell.c, `next_c${layer + 1}`);
  });
  body.outputOf(chosen, "chosen", "int32", ["batch"]); // collected over the steps
  return body.build();
}

/** Index of the largest value of each row, the first of equals. [B, N] -> [B] int32 */
function bestIndex(ops: OnnxGraphOps, rows: GraphValue): GraphValue {
  const best = ops.node("ArgMax", [rows.name], [], [intAttribute("axis", 1), intAttribute("keepdims", 0)]);
  return ops.node("Cast", [best.name], [], [intAttribute("to", DATA_TYPE.int32)]);
}

/** y(t-2) of the first step (no vertex) and "not ended", for as many rows as `like` has. */
function sameForEveryRow(ops: OnnxGraphOps, like: GraphValue): [GraphValue, GraphValue] {
  const zero = ops.node("Sub", [like.name, like.name], []);
  const noVertex = ops.node("Add", [zero.name, ops.constant("eos", [], Int32Array.of(EOS))], []);
  return [noVertex, ops.node("Cast", [zero.name], [], [intAttribute("to", DATA_TYPE.bool)])];
}

/** h and c of both layers before the first step, [B, C, 28, 28] zeros. */
function zeroState(ops: OnnxGraphOps, network: PolygonRnn, hoisted: GraphValue): GraphValue[] {
  const shape = ops.node("Shape", [hoisted.name], []);
  const batch = ops.node(
    "Slice",
    [shape.name, ops.constant("axis_0", [1], BigInt64Array.of(0n)), ops.constant("one", [1], BigInt64Array.of(1n))],
    [],
  );
  return network.widths.flatMap((channels) => {
    const plane = ops.constant(
      `plane_of_${channels}`,
      [3],
      BigInt64Array.of(BigInt(channels), BigInt(GRID_SIZE), BigInt(GRID_SIZE)),
    );
    const size = ops.node("Concat", [batch.name, plane], [], [intAttribute("axis", 0)]);
    const zeros = ops.node("ConstantOfShape", [size.name], [channels, GRID_SIZE, GRID_SIZE]);
    return [zeros, zeros];
  });
}
