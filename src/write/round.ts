/** Numbers as the files hold them. */

/** Pixels with two decimals; never -0. */
export function roundPixels(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}

/** Text with one decimal, fine enough for drawings. */
export function toTenths(value: number): string {
  return value.toFixed(1);
}
