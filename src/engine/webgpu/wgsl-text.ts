/** Pieces of WGSL that several kernels are written with. */
import type { PlanNode } from "./record.js";

/** Of a value at (b, c, y, x) in its buffer. */
export function indexOf({ shape: [channels, height, width] }: PlanNode): string {
  return `((b * ${channels}u + c) * ${height}u + y) * ${width}u + x`;
}

/** Element of a node's buffer. */
export function elementOf({ operation }: PlanNode): string {
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
