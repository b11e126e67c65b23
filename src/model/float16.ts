/**
 * Half precision (IEEE 754 binary16) and bfloat16 to float32 and back. Node 20 has no Float16Array.
 * Reading is exact; writing rounds to nearest, ties to even, as NumPy and PyTorch do.
 */

let halfTable: Float32Array | undefined;

/** Every half there is, by its 16 bits: 256 KB, built when the first F16 file is read. */
function everyHalf(): Float32Array {
  if (halfTable) return halfTable;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    table[bits] = sign * magnitude(exponent, fraction);
  }
  halfTable = table;
  return table;
}

function magnitude(exponent: number, fraction: number): number {
  if (exponent === 0) return fraction * 2 ** -24; // subnormal
  if (exponent === 31) return fraction === 0 ? Infinity : NaN;
  return (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** @param halves bit patterns of binary16 numbers */
export function halvesToFloats(halves: Uint16Array): Float32Array {
  const table = everyHalf();
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) floats[i] = table[halves[i]!]!;
  return floats;
}

/** @param bfloats bit patterns of bfloat16 numbers: the upper half of a float32 */
export function bfloatsToFloats(bfloats: Uint16Array): Float32Array {
  const bits = new Uint32Array(bfloats.length);
  for (let i = 0; i < bfloats.length; i++) bits[i] = bfloats[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** @returns bit patterns of binary16 numbers; values from 65520 on become infinite, as the standard has it. */
export function floatsToHalves(floats: Float32Array): Uint16Array {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const halves = new Uint16Array(floats.length);
  for (let i = 0; i < halves.length; i++) halves[i] = half(bits[i]!);
  return halves;
}

/** @param bits of a float32 */
function half(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const absolute = bits & 0x7fffffff;
  if (absolute > 0x7f800000) return sign | 0x7e00; // NaN
  if (absolute >= 0x47800000) return sign | 0x7c00; // 65536 and above, infinity included
  if (absolute < 0x38800000) return sign | subnormal(absolute);
  // Rebias the exponent (127 -> 15), then drop 13 bits, rounding to even; a carry into the exponent is the right
  // answer.
  const rebiased = absolute - 0x38000000;
  return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
}

/** Below 2^-14: a multiple of 2^-24. Exact in a double, so that only the last rounding counts. */
function subnormal(absolute: number): number {
  const exponent = absolute >>> 23;
  if (exponent === 0) return 0; // below 2^-126
  const scaled = (1 + (absolute & 0x7fffff) / 0x800000) * 2 ** (exponent - 127 + 24);
  const below = Math.floor(scaled);
  const rest = scaled - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
