/**
 * Walking a JSON file element by element: the same values JSON.parse gives, at the places it says, and clear words for
 * damage.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openByteFile } from "../../../src/dataset/json/byte-file.js";
import { walkJson } from "../../../src/dataset/json/elements.js";
import type { JsonOutline, ListElement } from "../../../src/dataset/json/elements.js";
import type { JsonValue } from "../../../src/types.js";
import { errorOf, folderWith } from "../temporary-folder.js";

const folder = await folderWith({});

interface Walked {
  readonly outline: JsonOutline;
  readonly elements: Record<string, unknown[]>;
  readonly values: Record<string, JsonValue>;
  readonly ids: unknown[];
}

/** Walks the lists "a" and "images" of an object, or a list. */
async function walk(contents: string | Buffer, chunkBytes?: number): Promise<Walked> {
  const bytes = Buffer.from(contents);
  const path = join(folder, "walked.json");
  await writeFile(path, bytes);
  const file = await openByteFile(path, "box file");
  try {
    const elements: Record<string, unknown[]> = {};
    const values = Object.create(null) as Record<string, JsonValue>;
    const ids: unknown[] = [];
    const collect = (name: string) => ({
      fields: ["id", "image_id"],
      element({ index, offset, length, bytes: window, start, fields }: ListElement) {
        const list = (elements[name] ??= []);
        expect(index).toBe(list.length);
        const text = window.subarray(start, start + length).toString();
        expect(text).toBe(bytes.subarray(offset, offset + length).toString());
        list.push(JSON.parse(text));
        ids.push(fields.id(0, window), fields.id(1, window));
      },
    });
    const outline = await walkJson(file, {
      lists: new Map([
        ["a", collect("a")],
        ["images", collect("images")],
      ]),
      root: collect(""),
      value(key, value) {
        values[key] = value;
      },
      ...(chunkBytes !== undefined && { chunkBytes }),
    });
    return { outline, elements, values, ids };
  } finally {
    await file.close();
  }
}

const anyJson = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;
const anyIndent = fc.constantFrom(undefined, 1, "\t", "\r\n \t");
const anyChunk = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(1 << 16));

describe("walking sound JSON", () => {
  test("the elements of a list are those JSON.parse gives, at any chunk border and with any white space", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyJson), anyIndent, anyChunk, async (list, indent, chunk) => {
        const { outline, elements } = await walk(JSON.stringify(list, undefined, indent), chunk);
        expect(outline).toMatchObject({ root: "list", keys: [], counts: new Map([["", list.length]]) });
        expect(elements[""] ?? []).toEqual(JSON.parse(JSON.stringify(list)));
      }),
      { numRuns: 80 },
    );
  });

  test("chosen lists come as elements and all other fields as values, whatever their order", async () => {
    const document = fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("a", "images", "__proto__", "constructor", "")),
      fc.oneof(anyJson, fc.array(anyJson)),
    );
    await fc.assert(
      fc.asyncProperty(document, anyIndent, anyChunk, async (object, indent, chunk) => {
        const text = JSON.stringify(object, undefined, indent);
        const { outline, elements, values } = await walk(text, chunk);
        const parsed = JSON.parse(text) as Record<string, JsonValue>;
        expect(outline.keys.toSorted()).toEqual(Object.keys(parsed).toSorted());
        for (const [key, value] of Object.entries(parsed)) {
          if ((key === "a" || key === "images") && Array.isArray(value)) expect(elements[key] ?? []).toEqual(value);
          else expect(values[key]).toEqual(value);
        }
      }),
      { numRuns: 80 },
    );
  });

  test("ids are found in objects without parsing them, the last of several counting as in JSON.parse", async () => {
    const id = fc.oneof(
      fc.nat(),
      fc.double(),
      fc.string(),
      fc.maxSafeInteger(),
      fc.constantFrom(null, true, [1], { id: 2 }),
    );
    const field = fc.tuple(
      fc.oneof(fc.constantFrom("id", "image_id", "\\u0069d", "i", "idx", "image\\u005fid"), fc.constant("nested")),
      id,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(field)), anyChunk, async (objects, chunk) => {
        const texts = objects.map(
          (fields) => `{ ${fields.map(([key, value]) => `"${key}" : ${JSON.stringify(value)}`).join(" ,\n")} }`,
        );
        const { ids } = await walk(`[${texts.join(",")}]`, chunk);
        const usable = (value: unknown): unknown =>
          typeof value === "string" || (typeof value === "number" && Math.abs(value) <= Number.MAX_SAFE_INTEGER)
            ? value
            : undefined;
        expect(ids).toEqual(
          texts.flatMap((text) => {
            const parsed = JSON.parse(text) as Record<string, unknown>;
            return [usable(parsed["id"]), usable(parsed["image_id"])];
          }),
        );
      }),
      { numRuns: 80 },
    );
  });

  test("the sha256 is that of the whole file", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyJson), anyChunk, async (list, chunk) => {
        const text = `${JSON.stringify(list)}  \n`;
        const { outline } = await walk(text, chunk);
        expect(outline.sha256).toBe(createHash("sha256").update(text).digest("hex"));
      }),
      { numRuns: 20 },
    );
  });

  test("a byte order mark is passed by", async () => {
    expect((await walk("\uFEFF[1]")).elements).toEqual({ "": [1] });
  });

  test("a list of another length than one read is walked to its end", async () => {
    const list = Array.from({ length: 5000 }, (_, id) => ({ id, image_id: `image "${id}" \\`, list: [[id], []] }));
    const { elements, ids } = await walk(JSON.stringify(list), 1000);
    expect(elements[""]).toEqual(list);
    expect(ids).toEqual(list.flatMap(({ id, image_id }) => [id, image_id]));
  });
});

