import fc from "fast-check";
import { expect, test } from "vitest";
import { csvLine } from "../../src/report/csv.js";

/** A reader by the letter of RFC 4180. */
function parse(line: string): string[] {
  const cells: string[] = [];
  let cell = "";
  for (let at = 0; at < line.length - 2;) {
    if (line[at] === '"') {
      for (at += 1; line[at] !== '"' || line[at + 1] === '"'; at++) {
        if (line[at] === '"') at += 1;
        cell += line[at]!;
      }
      at += 1;
    } else if (line[at] === ",") {
      cells.push(cell);
      cell = "";
      at += 1;
    } else {
      cell += line[at++]!;
    }
  }
  return [...cells, cell];
}

test("whatever a file names its things, a CSV reader gets it back but for control characters, and no cell begins like a formula", () => {
  const anyName = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('"', ",", "\r", "\n", "=", "@", "a", "'", "\t") }),
  );
  fc.assert(
    fc.property(fc.array(anyName, { minLength: 1, maxLength: 6 }), (names) => {
      const line = csvLine(names);
      expect(line.endsWith("\r\n")).toBe(true);
      const cells = parse(line);
      const plain = names.map((name) => name.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "\ufffd"));
      expect(cells.map((cell, i) => (cell === plain[i] ? cell : cell.slice(1)))).toEqual(plain);
      for (const cell of cells) expect(cell).not.toMatch(/^[=+\-@]/);
      expect(line.slice(0, -2)).not.toMatch(/[\p{Cc}\u202e]/u);
    }),
  );
});

test.each([
  { why: "a formula", cell: "=1+1", text: "'=1+1" },
  { why: "a command", cell: "@SUM(A1)", text: "'@SUM(A1)" },
  { why: "a negative id as text", cell: "-5", text: "'-5" },
  { why: "a negative number", cell: -5, text: "-5" },
  { why: "quotes and a comma", cell: 'a "b", c', text: '"a ""b"", c"' },
  { why: "a name that colors the terminal", cell: "a\u001b[31m\u009b1m\u0007b", text: "a\ufffd[31m\ufffd1m\ufffdb" },
  { why: "a name that turns the direction", cell: "a\u202eb", text: "a\ufffdb" },
  { why: "nothing", cell: undefined, text: "" },
  { why: "what is no number", cell: NaN, text: "" },
])("$why is written as $text", ({ cell, text }) => {
  expect(csvLine([cell])).toBe(`${text}\r\n`);
});
