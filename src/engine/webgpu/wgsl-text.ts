/** Pieces of WGSL that several kernels are written with, and how weights lie for them. */
import type { PlanNode } from "./record.js";

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
