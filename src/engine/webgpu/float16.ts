/**
 * Numbers of IEEE 754 binary16, as WGSL's f16 has them. Float16Array is not in every Node that is supported.
 *
 * What ReLU6 gives lies between 0 and 6, where f16 has no more than 17,000 values, most of them near zero. That is what
 * float16 costs a MobileNet. So these values are stored as steps of 6 / 61,439, in the bits of an f16: all those that
 * are neither infinite nor subnormal, because devices may change such bits.
 */
import type { PlanNode } from "./record.js";
import { float } from "./wgsl-text.js";

export const LARGEST_FLOAT16 = 65504;

/** Of the magnitude's bits: the first normal number, and how many there are. */
const [FIRST, COUNT] = [0x400, 0x7800];
const STEPS_PER_ONE = (2 * COUNT - 1) / 6;

/** WGSL: `half` and `pack6` on the way to memory, `unpack6` on the way back. */
export const HALF_FUNCTIONS = `fn half(value: f32) -> f16 { return f16(clamp(value, -${LARGEST_FLOAT16}.0, ${LARGEST_FLOAT16}.0)); }
fn pack6(value: f32) -> f16 {
  let steps = u32(round(clamp(value, 0.0, 6.0) * ${float(STEPS_PER_ONE)}));
  let sign = select(0u, 0x8000u, steps >= ${COUNT}u);
  return bitcast<vec2h>(steps % ${COUNT}u + ${FIRST}u + sign).x;
}
fn unpack6(value: f16) -> f32 {
  let bits = bitcast<u32>(vec2h(value, 0h));
  let steps = i32(bits & 0x7fffu) - ${FIRST} + select(0, ${COUNT}, (bits & 0x8000u) != 0u);
  return f32(steps) * ${float(1 / STEPS_PER_ONE)};
}`;

/** Expression of a node's value as it is stored. */
export function storedHalf({ operation }: PlanNode, value: string): string {
  return `${operation.kind === "relu6" ? "pack6" : "half"}(${value})`;
}

/** The same of one that was stored. */
export function loadedHalf({ operation }: PlanNode, value: string): string {
  return `${operation.kind === "relu6" ? "unpack6" : "f32"}(${value})`;
}

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** Nearest, ties to even; what is beyond the largest number becomes that one, so that no sum gets infinite. */
export function toFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(values, halfOf);
}

function halfOf(number: number): number {
  value[0] = number;
  const [word] = bits as unknown as [number];
  const sign = (word >>> 16) & 0x8000;
  const magnitude = Math.abs(number);
  if (Number.isNaN(number)) return sign | 0x7e00;
  if (magnitude >= LARGEST_FLOAT16) return sign | 0x7bff;
  // Below 2^-14 numbers are multiples of 2^-24.
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  const exponent = ((word >>> 23) & 0xff) - 112;
  // What is rounded up to the next power of two carries into the exponent, as it should.
  return sign | ((exponent << 10) + roundToEven((word & 0x7fffff) / 2 ** 13));
}

function roundToEven(number: number): number {
  const below = Math.floor(number);
  const rest = number - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
