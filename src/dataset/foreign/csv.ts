/**
 * Tables with a row per box. The header says what the columns are: two corners (`xmin,ymin,xmax,ymax`), a corner and a
 * size (`x,y,w,h`), or a list in one column (`bbox`); Open Images has its corners in shares of the image's size. Columns
 * that are not understood come out as attributes. Source of Open Images' columns:
 * storage.googleapis.com/openimages/web/download_v7.html, "Data formats".
 */
import { CsvError, parse as parseStream } from "csv-parse";
import { parse as parseSync } from "csv-parse/sync";
import { createReadStream } from "node:fs";
import type { TransformCallback } from "node:stream";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { count } from "../../count.js";
import { invalidData, reasonOf, receivedOf } from "../../errors.js";
import { recognize } from "../../files/recognize.js";
import type { JsonObject, SkipReason } from "../../types.js";
import type { ByteFile } from "../json/byte-file.js";
import type { ForeignObject, ForeignReader } from "./dataset.js";
import type { FileStart, ForeignFormat } from "./format.js";
import type { Row, RowImage } from "./rows.js";
import { RowIndex } from "./rows.js";
import { Utf8Reader } from "./text-file.js";
import { boxOfCorners, lengthOf, numberOf, sideOf } from "./values.js";

/** Characters of one row. */
const LONGEST_ROW = 1024 * 1024;
const MOST_COLUMNS = 1000;

/** For opening and for walking, which have to see the same rows. Tools that edit each other's tables mix line ends. */
const AS_WRITTEN = {
  record_delimiter: ["\r\n", "\n", "\r"],
  bom: true,
  relax_column_count: true,
  skip_empty_lines: true,
};

/** What a column may be called, without case and signs. */
const NAMES = {
  image: ["image", "filename", "imageid", "imagename", "imagepath", "img", "path", "file"],
  left: ["xmin", "left", "x1", "bboxxmin"],
  top: ["ymin", "top", "y1", "bboxymin"],
  right: ["xmax", "right", "x2", "bboxxmax"],
  bottom: ["ymax", "bottom", "y2", "bboxymax"],
  x: ["x", "bboxx"],
  y: ["y", "bboxy"],
  boxWidth: ["w", "bboxw", "bboxwidth", "boxwidth"],
  boxHeight: ["h", "bboxh", "bboxheight", "boxheight"],
  width: ["width", "imagewidth"],
  height: ["height", "imageheight"],
  bbox: ["bbox", "box"],
  label: ["label", "class", "labelname", "classname", "category", "categoryname", "name"],
  score: ["score", "confidence", "conf"],
  isGroup: ["isgroupof"],
} as const;
type Role = keyof typeof NAMES;
type Columns = ReadonlyMap<Role, number>;

const EXAMPLE = "Name the columns in the first line, for example: image,xmin,ymin,xmax,ymax,label";

interface Table {
  readonly delimiter: string;
  readonly columns: Columns;
  readonly header: readonly string[];
  readonly kind: "corners" | "size" | "list";
  readonly isRelative: boolean;
  /** Columns that are not understood, and where they stand. */
  readonly others: readonly (readonly [name: string, at: number])[];
}

export const CSV: ForeignFormat = {
  title: "CSV",
  isFile: isTable,
  openFile: ({ file }) => openCsv(file),
};

function isTable({ text, ending, root }: FileStart): boolean {
  if (root !== undefined) return false;
  if (ending === ".csv" || ending === ".tsv") return true;
  const what = recognize(Buffer.from(text))?.what;
  return what === "a CSV file" || what === "a TSV file";
}

/** @throws E_DATA for a table whose columns or quotes cannot be read, with the line */
async function openCsv(file: ByteFile): Promise<ForeignReader> {
  const index = new RowIndex(file);
  let table: Table | undefined;
  let end = 0;
  const delimiter = await delimiterOf(file);
  const parser = parseStream({
    ...AS_WRITTEN,
    delimiter,
    info: true,
    max_record_size: LONGEST_ROW,
  });
  const input = createReadStream(file.path);
  const checked = pipeline(input, utf8Only(file.path), parser).catch(() => undefined); // The parser says what it was.
  try {
    for await (const { record, info } of parser as AsyncIterable<CsvRow>) {
      const start = end;
      end = info.bytes;
      if (table === undefined) table = tableOf(record, delimiter, file.path);
      else {
        if (record.length > MOST_COLUMNS) throw tooMany(file.path, info.lines, record.length);
        if (record.every((text) => text.trim() === "")) continue;
        index.add(imageOf(record, table), { offset: start, length: end - start, number: info.lines });
      }
    }
  } catch (error) {
    throw errorOf(error, file.path);
  } finally {
    input.destroy();
    await checked;
  }
  if (table === undefined) throw invalidData(`${file.path}: expected a header line, received none`, EXAMPLE);
  const known = table;
  return {
    // The same rows under other names of columns are other boxes.
    identity: JSON.stringify([known.header, known.delimiter]),
    notes: notesOf(known, file.path),
    format: "csv",
    source: file.path,
    isRelative: known.isRelative,
    walk: () =>
      index.walk((rows) =>
        recordsOf(rows, known, file.path).map((record, i) => toObject(record, known, `line ${rows[i]!.number}`)),
      ),
    close: () => file.close(),
  };
}

