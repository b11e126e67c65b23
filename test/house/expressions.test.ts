/**
 * No expression takes more than linear time. Every regular expression of src is run on long texts made of the pieces
 * that it is about, and on a sixteenth of them: how the time grows tells, on a machine of any speed and with any load.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "..", "..", "src");
const LENGTH = 4_000;
const TIMES_LONGER = 16;
/** Linear time grows by 16, quadratic by 256; either is a factor of four away, more than a busy machine adds. */
const MOST_GROWTH = 64;
/** Only a long text that looks slow is timed again: other work of the machine does not disturb every round. */
const ROUNDS = 6;

interface Found {
  readonly where: string;
  readonly expression: RegExp;
}

/** Literals of the source, and the patterns of schemas. */
const found: Found[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) => {
    const source = ts.createSourceFile(file, readFileSync(join(SRC, file), "utf8"), ts.ScriptTarget.Latest, true);
    const literals: Found[] = [];
    const visit = (node: ts.Node): void => {
      const where = `${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
      if (ts.isRegularExpressionLiteral(node)) {
        const end = node.text.lastIndexOf("/");
        literals.push({ where, expression: new RegExp(node.text.slice(1, end), node.text.slice(end + 1)) });
      } else if (
        ts.isPropertyAssignment(node) &&
        node.name.getText() === "pattern" &&
        ts.isStringLiteral(node.initializer)
      )
        literals.push({ where, expression: new RegExp(node.initializer.text, "u") });
      ts.forEachChild(node, visit);
    };
    visit(source);
    return literals;
  });

/** Pieces that keep an expression busy: its own characters, alone, in pairs, and its words. */
function pumpsFor({ source }: RegExp): ReadonlySet<string> {
  const plain = source
    .replace(/\\[dw]/g, "1a")
    .replace(/\\s/g, " ")
    .replace(/\\p\{[^}]*\}/gu, "\u0007")
    .replace(/\\u\{?([0-9a-f]{4,5})\}?/giu, (_, code: string) => String.fromCodePoint(parseInt(code, 16)))
    .replace(/\\(.)/g, "$1");
  const words =
    plain
      .replace(/\[[^\]]*\]/g, " ")
      .replace(/[()|?*+^$]/g, "")
      .match(/[a-z0-9_:/.@-]{2,}/gi) ?? [];
  const characters = [
    ...new Set([
      ...Array.from(plain.replace(/[()|?*+^${}[\]]/g, "")),
      "a",
      "1",
      "/",
      ".",
      "-",
      "=",
      ":",
      " ",
      "\n",
      "[",
    ]),
  ];
  const singles = characters.slice(0, 40);
  const pairs = singles.slice(0, 6).flatMap((a) => singles.slice(0, 6).map((b) => a + b));
  return new Set([...singles, ...pairs, ...words.slice(0, 20)]);
}

/** Milliseconds of one run, over several: a single one takes less than the clock can be trusted with. */
function msOf(expression: RegExp, text: string, times: number): number {
  const before = performance.now();
  for (let time = 0; time < times; time++) {
    expression.lastIndex = 0;
    if (expression.global) text.replace(expression, "");
    else expression.test(text);
  }
  return (performance.now() - before) / times;
}

/** How the least time grows with the length. Other work makes a time longer, never shorter. */
function growthOf(expression: RegExp, short: string, long: string): number {
  let [shortMs, longMs] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    const times = 2 ** round;
    shortMs = Math.min(shortMs, msOf(expression, short, times * TIMES_LONGER));
    longMs = Math.min(longMs, msOf(expression, long, times));
    if (longMs < MOST_GROWTH * shortMs) break;
  }
  return longMs / shortMs;
}

const made = new Map<string, readonly string[]>();

/** Texts of a length that end otherwise than they go on. */
function textsOf(pump: string, length: number): readonly string[] {
  const key = `${length} ${pump}`;
  let texts = made.get(key);
  if (texts === undefined) {
    // One piece, not a chain of parts that is put together anew for each expression.
    const body = Buffer.from(pump.repeat(length / pump.length), "utf16le").toString("utf16le");
    texts = [`${body}\u0001`, `x${body}`, `"${body}!`];
    made.set(key, texts);
  }
  return texts;
}

/** The first text on which a longer one takes far more time than its length says, in words. */
function slowness(expression: RegExp): string | undefined {
  for (const pump of pumpsFor(expression)) {
    const short = textsOf(pump, LENGTH / TIMES_LONGER);
    for (const [i, text] of textsOf(pump, LENGTH).entries()) {
      const growth = growthOf(expression, short[i]!, text);
      if (growth < MOST_GROWTH) continue;
      return `${JSON.stringify(pump)}: ${TIMES_LONGER} times the length, ${Math.round(growth)} times as long`;
    }
  }
  return undefined;
}

test("the measure finds what is slow", () => {
  for (const slow of [/(rediss?:\/\/)[^@\s"']*@/gi, /\/+$/, /^(\d+\.?\d*|\.\d+)$/, /\s+$/])
    expect(slowness(slow), slow.source).toBeDefined();
  expect(slowness(/^[a-z]+$/)).toBeUndefined();
});

test("expressions were found", () => {
  expect(found.length).toBeGreaterThan(50);
});

test("every expression of src takes linear time", () => {
  const slow = found.flatMap(({ where, expression }) => {
    const why = slowness(expression);
    return why === undefined ? [] : [`${where}: ${expression.source}: ${why}`];
  });
  expect(slow).toEqual([]);
});
