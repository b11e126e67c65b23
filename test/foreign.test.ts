/** Values that somebody else wrote: read within a depth, described within a length, never walked to their end. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { receivedOf } from "../src/errors.js";
import { cutText, describeValue, parseForeignJson } from "../src/foreign.js";
import { compileSchema, describeViolation } from "../src/validate.js";

const nested = (levels: number, open = "[", close = "]"): string => open.repeat(levels) + close.repeat(levels);

describe("reading", () => {
  test("takes what JSON.parse takes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(parseForeignJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each([
    { what: "lists", text: nested(513) },
    { what: "objects", text: nested(600, '{"a":', "}") },
    { what: "a million levels that never close", text: "[".repeat(1_000_000) },
  ])("refuses $what beyond the limit", ({ text }) => {
    expect(() => parseForeignJson(text)).toThrow("deeper than 512 levels");
  });

  test("brackets within text are no levels", () => {
    const text = JSON.stringify(`"\\${"[{".repeat(2000)}`);
    expect(parseForeignJson(text, 1)).toBe(`"\\${"[{".repeat(2000)}`);
    expect(parseForeignJson('\ufeff{"a":"\ufeff"}')).toEqual({ a: "\ufeff" });
  });

  test("up to the limit all is read", () => {
    expect(() => parseForeignJson(nested(512))).not.toThrow();
  });
});

describe("a description", () => {
  const deep: unknown = JSON.parse(nested(200_000));
  const deepObject: unknown = JSON.parse('{"a":'.repeat(100_000) + "1" + "}".repeat(100_000));

  test("of a small value is its JSON", () => {
    const value = { name: "a", list: [1, null, true, { x: -0.5 }] };
    expect(describeValue(value)).toBe(JSON.stringify(value));
  });

  test.each([
    { what: "200,000 lists", value: deep },
    { what: "100,000 objects", value: deepObject },
    { what: "ten million numbers", value: new Array(10_000_000).fill(1) },
    { what: "a text of 100 MB", value: "x".repeat(100_000_000) },
    { what: "100,000 fields", value: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`f${i}`, i])) },
  ])("of $what is short and takes no time", ({ value }) => {
    const before = performance.now();
    expect(describeValue(value).length).toBeLessThan(100);
    expect(receivedOf(value).length).toBeLessThan(100);
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test("holds no control character", () => {
    expect(describeValue("a\u001b[31m\u009b\u202eb\n")).toBe('"a\\u001b[31m\\u009b\\u202eb\\n"');
    expect(receivedOf("\u009b")).toBe('"\\u009b"');
  });

  test("of any JSON is at most as long as asked for, and three dots", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 50 }), (value, longest) => {
        expect(describeValue(value, longest).length).toBeLessThanOrEqual(longest + 3);
      }),
    );
  });

  test("is what a violation says, however deep the value is", () => {
    const violation = compileSchema({ type: "object", properties: { name: { type: "string" } } })({ name: deep });
    expect(describeViolation(violation!)).toBe("expected /name to be of type string but received [[[[[...]]]]]");
  });
});

test("a text is never cut within a character", () => {
  expect(cutText("ab😀", 3)).toBe("ab...");
  expect(cutText("abc", 3)).toBe("abc");
});
