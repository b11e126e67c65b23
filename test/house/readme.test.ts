/**
 * The documents' tables of options and exit codes and their usage lines are made from the option tables. They stand
 * between comments, for example `<!-- options annotate -->` and `<!-- end -->`, in docs/cli.md and wherever else a
 * document wants one; Prettier leaves them alone there. Write them anew with:
 * UPDATE_DOCS=1 npx vitest run --project parts test/house/readme.test.ts
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/command-list.js";
import type { Command } from "../../src/cli/command.js";
import { EXIT_CODE_MEANINGS, explanation, signature, usageOf } from "../../src/cli/help.js";

const ROOT = join(import.meta.dirname, "..", "..");
const CLI_DOCUMENT = "docs/cli.md";
const LONGEST_DESCRIPTION = 90;

const documents = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)].filter((path) =>
  path.endsWith(".md"),
);
const nameOf = (command: Command): string => command.path.join(" ");

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function usageBlock(command: Command): string {
  const examples = command.examples.flatMap(({ why, line }) => ["", `# ${why}`, line]);
  return ["```text", `polyrnn ${usageOf(command)}`, ...examples, "```"].join("\n");
}

function optionsTable({ table }: Command): string {
  return markdownTable(
    ["Option", "Meaning"],
    Object.entries(table).map(([name, row]) => [`\`${signature(name, row)}\``, explanation(row)]),
  );
}

/** Commands that share one table, as those below `queue` do, have it once. */
const withOwnTable = COMMANDS.filter((command) => COMMANDS.find((other) => other.table === command.table) === command);

const blocks: readonly { readonly name: string; readonly text: string }[] = [
  ...COMMANDS.map((command) => ({ name: `usage ${nameOf(command)}`, text: usageBlock(command) })),
  ...withOwnTable.map((command) => ({ name: `options ${nameOf(command)}`, text: optionsTable(command) })),
  {
    name: "exit codes",
    text: markdownTable(
      ["Code", "Meaning"],
      EXIT_CODE_MEANINGS.map(([code, meaning]) => [String(code), meaning]),
    ),
  },
];

/** What stands between a block's comments, without the line breaks around it; undefined where a document lacks it. */
function between(
  document: string,
  name: string,
): { readonly begin: number; readonly end: number; readonly text: string } | undefined {
  const opening = `<!-- ${name} -->\n<!-- prettier-ignore-start -->\n`;
  const begin = document.indexOf(opening) + opening.length;
  const end = document.indexOf("\n<!-- prettier-ignore-end -->\n<!-- end -->", begin);
  return document.includes(opening) && end >= 0 ? { begin, end, text: document.slice(begin, end) } : undefined;
}

test.each(documents)("every block made from the option tables is up to date in %s", (path) => {
  let document = readFileSync(join(ROOT, path), "utf8");
  if (process.env["UPDATE_DOCS"] === "1") {
    for (const { name, text } of blocks) {
      const place = between(document, name);
      if (place !== undefined) document = document.slice(0, place.begin) + text + document.slice(place.end);
    }
    writeFileSync(join(ROOT, path), document);
  }
  for (const { name, text } of blocks) expect(between(document, name)?.text ?? text, name).toBe(text);
});

test.each(blocks)(`${CLI_DOCUMENT} has $name`, ({ name }) => {
  expect(between(readFileSync(join(ROOT, CLI_DOCUMENT), "utf8"), name)).toBeDefined();
});

test("documents have no block of a command that is gone", () => {
  const known = new Set(blocks.map(({ name }) => name));
  const names = documents.flatMap((path) =>
    [...readFileSync(join(ROOT, path), "utf8").matchAll(/^<!-- ((?:usage|options|exit codes)\b.*) -->$/gm)].map(
      ([, name]) => name!,
    ),
  );
  expect(names.filter((name) => !known.has(name))).toEqual([]);
});

test.each(COMMANDS.map((command) => ({ command, name: nameOf(command) })))(
  `descriptions of the options of $name have at most ${LONGEST_DESCRIPTION} characters and no full stop`,
  ({ command }) => {
    const rows = Object.entries(command.table);
    const wrong = rows.filter(([, { describe }]) => describe.length > LONGEST_DESCRIPTION || describe.endsWith("."));
    expect(wrong.map(([name, { describe }]) => `${name}: ${describe}`)).toEqual([]);
  },
);
