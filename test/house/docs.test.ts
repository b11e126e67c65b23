/**
 * The documents match what is here: links and anchors lead somewhere, files that are named exist, commands and options
 * are those of the command line, and the README stays on one page.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { COMMANDS } from "../../src/cli/command-list.js";
import { flagName } from "../../src/cli/option-table.js";

const ROOT = join(import.meta.dirname, "..", "..");
const DOCUMENTS = [
  ...["README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY", "CHANGELOG", "bench/README"].map((name) => `${name}.md`),
  ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`),
];
const textOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const proseOf = (path: string): string => textOf(path).replace(/^```[\s\S]*?^```|^ {4}.*$/gm, "");

/** Anchors as GitHub makes them from headings. */
function anchorsOf(path: string): ReadonlySet<string> {
  const headings = [...proseOf(path).matchAll(/^#+ (.*)$/gm)].map(([, text]) => text!);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test.each(DOCUMENTS)("links of %s lead to files and headings that are there", (path) => {
  const links = [...proseOf(path).matchAll(/\]\(\s*([^)\s]+)\s*\)/g)].map(([, target]) => target!);
  const dead = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? path : join(dirname(path), file);
    return !existsSync(join(ROOT, target)) || (anchor !== undefined && !anchorsOf(target).has(anchor));
  });
  expect(dead).toEqual([]);
});

test.each(DOCUMENTS)("files of this repository that %s names exist", (path) => {
  const named = textOf(path).match(/(?<![\w./-])(?:src|test|bench|fixtures|docs|scripts|bin)\/[\w./-]*\w/g) ?? [];
  const made = /^bench\/results|\b(?:NAME|FORMAT)\b/; // written by a run, or a placeholder
  expect(named.filter((file) => !made.test(file) && !existsSync(join(ROOT, file)))).toEqual([]);
});

/** Command lines of a document, continued lines joined. */
function commandLines(path: string): string[] {
  const blocks = textOf(path).match(/^```[\s\S]*?^```|^ {4}.*$/gm) ?? [];
  const lines = blocks.join("\n").replaceAll("\\\n", " ").split("\n");
  return lines.flatMap((line) => /\bpolyrnn ((?:[a-z-]+ )?[^#|&>]*)/.exec(line.split(/\s#\s/)[0]!)?.[0] ?? []);
}

test.each(DOCUMENTS)("commands in %s take the options they are given", (path) => {
  const wrong = commandLines(path).filter((line) => {
    const words = line.trim().split(/\s+/).slice(1);
    const command = COMMANDS.filter(({ path: own }) => own.every((word, i) => words[i] === word)).sort(
      (a, b) => b.path.length - a.path.length,
    )[0];
    if (command === undefined) return /^[a-z-]+$/.test(words[0] ?? "") && words.some((word) => word.startsWith("--"));
    const known = new Set(
      Object.entries(command.table).flatMap(([name, row]) =>
        // A flag that is on by default can be switched off.
        row.default === true ? [`--${flagName(name)}`, `--no-${flagName(name)}`] : [`--${flagName(name)}`],
      ),
    );
    return words.some((word) => word.startsWith("--") && !known.has(word.split("=")[0]!));
  });
  expect(wrong).toEqual([]);
});

test("the README has at most 10,000 bytes and begins with the two commands that set up, run and test", () => {
  const readme = textOf("README.md");
  expect(Buffer.byteLength(readme)).toBeLessThanOrEqual(10_000);
  const commands = (readme.match(/^ {4}npm.*$/gm) ?? []).map((line) => line.split(" #")[0]!.trim());
  expect(commands.slice(0, 2)).toEqual([
    "npm ci && npx polyrnn annotate fixtures/images --boxes fixtures/boxes.json",
    "npm ci && npm test",
  ]);
});

test("the workflow and the examples of jobs are YAML, and every action is pinned to a commit", () => {
  const workflow = textOf(".github/workflows/ci.yml");
  const examples = DOCUMENTS.flatMap((path) => [...textOf(path).matchAll(/^```yaml\n([\s\S]*?)^```/gm)]);
  for (const text of [workflow, ...examples.map(([, example]) => example!)]) expect(parse(text)).toBeTypeOf("object");
  const uses = [workflow, ...DOCUMENTS.map(textOf)].flatMap((text) => text.match(/uses: \S+/g) ?? []);
  expect(uses.filter((action) => !/@[0-9a-f]{40}$|OWNER\/polyrnn@COMMIT$/.test(action))).toEqual([]);
  expect(parse(workflow)).toMatchObject({ permissions: { contents: "read" } });
});
