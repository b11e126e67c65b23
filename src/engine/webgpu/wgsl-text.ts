/** Pieces of WGSL that several kernels are written with, and how weights lie for them. */
import { EOS, GRID_SIZE } from "../../geometry/grid.js";
import type { Normalization } from "../../network/tensor-ops.js";
import type { PlanNode, Shape } from "./record.js";

/** Of a vector. */
export const LANES = 4;

/** Of a value at (b, c, y, x) in its buffer. */
export function indexOf({ shape: [channels, height, width] }: PlanNode): string {
  return `((b * ${channels}u + c) * ${height}u + y) * ${width}u + x`;
}

/** Element of a node's buffer. */
export function elementOf({ operation }: PlanNode, isHalf: boolean): string {
  if (isHalf) return "f16";
  if (operation.kind !== "input") return "f32";
  return { float: "f32", index: "i32", pixels: "u32", view: "i32" }[operation.type];
}

export function float(value: number): string {
  const text = String(Math.fround(value));
  return /[.e]/.test(text) ? text : `${text}.0`;
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

/**
 * OIHW -> [group][input][tap][lane]. A group is four channels, or the parts of one: lane p of group c is then channel
 * p * C + c. Lanes beyond the last channel are zero.
 */
export function packKernels(
  weights: Float32Array,
  {
    channels,
    inputs,
    taps,
    parts,
  }: { readonly channels: number; readonly inputs: number; readonly taps: number; readonly parts: number },
): Float32Array {
  const each = channels / parts;
  const groups = parts > 1 ? each : Math.ceil(channels / LANES);
  const packed = new Float32Array(groups * inputs * taps * LANES);
  for (let channel = 0; channel < channels; channel++) {
    const [group, lane] =
      parts > 1 ? [channel % each, Math.floor(channel / each)] : [Math.floor(channel / LANES), channel % LANES];
    for (let at = 0; at < inputs * taps; at++) {
      packed[(group * inputs * taps + at) * LANES + lane] = weights[channel * inputs * taps + at]!;
    }
  }
  return packed;
}

/** Statements that return a byte of a pixel, 0 to 255. @param bytes buffer of [B, H, W, 3], four bytes a word */
export function pixelText([, height, width]: Shape, bytes: string): string {
  return `let at = ((b * ${height}u + y) * ${width}u + x) * 3u + c;
  return f32((${bytes}[at / 4u] >> ((at % 4u) * 8u)) & 255u);`;
}

const isView = ({ operation }: PlanNode): boolean => operation.kind === "input" && operation.type === "view";

/** Of a kernel that reads views: the row that a thread sees, and all ones where that is flipped. */
export function viewVariables(reads: readonly PlanNode[]): string[] {
  return reads.some(isView) ? ["var<private> seen: u32; var<private> mirror: u32;"] : [];
}

/** Statements that set them, once per thread: for every pixel that it reads, it costs time (bench/README.md). */
export function lookText(reads: readonly PlanNode[]): string {
  const at = reads.findIndex(isView);
  return at < 0 ? "" : `let view = B${at}[b]; mirror = u32(view >> 31u); seen = u32(view) ^ mirror;`;
}

/** Statements that return what it sees there. @param valueAt of the pixels at "b, c, y, x" */
export function viewText(valueAt: (place: string) => string, [, , width]: Shape): string {
  // ~x + width is width - 1 - x.
  return `return ${valueAt(`seen, c, y, (x ^ mirror) + (${width}u & mirror)`)};`;
}

/** Statements that return a normalized value. @param valueAt byte of a pixel at "b, c, y, x" */
export function normalizeText(valueAt: (place: string) => string, normalization: Normalization): string {
  const { channelOrder, mean, std } = normalization;
  const channel = channelOrder === "RGB" ? "c" : "2u - c";
  const vector = (values: readonly number[]): string => `array<f32, 3>(${values.map(float).join(", ")})`;
  return `var means = ${vector(mean)}; var deviations = ${vector(std)};
  return (${valueAt(`b, ${channel}, y, x`)} - means[c]) / deviations[c];`;
}

/** Statements that return a value between four. @param valueAt its value at "b, c, y, x" */
export function resizeText(valueAt: (place: string) => string, [, height, width]: Shape, to: Shape): string {
  const axis = (name: string, from: number, size: number): string =>
    `let ${name}p = clamp((f32(${name}) + 0.5) * ${float(from / size)} - 0.5, 0.0, ${float(from - 1)});
  let ${name}0 = u32(floor(${name}p)); let ${name}1 = min(${name}0 + 1u, ${from - 1}u); let ${name}f = ${name}p - f32(${name}0);`;
  return `${axis("y", height, to[1])}
  ${axis("x", width, to[2])}
  let above = mix(${valueAt("b, c, y0, x0")}, ${valueAt("b, c, y0, x1")}, xf);
  let below = mix(${valueAt("b, c, y1, x0")}, ${valueAt("b, c, y1, x1")}, xf);
  return mix(above, below, yf);`;
}

/** Statements that return the largest value of a square. @param valueAt its value at "b, c, y, x" */
export function poolText(valueAt: (place: string) => string, size: number): string {
  return `var largest = ${valueAt(`b, c, y * ${size}u, x * ${size}u`)};
  for (var i = 1u; i < ${size * size}u; i++) {
    largest = max(largest, ${valueAt(`b, c, y * ${size}u + i / ${size}u, x * ${size}u + i % ${size}u`)});
  }
  return largest;`;
}

/** Functions of one value. exp stays finite: shaders may assume that every number is. */
export const ACTIVATIONS = {
  relu: (x: string) => `max(${x}, 0.0)`,
  relu6: (x: string) => `clamp(${x}, 0.0, 6.0)`,
  sigmoid: (x: string) => `1.0 / (1.0 + exp(clamp(-${x}, -80.0, 80.0)))`,
  tanh: (x: string) => `tanh(clamp(${x}, -15.0, 15.0))`,
};

/** Statements that return a value of a vector that was a map. @param valueAt its value at "b, c, y, x" */
export function flattenText(valueAt: (place: string) => string, [, height, width]: Shape): string {
  return `return ${valueAt(`b, c / ${height * width}u, (c / ${width}u) % ${height}u, c % ${width}u`)};`;
}

/** Statements that return a value of nodes side by side. @param valueAt a node's value at "b, c, y, x" */
export function concatText(valueAt: (node: PlanNode, place: string) => string, from: readonly PlanNode[]): string {
  const lines = startsOf(from).map(
    ({ node, start }) => `if (c < ${start + node.shape[0]}u) { return ${valueAt(node, `b, c - ${start}u, y, x`)}; }`,
  );
  return `${lines.join(" ")} return 0.0;`;
}

/** Statements that return a vertex's value. @param table where its constants start @param indices buffer, one per row */
export function lookupText(table: number, channels: number, indices: string): string {
  const place = `((cell * ${channels}u + c) * ${GRID_SIZE}u + y) * ${GRID_SIZE}u + x`;
  return `let cell = u32(clamp(${indices}[b], 0, ${EOS})); return K[${table}u + ${place}];`;
}

/** Nodes whose channels lie side by side, and the first channel of each. */
export function startsOf(nodes: readonly PlanNode[]): { readonly node: PlanNode; readonly start: number }[] {
  let start = 0;
  return nodes.map((node) => ({ node, start: (start += node.shape[0]) - node.shape[0] }));
}