/** Passes bytes on as they are: the parser would take others for a sign of its own. */
function utf8Only(path: string): Transform {
  const reader = new Utf8Reader(path);
  const check = (bytes: Uint8Array, done: TransformCallback): void => {
    try {
      reader.decode(bytes);
    } catch (error) {
      done(error as Error);
      return;
    }
    done(null, bytes);
  };
  return new Transform({
    transform(chunk: Buffer, _, done) {
      check(chunk, done);
    },
    flush(done) {
      check(new Uint8Array(), done);
    },
  });
}

interface CsvRow {
  readonly record: readonly string[];
  readonly info: { readonly bytes: number; readonly lines: number };
}

/** All rows of an image at once: for each one alone, setting up the parser takes longer than parsing. */
function recordsOf(rows: readonly Row[], { delimiter }: Table, path: string): readonly (readonly string[])[] {
  // Only the last row of the file may lack its end, and no row of its image comes behind it.
  const text = Buffer.concat(rows.map(({ bytes }) => bytes));
  try {
    const records = parseSync(text, { ...AS_WRITTEN, delimiter });
    if (records.length === rows.length) return records;
  } catch (error) {
    throw errorOf(error, path);
  }
  throw invalidData(
    `${path}: expected the file to stay as it was when the run began, received other rows`,
    "Something writes to the file: let it finish, then run again.",
  );
}

/** Of comma, semicolon and tab the one that the first line has most of. */
async function delimiterOf(file: ByteFile): Promise<string> {
  const start = Buffer.alloc(Math.min(file.size, 64 * 1024));
  await file.read(start, 0);
  const first = start.toString("utf8").split(/\r?\n/u, 1)[0]!;
  const counts = [",", ";", "\t"].map((sign) => [sign, first.split(sign).length] as const);
  return counts.reduce((a, b) => (b[1] > a[1] ? b : a))[0];
}

function tableOf(header: readonly string[], delimiter: string, path: string): Table {
  if (header.length > MOST_COLUMNS) throw tooMany(path, 1, header.length);
  const plain = header.map((name) => name.toLowerCase().replace(/[^a-z0-9]/gu, ""));
  const columns = new Map<Role, number>();
  for (const [role, names] of Object.entries(NAMES) as [Role, readonly string[]][]) {
    const at = names.map((name) => plain.indexOf(name)).find((found) => found >= 0);
    if (at !== undefined) columns.set(role, at);
  }
  const has = (...roles: readonly Role[]): boolean => roles.every((role) => columns.has(role));
  const kind = has("left", "top", "right", "bottom")
    ? "corners"
    : has("x", "y", "boxWidth", "boxHeight") || has("x", "y", "width", "height")
      ? "size"
      : columns.has("bbox")
        ? "list"
        : undefined;
  if (kind === undefined || !columns.has("image")) {
    const shown = header.slice(0, 10).map(receivedOf).join(", ");
    throw invalidData(
      `${path}, line 1: expected columns for the image and its box (image,xmin,ymin,xmax,ymax or image,x,y,w,h), ` +
        `received ${shown}${header.length > 10 ? ` and ${header.length - 10} more` : ""}`,
      EXAMPLE,
    );
  }
  // Open Images, by the spelling of its columns.
  const isRelative = ["ImageID", "XMin", "XMax", "YMin", "YMax"].every((name) => header.includes(name));
  if (kind === "size" && !has("boxWidth", "boxHeight")) {
    columns.set("boxWidth", columns.get("width")!).set("boxHeight", columns.get("height")!);
    columns.delete("width");
    columns.delete("height");
  }
  return {
    columns,
    header,
    kind,
    isRelative,
    delimiter,
    others: othersOf(header, columns),
  };
}

/** Columns without a role. A name that is there again says which column it is: neither may hide the other. */
function othersOf(header: readonly string[], columns: Columns): Table["others"] {
  const [known, seen] = [new Set(columns.values()), new Set<string>()];
  return header.flatMap((name, at) => {
    if (known.has(at) || name === "") return [];
    const own = seen.has(name) ? `${name} (column ${at + 1})` : name;
    seen.add(name);
    return [[own, at] as const];
  });
}

function cell(row: readonly string[], { columns }: Table, role: Role): string | undefined {
  const at = columns.get(role);
  const text = at === undefined ? undefined : row[at]?.trim();
  return text === "" ? undefined : text;
}

