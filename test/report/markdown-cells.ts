/** Cells of a row of a Markdown table, by GitHub's rule: bars that are not escaped. */
export function markdownCells(line: string): number {
  return line.replace(/\\./g, "").split("|").length - 2;
}
