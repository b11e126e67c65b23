/** The scores of network/vertex-score.ts as graph nodes, for graphs that choose the next vertex themselves. */
import { CELL_COUNT, CLASS_COUNT, GRID_SIZE } from "../geometry/grid.js";
import { vertexScoreKernel } from "../network/vertex-score.js";
import type { GraphValue, OnnxGraphOps } from "./onnx-ops.js";
import { intAttribute, intsAttribute } from "./onnx-proto.js";

/** @param logits [B, 785] @returns scores [B, 785]; the largest, the first of equals, is the class to take */
export function appendVertexScores(ops: OnnxGraphOps, logits: GraphValue): GraphValue {
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
