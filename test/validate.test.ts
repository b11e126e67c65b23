/** What a schema's violation sounds like: where, expected, received; short and plain whatever the document holds. */
import { describe, expect, test } from "vitest";
import { lazily } from "../src/validate.js";
import { compileSchema, describeViolation } from "../src/validate.js";

function says(schema: object, value: unknown): string {
  const violation = compileSchema(schema)(value);
  return violation === undefined ? "valid" : describeViolation(violation);
}

const list = {
  type: "object",
  properties: { list: { type: "array", items: { type: "number", minimum: 0 }, minItems: 2, maxItems: 3 } },
};

describe("a violation says where, expected and received", () => {
  test.each([
    { schema: { type: "object" }, value: {}, message: "valid" },
    { schema: { type: "object" }, value: [1], message: "expected the document to be of type object but received [1]" },
    {
      schema: { type: ["number", "string"] },
      value: null,
      message: "expected the document to be of type number,string but received null",
    },
    {
      schema: { type: "object", required: ["name"] },
      value: {},
      message: "expected /name to be present but received nothing",
    },
    { schema: list, value: { list: [1] }, message: "expected /list to be of at least 2 items but received [1]" },
    {
      schema: list,
      value: { list: [1, 2, 3, 4] },
      message: "expected /list to be of at most 3 items but received [1,2,3,4]",
    },
    { schema: list, value: { list: [1, -2] }, message: "expected /list/1 to be >= 0 but received -2" },
    {
      schema: { type: "string", minLength: 1 },
      value: "",
      message: 'expected the document to be of at least 1 characters but received ""',
    },
    {
      schema: { type: "string", maxLength: 1 },
      value: "ab",
      message: 'expected the document to be of at most 1 characters but received "ab"',
    },
    {
      schema: { type: "string", pattern: "^a+$" },
      value: "b",
      message: 'expected the document to be text of the form ^a+$ but received "b"',
    },
    {
      schema: { type: "object", minProperties: 1 },
      value: {},
      message: "expected the document to be of at least 1 fields but received {}",
    },
    { schema: { const: 28 }, value: 56, message: "expected the document to be 28 but received 56" },
    {
      schema: { enum: [0, true, "a"] },
      value: "b",
      message: 'expected the document to be one of 0, true, "a" but received "b"',
    },
    {
      schema: { type: "object", additionalProperties: false },
      value: { x: 1 },
      message: "expected /x to be absent (the name is not known here) but received a value",
    },
    {
      schema: { type: "object", propertyNames: { pattern: "^a" } },
      value: { b: 1 },
      message: 'expected the document to be text of the form ^a but received "b"',
    },
  ])("$message", ({ schema, value, message }) => {
    expect(says(schema, value)).toBe(message);
  });

  test("long values are cut, control characters come as escapes", () => {
    expect(says({ type: "number" }, "x".repeat(1000)).length).toBeLessThan(150);
    expect(says({ type: "number" }, "\u009b31m\u001b[2J")).toBe(
      'expected the document to be of type number but received "\\u009b31m\\u001b[2J"',
    );
    expect(says({ type: "object", additionalProperties: { type: "number" } }, { "\u001b[2J": "" })).toBe(
      'expected /\\u001b[2J to be of type number but received ""',
    );
  });
});

test("a function made lazily is made once, on its first call", () => {
  let made = 0;
  const double = lazily(() => {
    made++;
    return (x: number) => 2 * x;
  });
  expect(made).toBe(0);
  expect([double(1), double(2), made]).toEqual([2, 4, 1]);
});