function imageOf(row: readonly string[], table: Table): RowImage {
  const name = cell(row, table, "image") ?? "";
  const [width, height] = (["width", "height"] as const).map((role) => sideOf(cell(row, table, role)));
  return { name, ...(width !== undefined && height !== undefined && { width, height }) };
}

/** @returns undefined where a row has neither box nor label: the image has no objects */
function toObject(row: readonly string[], table: Table, at: string): ForeignObject | undefined {
  const label = cell(row, table, "label");
  const roles = ROLES[table.kind];
  const texts = roles.map((role) => cell(row, table, role));
  if (label === undefined && texts.every((text) => text === undefined)) return undefined;
  const score = numberOf(cell(row, table, "score"));
  const attributes = attributesOf(row, table);
  const others: JsonObject = {
    iscrowd: 0,
    ...(score !== undefined && { score }),
    ...(Object.keys(attributes).length > 0 && { attributes }),
  };
  // A table without such a column has one kind of object.
  const named = table.columns.has("label") ? label : "object";
  if (cell(row, table, "image") === undefined)
    return {
      at,
      label: named,
      fields: others,
      problem: { reason: "image-unknown", message: "expected the name of an image, received none" },
    };
  const { length } = table.header;
  if (row.slice(length).some((text) => text.trim() !== ""))
    return {
      at,
      label: named,
      fields: others,
      problem: {
        reason: "annotation-invalid",
        message: `expected ${count(length, "column")}, as the first line names, received ${row.length}`,
      },
    };
  const box = boxOf(texts, table);
  if (typeof box === "string")
    return { at, label: named, fields: others, problem: { reason: "box-invalid", message: box } };
  const skip: SkipReason | undefined = cell(row, table, "isGroup") === "1" ? "group" : undefined;
  return { at, label: named, fields: { bbox: box, ...others }, ...(skip !== undefined && { skip }) };
}

const ROLES = {
  corners: ["left", "top", "right", "bottom"],
  size: ["x", "y", "boxWidth", "boxHeight"],
  list: ["bbox"],
} as const satisfies Record<Table["kind"], readonly Role[]>;

/** @returns [left, top, width, height], or what is wrong */
function boxOf(texts: readonly (string | undefined)[], { kind, header, columns }: Table): number[] | string {
  if (kind === "list") return boxOfList(texts[0]);
  const names = ROLES[kind].map((role) => header[columns.get(role)!]!) as [string, string, string, string];
  if (kind === "corners") {
    const box = boxOfCorners(texts, names);
    if ("problem" in box) return box.problem;
    const [left, top, right, bottom] = box.corners;
    return [left, top, lengthOf(left, right), lengthOf(top, bottom)];
  }
  const numbers = texts.map(numberOf);
  const bad = numbers.indexOf(undefined);
  if (bad >= 0) return `expected ${names[bad]!} to be a number, received ${receivedOf(texts[bad])}`;
  return numbers as number[];
}

/** "[834.0, 222.0, 56.0, 36.0]" or the same without brackets. */
function boxOfList(text: string | undefined): number[] | string {
  const parts = (text ?? "")
    .replace(/^[[(]|[\])]$/gu, "")
    .split(/[\s,;]+/u)
    .filter((part) => part !== "");
  const numbers = parts.slice(0, 5).map(numberOf);
  if (numbers.length !== 4 || numbers.includes(undefined))
    return `expected a box of four numbers, received ${receivedOf(text)}`;
  return numbers as number[];
}

/** One line on the columns that have no meaning here. */
function notesOf({ others }: Table, path: string): readonly string[] {
  if (others.length === 0) return [];
  const shown = others
    .slice(0, 10)
    .map(([name]) => receivedOf(name))
    .join(", ");
  const more = others.length > 10 ? ` and ${others.length - 10} more` : "";
  return [`${path}: ${count(others.length, "column")} not understood, kept as attributes: ${shown}${more}`];
}

/** Columns without a role, as text. */
function attributesOf(row: readonly string[], { others }: Table): JsonObject {
  const attributes = new Map<string, string>();
  for (const [name, at] of others) {
    const text = row[at];
    if (text !== undefined && text !== "") attributes.set(name, text);
  }
  return Object.fromEntries(attributes);
}

function tooMany(path: string, line: number, received: number): Error {
  return invalidData(
    `${path}, line ${line}: expected at most ${MOST_COLUMNS} columns, received ${received}`,
    "Check the separator and the quotes.",
  );
}

function errorOf(error: unknown, path: string): unknown {
  if (!(error instanceof CsvError)) return error;
  const line = typeof error["lines"] === "number" ? `, line ${error["lines"]}` : "";
  const what = error.code === "CSV_MAX_RECORD_SIZE" ? `a row of more than ${LONGEST_ROW} characters` : reasonOf(error);
  return invalidData(
    `${path}${line}: expected a table in CSV, received ${receivedOf(what).replace(/^"|"$/gu, "")}`,
    "Check the quotes in and before this line.",
    error,
  );
}
