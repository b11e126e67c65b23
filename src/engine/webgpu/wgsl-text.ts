/** Pieces of WGSL that several kernels are written with, and how weights lie for them. */
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
  return { float: "f32", index: "i32", pixels: "u32" }[operation.type];
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

/** Statements that return the value of a pixel. @param bytes buffer of RGB, four bytes a word */
export function normalizeText(normalization: Normalization, [, height, width]: Shape, bytes: string): string {
  const { channelOrder, mean, std } = normalization;
  const channel = channelOrder === "RGB" ? "c" : "2u - c";
  const vector = (values: readonly number[]): string => `array<f32, 3>(${values.map(float).join(", ")})`;
  return `let at = ((b * ${height}u + y) * ${width}u + x) * 3u + ${channel};
  let byte = (${bytes}[at / 4u] >> ((at % 4u) * 8u)) & 255u;
  var means = ${vector(mean)}; var deviations = ${vector(std)};
  return (f32(byte) - means[c]) / deviations[c];`;
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

/** Nodes whose channels lie side by side, and the first channel of each. */
export function startsOf(nodes: readonly PlanNode[]): { readonly node: PlanNode; readonly start: number }[] {
  let start = 0;
  return nodes.map((node) => ({ node, start: (start += node.shape[0]) - node.shape[0] }));
}
