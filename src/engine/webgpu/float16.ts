/** Numbers of IEEE 754 binary16, as WGSL's f16 has them. Float16Array is not in every Node that is supported. */

export const LARGEST_FLOAT16 = 65504;

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
