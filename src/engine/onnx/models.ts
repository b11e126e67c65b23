/**
 * A Polygon-RNN as ONNX models, built in memory from its weights. B and N are rows, C1 and C2 the widths of the layers.
 * hoisted is [B, G, 28, 28], 4 * C1 of an LSTM; h and c are [B, C, 28, 28]; all of them float.
 *
 *     encoder  pixels [B, 224, 224, 3] uint8  -> vertex, mask, edge [B, 1, 28, 28], hoisted, features [B, F, 28, 28],
 *                                                fineMask [B, 1, 112, 112]
 *     step     hoisted, h1, c1, h2, c2,
 *              first, previous, before_previous [B] int32
 *                                             -> logits [B, 785], next_h1, next_c1, next_h2, next_c2
 *     steps    the same                       -> chosen_0 .. chosen_k-1 [B] int32, logits_0 .. logits_k-1 [B, 785],
 *                                                next_h1, next_c1, next_h2, next_c2
 *     select   rows [N] int32, hoisted, h1, c1, h2, c2
 *                                             -> taken_hoisted, taken_h1, taken_c1, taken_h2, taken_c2, [N, ...] each
 *     join     hoisted, more_hoisted          -> joined_hoisted, the rows of both
 *     loop     pixels [B, 224, 224, 3] uint8, max_steps [] int64
 *                                             -> cells [B, steps + 1] int32
 *
 * With steps, select and join a device keeps the state: only vertices go in, logits and choices come out. The steps are
 * written out one after the other: a Loop would bring its state back to the host at every turn. The loop model is for
 * export: the file alone predicts polygons.
 */
import { CELL_COUNT, CLASS_COUNT, CROP_SIZE, EOS, GRID_SIZE } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { DecoderState, PolygonRnn, StateWidths } from "../../network/polygon-rnn.js";
import { vertexScoreKernel } from "../../network/vertex-score.js";
import type { Engine } from "../engine.js";
import type { PLANES } from "./decoding.js";
import type { OnnxEngineOptions, OnnxModelsToMake } from "./engine.js";
import { KEEPS_TENSORS, openOnnxModels, STEPS_AT_ONCE } from "./engine.js";
import type { GraphOptions, GraphValue } from "./graph-ops.js";
import { OnnxGraphOps } from "./graph-ops.js";
import { DATA_TYPE, encodeOnnxModel, graphAttribute, intAttribute, intsAttribute } from "./proto.js";

type Weighted = Pick<WeightedNetwork, "network" | "weights">;

export function openOnnxEngine(model: WeightedNetwork, options: OnnxEngineOptions): Promise<Engine> {
  return openOnnxModels(model.network.widths, onnxModelsFor(model, options), options);
}

/** What an engine on the device is opened with. */
export function onnxModelsFor(
  model: WeightedNetwork,
  { device, stepsAtOnce = STEPS_AT_ONCE[device] }: Pick<OnnxEngineOptions, "device" | "stepsAtOnce">,
): OnnxModelsToMake {
  const { network } = model;
  const graphOptions = { padConvInputs: device === "webgpu" };
  return {
    encoder: () => buildEncoderModel(model, "decoding", graphOptions),
    step: () => buildStepModel(model, graphOptions),
    ...(stepsAtOnce > 1 && { steps: () => buildStepsModel(model, stepsAtOnce, graphOptions) }),
    ...(KEEPS_TENSORS[device] && { select: () => buildSelectModel(network), join: () => buildJoinModel(network) }),
  };
}

/** `all` adds the edge logits and the features to what decoding needs: for looking inside and for exported models. */
export type EncoderOutputs = "decoding" | "all";

export function buildEncoderModel(
  { network, weights, normalization }: WeightedNetwork,
  outputs: EncoderOutputs,
  options: GraphOptions = {},
): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_encoder", weights, options);
  const encoded = network.encode(ops, ops.input("pixels", "uint8", [CROP_SIZE, CROP_SIZE, 3]), normalization);
  ops.output(encoded.vertex, "vertex");
  ops.output(encoded.hoisted, "hoisted");
  if (encoded.mask !== undefined) ops.output(encoded.mask, "mask");
  if (encoded.fineMask !== undefined) ops.output(encoded.fineMask, "fineMask");
  if (outputs === "all") {
    ops.output(encoded.edge, "edge");
    ops.output(encoded.features, "features");
  }
  return encodeOnnxModel(ops.build());
}

export function buildStepModel({ network, weights }: Weighted, options: GraphOptions = {}): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_step", weights, options);
  const { hoisted, state } = planeInputs(ops, network);
  const vertices = {
    first: ops.input("first", "int32", []),
    previous: ops.input("previous", "int32", []),
    beforePrevious: ops.input("before_previous", "int32", []),
  };
  const next = network.step(ops, hoisted, vertices, state);
  ops.output(next.logits, "logits");
  stateOutputs(ops, next.state);
  return encodeOnnxModel(ops.build());
}

/** @param count steps, at least 1 */
export function buildStepsModel({ network, weights }: Weighted, count: number, options: GraphOptions = {}): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_steps", weights, options);
  const { hoisted, state: before } = planeInputs(ops, network);
  let state = before;
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
  stateOutputs(ops, state);
  return encodeOnnxModel(ops.build());
}

export function buildSelectModel(network: PolygonRnn): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_select", new Map());
  const rows = ops.inputOf("rows", "int32", ["rows"]);
  const { hoisted, state } = planeInputs(ops, network);
  for (const plane of [hoisted, ...state.flatMap(({ h, c }) => [h, c])]) {
    const taken = ops.node("Gather", [plane.name, rows.name], plane.shape, [intAttribute("axis", 0)]);
    ops.outputOf(taken, `taken_${plane.name}`, "float", ["rows", ...plane.shape]);
  }
  return encodeOnnxModel(ops.build());
}

