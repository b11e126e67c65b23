/**
 * The README's tables of options and exit codes are made from the option tables. They stand between comments, for
 * example `<!-- options annotate -->` and `<!-- end -->`, where Prettier leaves them alone. Write them anew with:
 * UPDATE_README=1 npx vitest run test/house/readme.test.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/command-list.js";
import { EXIT_CODE_MEANINGS, explanation, signature } from "../../src/cli/help.js";

const README = join(import.meta.dirname, "..", "..", "README.md");

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const tables: readonly { readonly name: string; readonly text: string }[] = [
  ...COMMANDS.filter((command) => Object.keys(command.table).length > 1).map((command) => ({
    name: `options ${command.path.join(" ")}`,
    text: markdownTable(
      ["Option", "Meaning"],
      Object.entries(command.table).map(([name, row]) => [`\`${signature(name, row)}\``, explanation(row)]),
    ),
  })),
  {
    name: "exit codes",
    text: markdownTable(
      ["Code", "Meaning"],
      EXIT_CODE_MEANINGS.map(([code, meaning]) => [String(code), meaning]),
    ),
  },
];

/**
 * What stands between a table's comments, without the line breaks around it; undefined when the README does not have
 * it.
 */
function between(
  readme: string,
  name: string,
): { readonly begin: number; readonly end: number; readonly text: string } | undefined {
  const opening = `<!-- ${name} -->\n<!-- prettier-ignore-start -->\n`;
  const begin = readme.indexOf(opening) + opening.length;
  const end = readme.indexOf("\n<!-- prettier-ignore-end -->\n<!-- end -->", begin);
  return readme.includes(opening) && end >= 0 ? { begin, end, text: readme.slice(begin, end) } : undefined;
}

test("every table in the README says what the command line says", () => {
  let readme = readFileSync(README, "utf8");
  if (process.env["UPDATE_README"] === "1") {
    for (const { name, text } of tables) {
      const place = between(readme, name);
      if (place !== undefined) readme = readme.slice(0, place.begin) + text + readme.slice(place.end);
    }
    writeFileSync(README, readme);
  }
  for (const { name, text } of tables) expect(between(readme, name)?.text ?? text, name).toBe(text);
});

test.each(["options annotate", "exit codes"])("the README has the table of %s", (name) => {
  expect(between(readFileSync(README, "utf8"), name)).toBeDefined();
});
