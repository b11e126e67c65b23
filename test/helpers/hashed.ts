/** The numbers of fixtures/reference/hashed.py: float32 in [-0.5, 0.5) times the scale, which is rounded to float32. */
export function hashed(count: number, seed: number, scale: number): Float32Array {
  const values = new Float32Array(count);
  const offset = Math.imul(seed, 0x9e3779b1);
  const factor = Math.fround(scale);
  for (let at = 0; at < count; at++) {
    let x = (at + offset) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 16), 0xc2b2ae35);
    x ^= x >>> 16;
    values[at] = Math.fround((x >>> 0) / 2 ** 32 - 0.5) * factor;
  }
  return values;
}
