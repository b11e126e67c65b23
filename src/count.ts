/**
 * A number with its noun, for every message and report that counts something: "1 polygon", "3 polygons".
 * @param write thousands separators and the like; digits alone when absent
 */
export function count(
  n: number,
  singular: string,
  plural = `${singular}s`,
  write: (n: number) => string = String,
): string {
  return `${write(n)} ${n === 1 ? singular : plural}`;
}
