/** House rules that a reader can check with a search. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "..", "..", "src");
const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({ file: file.replaceAll("\\", "/"), text: readFileSync(join(SRC, file), "utf8") }));

/** Lines in which a pattern occurs. */
function found(pattern: RegExp, { comments }: { readonly comments: boolean }): string[] {
  return sources.flatMap(({ file, text }) => {
    // Line breaks stay, so that line numbers do.
    const searched = comments
      ? text
      : text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, "")).replace(/(?<=^|\s)\/\/.*$/gm, "");
    return searched.split("\n").flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : []));
  });
}

test("there are sources to look at", () => {
  expect(sources.length).toBeGreaterThan(20);
});

test("no source file is longer than 400 lines", () => {
  expect(sources.filter(({ text }) => text.split("\n").length > 401).map(({ file }) => file)).toEqual([]);
});

test("every source file begins with a comment that says what it does", () => {
  expect(sources.filter(({ text }) => !text.startsWith("/**")).map(({ file }) => file)).toEqual([]);
});

test("types are not escaped: no any, no silenced compiler, no lint silenced without a reason", () => {
  expect(found(/\bas any\b|:\s*any\b|<any\b|\bany\[\]/, { comments: false })).toEqual([]);
  expect(found(/@ts-(ignore|nocheck|expect-error)|eslint-disable(?!.* -- )/, { comments: true })).toEqual([]);
});

test("nothing is left undone", () => {
  expect(found(/\b(TODO|FIXME|XXX|HACK)\b/i, { comments: true })).toEqual([]);
});

test("no file is called utils or index but the door of the package, and all are in kebab case", () => {
  const names = sources.flatMap(({ file }) => (file === "index.ts" ? [] : [basename(file)]));
  expect(
    names.filter(
      (name) => /^(utils?|helpers?|index|misc|common)\.ts$/.test(name) || !/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(name),
    ),
  ).toEqual([]);
});

test("the door of the package only passes on what others define, and nothing inside goes through it", () => {
  const [door] = sources.filter(({ file }) => file === "index.ts");
  const statements = door!.text.replace(/\/\*[\s\S]*?\*\//g, "").split(";");
  expect(statements.filter((text) => text.trim() !== "" && !/^\s*export (type )?\{[^}]*\} from "/.test(text))).toEqual(
    [],
  );
  expect(found(/from "(\.\.?\/)+index\.js"/, { comments: false })).toEqual([]);
});

test("only the command line ends the process or writes to its streams", () => {
  expect(
    found(/process\.(exit\b|exitCode|stdout|stderr)|\bconsole\./, { comments: false }).filter(
      (line) => !line.startsWith("cli/"),
    ),
  ).toEqual([]);
});
