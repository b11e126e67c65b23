/** Every number with a noun is written by count(): "1 instance", never "1 instances" or "1 instance(s)". */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { count } from "../../src/count.js";

const SRC = join(import.meta.dirname, "..", "..", "src");
const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({ file, text: readFileSync(join(SRC, file), "utf8") }));

/** Nouns that are counted anywhere, in the plural. */
const nouns = new Set(
  sources.flatMap(({ text }) =>
    [...text.matchAll(/\bcount\([^;]*?, "(\w+)"(?:, "(\w+)")?/g)].map(
      ([, singular, plural]) => plural ?? `${singular!}s`,
    ),
  ),
);

test("a number and its noun agree", () => {
  expect(count(1, "box", "boxes")).toBe("1 box");
  expect(count(0, "box", "boxes")).toBe("0 boxes");
  expect(count(1234, "image", "images", (n) => n.toLocaleString("en-US"))).toBe("1,234 images");
});

test("no message puts a plural behind a number by itself", () => {
  expect(nouns.size).toBeGreaterThan(15);
  const pattern = new RegExp(`\\$\\{([^{}]*)\\} (${[...nouns].join("|")})\\b`, "g");
  const wrong = sources.flatMap(({ file, text }) =>
    [...text.matchAll(pattern)]
      // Limits that are written in the source are large, "224 x 224 pixels" is a size, "1.0 instances" a rate.
      .filter(([, value, noun]) => !/^[A-Z][A-Z_]+$|toFixed|^this\.max/.test(value!) && noun !== "pixels")
      .map(([found]) => `${file}: ${found}`),
  );
  expect(wrong).toEqual([]);
});

test("no message leaves the plural to the reader", () => {
  const wrong = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/\w+\((s|es|ies)\)[^;]?/g)]
      .filter(([found]) => !found.startsWith("http(s)"))
      .filter(([found]) => !/^\w+\(s\)[.,;)\]]/.test(found)) // a call with an argument s
      .map(([found]) => `${file}: ${found}`),
  );
  expect(wrong).toEqual([]);
});
