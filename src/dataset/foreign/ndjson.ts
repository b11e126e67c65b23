/**
 * Lines of JSON, an object per box, as detectors print them: `{"image": "a.jpg", "bbox": [x, y, width, height],
 * "label": "car", "score": 0.9}`. Names of the fields are those of COCO or of common detectors; others come out again.
 */
import { invalidData, receivedOf } from "../../errors.js";
import { recognize } from "../../files/recognize.js";
import { parseForeignJson } from "../../foreign.js";
import { joinFields, numberText, parseJsonText, renamedField, selectFields } from "../../json-text.js";
import type { JsonObject } from "../../types.js";
import type { ByteFile } from "../json/byte-file.js";
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
  openFile: ({ file }) => openNdjson(file),
};

export function isLines({ text, ending }: FileStart): boolean {
  if (ending === ".ndjson" || ending === ".jsonl") return true;
  return recognize(Buffer.from(text))?.what === "one JSON object per line";
}

/** @throws E_DATA for a line that is no object or names no image */
async function openNdjson(file: ByteFile): Promise<ForeignReader> {
  const source = file.path;
  const index = new RowIndex(file);
  const lines: number[] = [];
  for await (const row of linesOf(file, LONGEST_LINE)) {
    if ("tooLong" in row)
      throw invalidData(
        `${source}, line ${row.tooLong}: expected at most ${LONGEST_LINE} bytes in a line, received more`,
        "Write one JSON object per line.",
      );
    const text = textOf(row.bytes, `${source}, line ${row.line}`);
    if (text.trim() === "") continue;
    const object = parse(text, `${source}, line ${row.line}`);
    const image = firstOf(object, IMAGE_FIELDS);
    if (typeof image !== "string" && typeof image !== "number")
      throw invalidData(
        `${source}, line ${row.line}: expected the name of an image (${IMAGE_FIELDS.join(", ")}), ` +
          `received ${receivedOf(image)}`,
        'Write for example: {"image": "a.jpg", "bbox": [10, 20, 30, 40], "label": "car"}',
      );
    index.add({ name: nameIn(object) }, row.offset, row.bytes.length);
    lines.push(row.line);
  }
  return {
    format: "ndjson",
    source,
    isRelative: false,
    walk: () => index.walk((bytes, row) => toObject(parse(textOf(bytes, source), source), `line ${lines[row]!}`)),
    close: () => file.close(),
  };
}

function textOf(bytes: Buffer, where: string): string {
  const reader = new Utf8Reader(where);
  return reader.decode(bytes) + reader.decode(new Uint8Array());
}

function parse(text: string, where: string): JsonObject {
  let value: unknown;
  try {
    parseForeignJson(text);
    value = parseJsonText(text);
  } catch (error) {
    throw invalidData(
      error instanceof SyntaxError && error.message.includes("levels")
        ? `${where}: expected a JSON object, but its ${error.message}`
        : `${where}: expected a JSON object, received ${receivedOf(text.trim())}`,
      "Write one JSON object per line.",
      error,
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
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
