/** Lines of a CSV file by RFC 4180, safe to open in a spreadsheet: names come from files, and a cell that begins like a formula would be run. */

/** Numbers are written as they are; undefined is an empty cell. */
export type Cell = string | number | undefined;

/** Ends with CR LF. A text that begins with = + - @, a tab or a line break gets an apostrophe before it, as OWASP advises. */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

function csvCell(cell: Cell): string {
  if (cell === undefined) return "";
  if (typeof cell === "number") return Number.isFinite(cell) ? String(cell) : "";
  const text = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/u.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