describe("walking what is no sound JSON", () => {
  test.each([
    { text: "", says: "byte 0 (line 1): expected JSON, received an empty file", why: "an empty file" },
    {
      text: " \n ",
      says: "byte 3 (line 2): expected an object or a list, received the end of the file",
      why: "nothing but space",
    },
    { text: "hello", says: 'byte 0 (line 1): expected an object or a list, received "h"', why: "plain text" },
    { text: "42", says: 'byte 0 (line 1): expected an object or a list, received "4"', why: "a number" },
    {
      text: '\n\n{"a": [1, 2',
      says: "byte 13 (line 3): expected the rest of a (1 element so far), received the end of the file",
      why: "a file cut inside a list",
    },
    {
      text: '{"a": [1], "b": {"c": 1',
      says: 'byte 23 (line 1): expected the value of "b", received the end of the file',
      why: "a file cut inside a value",
    },
    {
      text: '{"a": [1], "b',
      says: "byte 13 (line 1): expected a key, received the end of the file",
      why: "a file cut inside a key",
    },
    {
      text: '{"b":',
      says: 'byte 5 (line 1): expected the value of "b", received the end of the file',
      why: "a file cut before a value",
    },
    {
      text: '{"b": 1',
      says: 'byte 7 (line 1): expected the value of "b", received the end of the file',
      why: "a file cut after a number",
    },
    {
      text: '{"b": []',
      says: 'byte 8 (line 1): expected "," or "}" after the value of "b", received the end of the file',
      why: "a file cut after a value",
    },
    {
      text: '{"a": [{"id": 1}',
      says: "byte 16 (line 1): expected the rest of a (1 element so far), received the end of the file",
      why: "a file cut between elements",
    },
    {
      text: '{"a": [{"id": 1]}',
      says: 'byte 15 (line 1): expected "}", received "]"',
      why: "brackets that do not match",
    },
    {
      text: '{"a": [1 2]}',
      says: 'byte 9 (line 1): expected "," or "]" after a[0], received "2"',
      why: "a missing comma in a list",
    },
    { text: "[1,]", says: 'byte 3 (line 1): expected a value, received "]"', why: "a comma too many in a list" },
    {
      text: '{"b": 1,}',
      says: 'byte 8 (line 1): expected a key in quotes, received "}"',
      why: "a comma too many in an object",
    },
    {
      text: '{"b": 1 "c": 2}',
      says: 'byte 8 (line 1): expected "," or "}" after the value of "b", received """',
      why: "a missing comma in an object",
    },
    { text: '{"b" 1}', says: 'byte 5 (line 1): expected ":" after "b", received "1"', why: "a missing colon" },
    {
      text: "{b: 1}",
      says: 'byte 1 (line 1): expected a key in quotes or "}", received "b"',
      why: "a key without quotes",
    },
    {
      text: '{"b": 1, c: 2}',
      says: 'byte 9 (line 1): expected a key in quotes, received "c"',
      why: "a later key without quotes",
    },
    {
      text: '{"b": 1}\u0007',
      says: "byte 8 (line 1): expected the end of the file, received byte 0x07",
      why: "more after the end",
    },
    {
      text: '{"b": 1, "b": 2}',
      says: 'byte 9 (line 1): expected every top-level key once, received "b" a second time',
      why: "a key that stands twice",
    },
    {
      text: '{"b": 1, "\\u0062": 2}',
      says: 'expected every top-level key once, received "b" a second time',
      why: "a key that stands twice, written differently",
    },
    {
      text: '{"b":\n [1, NaN]}',
      says: "byte 11 (line 2): expected a number, true, false or null, received NaN (Python writes it, JSON does not have it)",
      why: "Python's NaN",
    },
    {
      text: '{"b": -Infinity}',
      says: "byte 6 (line 1): expected a number, true, false or null, received -Infinity (Python writes it, JSON does not have it)",
      why: "Python's infinity",
    },
    {
      text: '{"b": {"c": None, "d": "NaN"}}',
      says: "byte 12 (line 1): expected a number, true, false or null, received None (Python writes it, JSON does not have it)",
      why: "a Python dictionary",
    },
    { text: '{"b": 01}', says: "received 01", why: "a number with a leading zero" },
    {
      text: '{"b": {"c" 1}}',
      says: "byte 6 (line 1): expected a JSON value, received text that is none (",
      why: "a broken value",
    },
    {
      text: '{"b": "x\ny"}',
      says: "byte 6 (line 1): expected a JSON value, received text that is none (",
      why: "a line break in a string",
    },
    {
      text: '{"b\n": 1}',
      says: "byte 1 (line 1): expected a JSON value, received text that is none (",
      why: "a line break in a key",
    },
  ])("$why is refused with its place", async ({ text, says }) => {
    for (const chunk of [1, 3, 1 << 20]) {
      const error = await errorOf(walk(text, chunk));
      expect(error.message).toContain(says);
      expect(error.message).toContain("walked.json: byte ");
      expect(error).toMatchObject({ code: "E_DATA", exitCode: 65 });
    }
  });

  test.each([
    { bytes: [0x1f, 0x8b, 8, 0], says: "expected JSON, received a gzip file" },
    { bytes: [0x50, 0x4b, 3, 4], says: "expected JSON, received a zip file" },
    { bytes: [0xff, 0xfe, 0x7b, 0], says: "expected JSON, received text in UTF-16" },
    { bytes: [0xfe, 0xff, 0, 0x7b], says: "expected JSON, received text in UTF-16" },
    {
      bytes: [...Buffer.from('{"b": "'), 0xff, ...Buffer.from('"}')],
      says: "byte 6 (line 1): expected text in UTF-8, received other bytes",
    },
  ])("other bytes are named: $says", async ({ bytes, says }) => {
    expect((await errorOf(walk(Buffer.from(bytes)))).message).toContain(says);
  });

  test("brackets 512 deep are read, one more is refused", async () => {
    const nested = (depth: number): string => `[${"[".repeat(depth)}${"]".repeat(depth)}]`;
    expect((await walk(nested(512))).outline.counts.get("")).toBe(1);
    expect((await errorOf(walk(nested(513)))).message).toContain(
      "byte 513 (line 1): expected at most 512 levels of brackets, received one more",
    );
    expect((await errorOf(walk("[".repeat(100_000)))).message).toContain("expected at most 512 levels");
  });

  test("a value above the limit is refused instead of being held in memory, one at the limit is read", async () => {
    const path = join(folder, "large.json");
    await writeFile(path, `["${"x".repeat(998)}", "${"y".repeat(999)}"]`);
    const file = await openByteFile(path, "box file");
    const lengths: number[] = [];
    const walking = walkJson(file, {
      chunkBytes: 64,
      maxValueBytes: 1000,
      root: {
        fields: [],
        element({ length }) {
          lengths.push(length);
        },
      },
    });
    expect((await errorOf(walking)).message).toContain(
      "byte 1003 (line 1): expected values of at most 1000 bytes, received a longer one",
    );
    expect(lengths).toEqual([1000]);
    await file.close();
  });

  test("damage inside an element is left to whoever reads the element", async () => {
    const texts = [
      '{"id": 7, "bbox": [NaN, 1]}',
      '{"id": 8, "x" 1}',
      '{"id": 9,, }',
      '{"id": 10, "x": }',
      '{"id": 11, x: 1}',
      '{"id": 12 "x": 1}',
      '{"id": 1e, "id"}',
    ];
    const path = join(folder, "damaged.json");
    await writeFile(path, `[${texts.join(", ")}]`);
    const file = await openByteFile(path, "box file");
    const found: unknown[] = [];
    await walkJson(file, {
      root: {
        fields: ["id"],
        element({ bytes, start, length, fields }) {
          found.push(fields.id(0, bytes), bytes.subarray(start, start + length).toString());
        },
      },
    });
    expect(found).toEqual(texts.flatMap((text, i) => [i === 6 ? undefined : 7 + i, text]));
    await file.close();
  });
});

test("a file on disk is left as it was", async () => {
  const path = join(await folderWith({ "boxes.json": "[1]" }), "boxes.json");
  const file = await openByteFile(path, "box file");
  await walkJson(file, {});
  await file.close();
  expect(await readFile(path, "utf8")).toBe("[1]");
});
