/** Reading one JSON value, and saying what is wrong with it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { describeProblem, parseJsonBytes } from "../../../src/dataset/json/value.js";

const says = (text: string | Buffer, offset = 0): string => {
  const parsed = parseJsonBytes(Buffer.from(text), offset);
  return parsed.kind === "value" ? "a value" : describeProblem(parsed);
};

test("what JSON.parse reads is read the same", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(parseJsonBytes(Buffer.from(text), 0)).toEqual({ kind: "value", value: JSON.parse(text) as unknown });
    }),
  );
});

test("what JSON.parse refuses is refused, whatever it is", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...Array.from('[]{}",:1eE+-.\\u0nul ')) })),
      (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(parseJsonBytes(Buffer.from(text), 0).kind).toBe(isJson ? "value" : "problem");
      },
    ),
    { numRuns: 500 },
  );
});

test.each([
  {
    text: "[1, NaN]",
    says: "byte 104: expected a number, true, false or null, received NaN (Python writes it, JSON does not have it)",
  },
  {
    text: '{"NaN": nan}',
    says: "byte 108: expected a number, true, false or null, received nan (Python writes it, JSON does not have it)",
  },
  { text: "[1, -inf]", says: "received -inf (Python writes it" },
  { text: "[True]", says: "received True (Python writes it" },
  { text: "[undefined]", says: "byte 101: expected a number, true, false or null, received undefined" },
  { text: "[.5]", says: "received .5" },
  { text: "[1,2", says: "byte 100: expected a JSON value, received text that is none (" },
  { text: '["abc', says: "byte 100: expected a JSON value, received text that is none (" },
  { text: "[\u0007x]", says: "received byte 0x07x" },
  { text: `[${"z".repeat(500)}]`, says: `received ${"z".repeat(100)}...` },
  { text: "[1 2]", says: "received text that is none (" },
])("$says", ({ text, says: expected }) => {
  expect(says(text, 100)).toContain(expected);
});

test("bytes that are no UTF-8 are not replaced but refused", () => {
  expect(says(Buffer.from([0x22, 0xe9, 0x22]))).toBe("byte 0: expected text in UTF-8, received other bytes");
});