export function buildJoinModel({ hoistedChannels }: PolygonRnn): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn_join", new Map());
  const shape = [hoistedChannels, GRID_SIZE, GRID_SIZE];
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

function planeInputs(
  ops: OnnxGraphOps,
  { widths, hoistedChannels }: PolygonRnn,
): { readonly hoisted: GraphValue; readonly state: DecoderState<GraphValue> } {
  return { hoisted: planeInput(ops, "hoisted", hoistedChannels), state: stateInputs(ops, widths) };
}

function stateInputs(ops: OnnxGraphOps, [one, two]: StateWidths): DecoderState<GraphValue> {
  return [
    { h: planeInput(ops, "h1", one), c: planeInput(ops, "c1", one) },
    { h: planeInput(ops, "h2", two), c: planeInput(ops, "c2", two) },
  ];
}

function planeInput(ops: OnnxGraphOps, name: (typeof PLANES)[number], channels: number): GraphValue {
  return ops.input(name, "float", [channels, GRID_SIZE, GRID_SIZE]);
}

function stateOutputs(ops: OnnxGraphOps, state: DecoderState<GraphValue>): void {
  state.forEach((cell, layer) => {
    ops.output(cell.h, `next_h${layer + 1}`);
    ops.output(cell.c, `next_c${layer + 1}`);
  });
}

/**
 * Index of the largest score of each row, the first of equals. [B, 785] -> [B] int32
 *
 * In floats, which every device has: ArgMax gives 64-bit integers, which WebGPU lacks, so that each step would wait for
 * the host. Class numbers are exact in a float.
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

/**
 * Prediction mode as one model, the loop inside. `cells` holds the first vertex, then one cell index per step, 784
 * (end-of-sequence) from where a row has ended. The loop stops when every row has, or after max_steps; no row leaves
 * the batch on the way.
 */
export function buildLoopModel({ network, weights, normalization }: WeightedNetwork): Uint8Array {
  const ops = new OnnxGraphOps("polyrnn", weights);
  const encoded = network.encode(ops, ops.input("pixels", "uint8", [CROP_SIZE, CROP_SIZE, 3]), normalization);
  const maxSteps = ops.inputOf("max_steps", "int64", []);
  const first = bestIndex(ops, ops.flatten(encoded.vertex)); // [B]
  const [noVertex, notDone] = sameForEveryRow(ops, first);
  const zeros = zeroState(ops, network, encoded.hoisted);
  const carried = [first, noVertex, notDone, ...zeros];
  const body = loopBody({ network, weights }, ops, encoded.hoisted, first);
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

/** One step: decoder, choice of a class, and whether any row goes on. */
function loopBody(
  { network, weights }: Weighted,
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
  const state = stateInputs(body, network.widths);

  const next = network.step(body, hoisted, { first, previous, beforePrevious }, state);
  const eos = body.constant("eos", [], Int32Array.of(EOS));
  const chosen = body.node("Where", [done.name, eos, bestIndex(body, appendVertexScores(body, next.logits)).name], []);
  const nowDone = body.node("Or", [done.name, body.node("Equal", [chosen.name, eos], []).name], []);
  const asNumbers = body.node("Cast", [nowDone.name], [], [intAttribute("to", DATA_TYPE.int32)]);
  // 1 when every row has ended
  const allDone = body.node("ReduceMin", [asNumbers.name], [], [intAttribute("keepdims", 0)]);
  const going = body.node(
    "Not",
    [body.node("Cast", [allDone.name], [], [intAttribute("to", DATA_TYPE.bool)]).name],
    [],
  );

  body.outputOf(going, "next_keep_going", "bool", []);
  body.outputOf(chosen, "next_previous", "int32", ["batch"]);
  body.outputOf(previous, "next_before_previous", "int32", ["batch"]);
  body.outputOf(nowDone, "next_done", "bool", ["batch"]);
  stateOutputs(body, next.state);
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

/**
 * The scores of network/vertex-score.ts as graph nodes, for graphs that choose the next vertex themselves.
 * @param logits [B, 785] @returns scores [B, 785]; the largest, the first of equals, is the class to take
 */
function appendVertexScores(ops: OnnxGraphOps, logits: GraphValue): GraphValue {
  const largest = ops.node("ReduceMax", [logits.name], [1], [intsAttribute("axes", [1]), intAttribute("keepdims", 1)]);
  const masses = ops.node("Exp", [ops.node("Sub", [logits.name, largest.name], [CLASS_COUNT]).name], [CLASS_COUNT]);
  const index = (value: number): string => ops.constant(`class_${value}`, [1], BigInt64Array.of(BigInt(value)));
  const range = (from: number, to: number): GraphValue =>
    ops.node("Slice", [masses.name, index(from), index(to), index(1)], [to - from]);
  const onGrid = ops.constant("grid_shape", [4], BigInt64Array.of(-1n, 1n, BigInt(GRID_SIZE), BigInt(GRID_SIZE)));
  const grid = ops.node("Reshape", [range(0, CELL_COUNT).name, onGrid], [1, GRID_SIZE, GRID_SIZE]);
  const kernel = ops.constant("vertex_score_kernel", [1, 1, 3, 3], vertexScoreKernel());
  const around = ops.node("Conv", [grid.name, kernel], grid.shape, [
    intsAttribute("kernel_shape", [3, 3]),
    intsAttribute("pads", [1, 1, 1, 1]),
  ]);
  return ops.node(
    "Concat",
    [ops.flatten(around).name, range(CELL_COUNT, CLASS_COUNT).name],
    [CLASS_COUNT],
    [intAttribute("axis", 1)],
  );
}
