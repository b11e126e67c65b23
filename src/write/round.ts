/** Numbers as the files hold them: pixels with two decimals. */

/** Rounds to two decimals; never -0. */
export function roundPixels(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}
