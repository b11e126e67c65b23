import { expect, test } from "vitest";
import { parseGroupBy } from "../../src/evaluate/groups.js";

test.each([
  { word: "none", expected: { kind: "none" } },
  { word: "prefix", expected: { kind: "prefix" } },
  { word: "source", expected: { kind: "field", field: "source" } },
])("--group-by $word", ({ word, expected }) => {
  expect(parseGroupBy(word)).toEqual(expected);
});
