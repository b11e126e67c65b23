/**
 * Lines of JSON (or one list), an object per box, as detectors print them: `{"image": "a.jpg", "bbox": [x, y, width, height],
 * "label": "car", "score": 0.9}`. Names of the fields are those of COCO or of common detectors; others come out again.
 */
import { invalidData, reasonOf, receivedOf } from "../../errors.js";
import { recognize } from "../../files/recognize.js";
import { isJsonObject } from "../../foreign.js";
import { joinFields, numberText, parseForeignJsonText, renamedField, selectFields } from "../../json-text.js";
import type { JsonObject } from "../../types.js";
import type { ByteFile } from "../json/byte-file.js";
import { walkJson } from "../json/elements.js";
import type { ForeignObject, ForeignReader } from "./dataset.js";
import type { FileStart, ForeignFormat } from "./format.js";
import { linesOf, RowIndex } from "./rows.js";
import { Utf8Reader } from "./text-file.js";

/** Bytes of one line. */
const LONGEST_LINE = 16 * 1024 * 1024;

const IMAGE_FIELDS = ["file_name", "image", "filename", "image_path", "image_id"] as const;
const LABEL_FIELDS = ["label", "category", "category_name", "class_name", "class", "category_id"] as const;
const BOX_FIELDS = ["bbox", "box"] as const;
const READ: ReadonlySet<string> = new Set<string>([...IMAGE_FIELDS, ...LABEL_FIELDS, ...BOX_FIELDS, "id"]);

export const NDJSON: ForeignFormat = {
  title: "lines of JSON",
  isFile: isLines,
  isJson: ({ root, isResults }) => root === "list" && !isResults,
  openFile: async ({ file }) => ((await isList(file)) ? openList(file) : openNdjson(file)),
};

async function isList(file: ByteFile): Promise<boolean> {
  const bytes = Buffer.alloc(64);
  return /^(?:\ufeff)?\s*\[/u.test(bytes.toString("utf8", 0, await file.read(bytes, 0)));
}

export function isLines({ text, ending }: FileStart): boolean {
  if (ending === ".ndjson" || ending === ".jsonl") return true;
  return recognize(Buffer.from(text))?.what === "one JSON object per line";
}

/** @throws E_DATA for a line that is no object or names no image */
async function openNdjson(file: ByteFile): Promise<ForeignReader> {
  const rows = new Rows(file, (line) => `line ${line}`);
  for await (const row of linesOf(file, LONGEST_LINE)) {
    if ("tooLong" in row)
      throw invalidData(
        `${file.path}, line ${row.tooLong}: expected at most ${LONGEST_LINE} bytes in a line, received more`,
        "Write one JSON object per line.",
      );
    rows.add(row.bytes, row.offset, row.line);
  }
  return rows.reader();
}

/**
 * The same objects in a list.
 * @returns undefined where the first one names no image and no label: another format
 */
async function openList(file: ByteFile): Promise<ForeignReader | undefined> {
  const rows = new Rows(file, (index) => `[${index}]`);
  const names = [...IMAGE_FIELDS, ...LABEL_FIELDS.filter((name) => name !== "category_id")];
  const first = { isOther: false };
  await walkJson(file, {
    root: {
      fields: names,
      element({ bytes, start, length, offset, index, fields }) {
        const has = (some: readonly string[]): boolean => names.some((name, i) => some.includes(name) && fields.has(i));
        if (index === 0) first.isOther = !has(IMAGE_FIELDS) || !has(LABEL_FIELDS);
        if (!first.isOther) rows.add(bytes.subarray(start, start + length), offset, index);
      },
    },
  });
  return first.isOther || rows.count === 0 ? undefined : rows.reader();
}

class Rows {
  private readonly index: RowIndex;

  /** @param placeOf names a row of the file for messages, by its line or its place in the list */
  constructor(
    private readonly file: ByteFile,
    private readonly placeOf: (number: number) => string,
  ) {
    this.index = new RowIndex(file);
  }

  get count(): number {
    return this.index.count;
  }

  add(bytes: Buffer, offset: number, number: number): void {
    const where = `${this.file.path}, ${this.placeOf(number)}`;
    const text = textOf(bytes, where);
    if (text.trim() === "") return;
    const object = parse(text, where);
    const image = firstOf(object, IMAGE_FIELDS);
    if (typeof image !== "string" && typeof image !== "number")
      throw invalidData(
        `${where}: expected the name of an image (${IMAGE_FIELDS.join(", ")}), received ${receivedOf(image)}`,
        'Write for example: {"image": "a.jpg", "bbox": [10, 20, 30, 40], "label": "car"}',
      );
    this.index.add({ name: nameIn(object) }, { offset, length: bytes.length, number });
  }

  reader(): ForeignReader {
    const { path } = this.file;
    return {
      format: "ndjson",
      source: path,
      isRelative: false,
      walk: () =>
        this.index.walk((rows) =>
          rows.map(({ bytes, number }) => toObject(parse(textOf(bytes, path), path), this.placeOf(number))),
        ),
      close: () => this.file.close(),
    };
  }
}

function textOf(bytes: Buffer, where: string): string {
  const reader = new Utf8Reader(where);
  return reader.decode(bytes) + reader.decode(new Uint8Array());
}

function parse(text: string, where: string): JsonObject {
  let value: unknown;
  try {
    value = parseForeignJsonText(text);
  } catch (error) {
    throw invalidData(
      `${where}: expected a JSON object, received ${receivedOf(text.trim())} (${reasonOf(error)})`,
      "Write one JSON object per line.",
      error,
    );
  }
  if (isJsonObject(value)) return value;
  throw invalidData(
    `${where}: expected a JSON object, received ${receivedOf(value)}`,
    "Write one JSON object per line.",
  );
}

/** A number names an image as it is written. */
function nameIn(object: JsonObject): string {
  const key = IMAGE_FIELDS.find((one) => Object.hasOwn(object, one) && object[one] !== null)!;
  return numberText(object, key) ?? (object[key] as string);
}

function firstOf(object: JsonObject, names: readonly string[]): unknown {
  const name = names.find((one) => Object.hasOwn(object, one) && object[one] !== null);
  return name === undefined ? undefined : object[name];
}

function toObject(object: JsonObject, at: string): ForeignObject {
  const label = firstOf(object, LABEL_FIELDS);
  const box = firstOf(object, BOX_FIELDS);
  const others = selectFields(object, (key) => !READ.has(key));
  const fields = joinFields(
    others,
    box === undefined ? {} : { bbox: box as JsonObject[string] },
    // The file's own id stays beside the number that it has here.
    renamedField(object, "id", "source_id"),
    { iscrowd: object["iscrowd"] ?? 0 },
  );
  if (label === undefined) return { at, label: undefined, fields };
  if (typeof label === "string" && label !== "") return { at, label, fields };
  if (typeof label === "number" && Number.isSafeInteger(label)) return { at, label, fields };
  const message = `expected a label (text or an integer), received ${receivedOf(label)}`;
  return { at, label: undefined, fields, problem: { reason: "category-unknown", message } };
}
