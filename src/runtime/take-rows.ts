/** @param values [rows, width], row-major @returns the given rows of it, in their order; a copy */
export function takeRows(values: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, at) => { taken.set(values.subarray(row * width, (row + 1) * width), at * width); });
  return taken;
}
