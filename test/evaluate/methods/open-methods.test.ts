import { expect, test } from "vitest";
import { parseComparisons } from "../../../src/evaluate/methods/open-methods.js";

test("methods by name, files by name and path", () => {
  expect(parseComparisons(["box", "grabcut", "our tool=out/a=b.json"])).toEqual([
    { kind: "shape", name: "box" },
    { kind: "grabcut" },
    { kind: "file", name: "our tool", path: "out/a=b.json" },
  ]);
  expect(parseComparisons(["none"])).toEqual([]);
});

test.each([
  { why: "a mistyped method", words: ["grabcutt"], message: "grabcutt", hint: "Did you mean grabcut?" },
  { why: "a file without a name", words: ["other.json"], message: "other.json", hint: "other=other.json" },
  { why: "a name the report uses itself", words: ["polyrnn=a.json"], message: "polyrnn", hint: "another name" },
  { why: "no name", words: ["=a.json"], message: "1 to 40 characters", hint: "name=file.json" },
  { why: "no file", words: ["a="], message: "received nothing", hint: "name=file.json" },
  { why: "a method twice", words: ["box", "box"], message: '"box" twice', hint: "name=file.json" },
  { why: "a name twice", words: ["a=1.json", "a=2.json"], message: '"a" twice', hint: "name=file.json" },
])("$why is wrong usage", ({ words, message, hint }) => {
  const problem = (): unknown => parseComparisons(words);
  expect(problem).toThrow(
    expect.objectContaining({
      exitCode: 2,
      message: expect.stringContaining(message) as string,
      hint: expect.stringContaining(hint) as string,
    }) as Error,
  );
});
