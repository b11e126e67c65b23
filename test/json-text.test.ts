/** JSON in and out with its numbers as written, against JSON's own functions. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  joinFields,
  keepElementTexts,
  numberText,
  parseJsonText,
  selectFields,
  setField,
  toIndentedJson,
  toJsonText,
} from "../src/json-text.js";
import type { JsonObject, JsonValue } from "../src/types.js";

const read = (text: string): JsonObject => parseJsonText(text) as JsonObject;

/** As JSON has them: sign, digits, fraction, exponent. */
const anyNumber = fc.oneof(
  fc.constantFrom("0", "-0", "1e400", "-1E-400", "9007199254740993", "1.10", "40.0", "0.0000001", "1e21", "5e-324"),
  fc
    .tuple(
      fc.constantFrom("", "-"),
      fc.oneof(fc.constant("0"), fc.stringMatching(/^[1-9][0-9]{0,24}$/)),
      fc.oneof(fc.constant(""), fc.stringMatching(/^\.[0-9]{1,24}$/)),
      fc.oneof(fc.constant(""), fc.stringMatching(/^[eE][+-]?[0-9]{1,4}$/)),
    )
    .map((parts) => parts.join("")),
);
const anyText = fc.string({ unit: "binary" }).map((text) => JSON.stringify(text));
/** JSON texts without white space; keys that stand once. */
const { value: anyJson } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    anyNumber,
    anyText,
    fc.constantFrom("true", "false", "null"),
    fc.array(tie("value"), { maxLength: 5 }).map((items) => `[${items.join(",")}]`),
    fc
      .uniqueArray(fc.tuple(fc.oneof(anyText, fc.constant('"__proto__"')), tie("value")), {
        selector: ([key]) => key,
        maxLength: 5,
      })
      // Keys that look like positions come first in JavaScript, whoever reads them.
      .map((fields) => fields.filter(([key]) => !/^"\d+"$/.test(key)))
      .map((fields) => `{${fields.map(([key, value]) => `${key}:${value}`).join(",")}}`),
  ),
}));

test("what was read is written back to the last character", () => {
  fc.assert(
    fc.property(anyJson, (text) => {
      const object = `{"a":${text},"b":[${text}]}`;
      expect(toJsonText(parseJsonText(object))).toBe(object);
    }),
    { numRuns: 2000 },
  );
});

test("indented, the layout is that of JSON.stringify and the numbers are as they were read", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = `{"a":${JSON.stringify(value)},"b":1e400}`;
      const expected = JSON.stringify({ a: value, b: 0 }, null, 2).replace(/0\n\}$/, "1e400\n}");
      expect(toIndentedJson(parseJsonText(text))).toBe(expected);
    }),
    { numRuns: 500 },
  );
});

test("the values are those of JSON.parse, white space or not", () => {
  fc.assert(
    fc.property(anyJson, fc.constantFrom("", " ", "\n\t", "\r\n  "), (text, space) => {
      const parts = ["{", '"a"', ":", text, ",", '"b"', ":", "[", "1.0", ",", "{", "}", ",", '" , "', "]", "}"];
      const spaced = `${space}${parts.join(space)}${space}`;
      const value = parseJsonText(spaced);
      expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(spaced)));
      expect(toJsonText(value)).toBe(parts.join(""));
    }),
  );
});

test.each(["", "[", '{"a":1.0', "[01]", "[1.]", "[NaN]", "[1.0 2]", '{"a":1.0,}', "[1.0]x"])(
  "what JSON.parse refuses is refused: %s",
  (text) => {
    expect(() => parseJsonText(text)).toThrow(SyntaxError);
  },
);

test("of several fields of one name the last one counts, as in JSON.parse", () => {
  expect(toJsonText(read('{"a":1.0,"a":2,"b":1,"b":2.0}'))).toBe('{"a":2,"b":2.0}');
  expect(toJsonText(read('{"a":{"x":1.0},"a":[3.0]}'))).toBe('{"a":[3.0]}');
});

describe("an object that changed on its way", () => {
  test("takes its numbers along in a spread, and what was set anew is new", () => {
    const { gone, ...rest } = read('{"gone":1.0,"id":7.0,"area":1.10,"score":0.50}');
    expect(gone).toBe(1);
    expect(toJsonText({ ...rest, id: 7, area: 3 })).toBe('{"id":7.0,"area":3,"score":0.50}');
  });

  test("of two joined ones each number keeps its own text", () => {
    const joined = joinFields(read('{"a":1.0,"b":2.0,"c":3.0}'), { b: 2 }, read('{"c":3.00,"d":4.0,"__proto__":5.0}'));
    expect(toJsonText(joined)).toBe('{"a":1.0,"b":2,"c":3.00,"d":4.0,"__proto__":5.0}');
  });

  test("of chosen fields each number keeps its text", () => {
    expect(toJsonText(selectFields(read('{"a":1.0,"b":2.0}'), (key) => key === "b"))).toBe('{"b":2.0}');
  });

  test("shows its numbers to nobody but the writer", () => {
    const value = read('{"a":1.0,"b":[2.0]}');
    expect(Object.keys(value)).toEqual(["a", "b"]);
    expect(JSON.stringify(value)).toBe('{"a":1,"b":[2]}');
  });
});

test("a field that is read on its own keeps its text", () => {
  const header: JsonObject = {};
  setField(header, "version", 1.1, () => "1.10");
  setField(header, "__proto__", 2, () => "2.0");
  setField(header, "plain", 3, () => "3");
  setField(header, "deep", { a: [1] }, () => '{"a": [1.0]}');
  expect(toJsonText(header)).toBe('{"version":1.10,"__proto__":2.0,"plain":3,"deep":{"a":[1.0]}}');
});

test("the objects of a list keep theirs, each its own", () => {
  const text = ' [ {"a": 1.0}, 7.0, [{"b":2.0}], {"c":3}, "x,{", {"d":{"e":-0}} ] ';
  const list = JSON.parse(text) as JsonValue[];
  keepElementTexts(list, text);
  expect(list.map(toJsonText)).toEqual(['{"a":1.0}', "7", '[{"b":2}]', '{"c":3}', '"x,{"', '{"d":{"e":-0}}']);
});

test("a number can be named as it was written", () => {
  const value = read('{"id":9007199254740993,"n":5,"text":"5"}');
  expect(["id", "n", "text", "none", "toString"].map((key) => numberText(value, key))).toEqual([
    "9007199254740993",
    "5",
    undefined,
    undefined,
    undefined,
  ]);
});
