/**
 * Several decoder steps as one ONNX model, the choice of a vertex between them inside, and the models that take rows out of a batch and
 * join what was encoded in pieces. With these a device keeps the state: only vertices go in, logits and choices come out.
 *
 *     steps    hoisted, h1, c1, h2, c2 float,
 *              first, previous, before_previous [B] int32 -> chosen_0 .. chosen_k-1 [B] int32, logits_0 .. logits_k-1 [B, 785],
 *                                                            next_h1, next_c1, next_h2, next_c2
 *     select   rows [N] int32, hoisted, h1, c1, h2, c2    -> taken_hoisted, taken_h1, taken_c1, taken_h2, taken_c2, [N, ...] each
 *     join     hoisted, more_hoisted                      -> joined_hoisted, the rows of both
 *
 * The steps are written out one after the other: a Loop (onnx-loop-model.ts) brings its state back to the host at every turn, because
 * its condition lives there.
 */
import { CLASS_COUNT, GRID_SIZE } from "../geometry/grid.js";
import type { DecoderState, PolygonRnn } from "../network/polygon-rnn.js";
import { type GraphOptions, type GraphValue, OnnxGraphOps, type WeightMap } from "./onnx-ops.js";
import { appendVertexScores } from "./onnx-vertex-scores.js";
import { DATA_TYPE, encodeOnnxModel, intAttribute, intsAttribute } from "./onnx-proto.js";

/** What a decoding holds for each of its rows, by graph input name. */
export const PLANES = ["hoisted", "h1", "c1", "h2", "c2"] as const;

/** @param count steps, at least 1 */
export function buildStepsModel(
  network: PolygonRnn,
  weights: WeightMap,
  count: number,
  options: GraphOptions = {},
): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_steps", weights, options);
  const [hoisted, h1, c1, h2, c2] = planeInputs(ops, network);
  let state: DecoderState<GraphValue> = [
    { h: h1, c: c1 },
    { h: h2, c: c2 },
  ];
  const first = ops.input("first", "int32", []);
  let previous = ops.input("previous", "int32", []);
  let beforePrevious = ops.input("before_previous", "int32", []);
  for (let step = 0; step < count; step++) {
    const next = network.step(ops, hoisted, { first, previous, beforePrevious }, state);
    state = next.state;
    [previous, beforePrevious] = [firstLargest(ops, appendVertexScores(ops, next.logits)), previous];
    ops.output(next.logits, `logits_${step}`);
    ops.outputOf(previous, `chosen_${step}`, "int32", ["batch"]);
  }
  state.forEach((cell, layer) => {
    ops.output(cell.h, `next_h${layer + 1}`);
    ops.output(cell.c, `next_c${layer + 1}`);
  });
  return encodeOnnxModel(ops.build());
}

export function buildSelectModel(network: PolygonRnn): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_select", new Map());
  const rows = ops.inputOf("rows", "int32", ["rows"]);
  for (const plane of planeInputs(ops, network)) {
    const taken = ops.node("Gather", [plane.name, rows.name], plane.shape, [intAttribute("axis", 0)]);
    ops.outputOf(taken, `taken_${plane.name}`, "float", ["rows", ...plane.shape]);
  }
  return encodeOnnxModel(ops.build());
}

export function buildJoinModel({ widths: [one] }: PolygonRnn): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_join", new Map());
  const shape = [4 * one, GRID_SIZE, GRID_SIZE];
  const [rows, more] = ["rows", "more_rows"] as const;
  const pieces = [
    ops.inputOf("hoisted", "float", [rows, ...shape], shape),
    ops.inputOf("more_hoisted", "float", [more, ...shape], shape),
  ];
  const joined = ops.node(
    "Concat",
    pieces.map(({ name }) => name),
    shape,
    [intAttribute("axis", 0)],
  );
  ops.outputOf(joined, "joined_hoisted", "float", ["all_rows", ...shape]);
  return encodeOnnxModel(ops.build());
}

type PlaneInputs = readonly [hoisted: GraphValue, h1: GraphValue, c1: GraphValue, h2: GraphValue, c2: GraphValue];

function planeInputs(ops: OnnxGraphOps, { widths: [one, two] }: PolygonRnn): PlaneInputs {
  const plane = (name: (typeof PLANES)[number], channels: number): GraphValue =>
    ops.input(name, "float", [channels, GRID_SIZE, GRID_SIZE]);
  return [plane("hoisted", 4 * one), plane("h1", one), plane("c1", one), plane("h2", two), plane("c2", two)];
}

/**
 * Index of the largest score of each row, the first of equals. [B, 785] -> [B] int32
 *
 * In floats, where every device computes: ArgMax gives 64-bit integers, which WebGPU has not, so that each step would wait for the
 * host. Class numbers are exact in a float.
 */
function firstLargest(ops: OnnxGraphOps, scores: GraphValue): GraphValue {
  const countdown = ops.constant(
    "countdown",
    [1, CLASS_COUNT],
    Float32Array.from({ length: CLASS_COUNT }, (_, index) => CLASS_COUNT - index),
  );
  const zero = ops.constant("countdown_zero", [], Float32Array.of(0));
  const classes = ops.constant("class_count", [], Float32Array.of(CLASS_COUNT));
  const largestOf = (value: GraphValue, keepDims: 0 | 1): GraphValue =>
    ops.node("ReduceMax", [value.name], [], [intsAttribute("axes", [1]), intAttribute("keepdims", keepDims)]);
  const isLargest = ops.node("Equal", [scores.name, largestOf(scores, 1).name], scores.shape); // [B, 785] bool
  const left = largestOf(ops.node("Where", [isLargest.name, countdown, zero], scores.shape), 0); // [B], 785 - index
  const index = ops.node("Sub", [classes, left.name], []);
  return ops.node("Cast", [index.name], [], [intAttribute("to", DATA_TYPE.int32)]);
}
