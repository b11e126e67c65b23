/**
 * Walks a JSON document in one pass without building it: reports every element of chosen lists with its byte range, and
 * hands the other top-level values to JSON.parse. The file's sha256 comes out of the same pass.
 *
 * Our own code, because byte ranges make later random access possible, and streaming parsers build every value they
 * pass. On a large COCO file it takes a third of the time of JSON.parse and a twentieth of the memory
 * (bench/figures.md).
 */
import { createHash } from "node:crypto";
import { count } from "../../count.js";
import { invalidData, receivedOf } from "../../errors.js";
import { recognize, RECOGNIZED_BYTES } from "../../files/recognize.js";
import type { JsonValue } from "../../types.js";
import type { ByteFile } from "./byte-file.js";
import { FieldSpotter } from "./fields.js";
import {
  CLOSE_LIST,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  describeByte,
  endOfValue,
  INCOMPLETE,
  JsonFault,
  JsonWindow,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
} from "./scan.js";
import { parseJsonBytes } from "./value.js";

/** One element of a list. It is the same object every time and its bytes are reused: copy what is needed. */
export interface ListElement {
  /** Position in its list, from 0. */
  index: number;
  /** Where the element begins in the file, and how long it is; bytes. */
  offset: number;
  length: number;
  /** Holds the element from `start`, and more around it. */
  bytes: Buffer;
  start: number;
  /** Fields asked for, when the element is an object. */
  readonly fields: FieldSpotter;
}

export interface ListHandler {
  /** Fields of the elements that `element` asks for, by position. */
  readonly fields: readonly string[];
  element(element: ListElement): void;
}

export interface WalkOptions {
  /** Top-level keys whose lists are walked element by element. */
  readonly lists?: ReadonlyMap<string, ListHandler>;
  /** For a document that is a list itself. */
  readonly root?: ListHandler;
  /** Is handed every other top-level value, including that of a chosen key that holds no list; see `setField`. */
  readonly value?: (key: string, value: JsonValue, text: () => string) => void;
  /** Bytes per read; tests make it small. */
  readonly chunkBytes?: number;
  /** Bytes of the largest single value, 64 MiB by default: bounds the memory a hostile file can ask for. */
  readonly maxValueBytes?: number;
}

/** What the document consists of. */
export interface JsonOutline {
  readonly root: "object" | "list";
  /** Top-level keys in file order. */
  readonly keys: readonly string[];
  /** Keys (of the chosen ones) whose value was a list, with the number of elements; a list document has the key "". */
  readonly counts: ReadonlyMap<string, number>;
  /** Hex, over all bytes of the file. */
  readonly sha256: string;
}

/** Skips a list. */
export const IGNORE: ListHandler = { fields: [], element: () => undefined };

const HINT = "Make sure the file is complete and was written by a JSON library, then run again.";

/**
 * @throws E_DATA with file, byte, line, expected and received: for broken structure, brackets deeper than 512 levels, a
 *   value of more than `maxValueBytes`, a top-level key given twice, a document that is neither object nor list, or an
 *   encoding other than UTF-8
 */
export async function walkJson(file: ByteFile, options: WalkOptions): Promise<JsonOutline> {
  const hash = createHash("sha256");
  const window = new JsonWindow(file, (bytes) => hash.update(bytes), options.chunkBytes, options.maxValueBytes);
  try {
    await checkStart(window);
    const outline = await walkDocument(window, options);
    return { ...outline, sha256: hash.digest("hex") };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    const at = window.base + error.at;
    throw invalidData(
      `${file.path}: byte ${at} (line ${await file.lineOf(at)}): ${error.message}`,
      error.advice ?? HINT,
      error,
    );
  }
}

/** Skips a byte order mark; what begins like no JSON is named as what it is. */
async function checkStart(window: JsonWindow): Promise<void> {
  while (window.end < RECOGNIZED_BYTES && (await window.fill()));
  const start = window.bytes.subarray(0, window.end);
  if (start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf) window.position = 3;
  const first = await window.peek();
  if (first === OPEN_LIST || (first === OPEN_OBJECT && !isPerLine(start))) return;
  const found = recognize(start);
  if (found === undefined) return;
  const advice = found.kind === "image" ? "Name the JSON file itself." : found.advice;
  throw new JsonFault(window.position, "JSON", found.what, advice);
}

/** Objects that begin on the first two lines: a document holds one. */
function isPerLine(start: Uint8Array): boolean {
  return /^\{[^\n]*\}[ \t\r]*\n\{/.test(Buffer.from(start).toString("latin1"));
}

async function walkDocument(window: JsonWindow, options: WalkOptions): Promise<Omit<JsonOutline, "sha256">> {
  const keys: string[] = [];
  const counts = new Map<string, number>();
  const first = await window.peek();
  if (first === OPEN_LIST) counts.set("", await walkList(window, "the list", options.root ?? IGNORE));
  else if (first === OPEN_OBJECT) await walkObject(window, options, keys, counts);
  else throw new JsonFault(window.position, "an object or a list", describeByte(first));
  const after = await window.peek();
  if (after !== undefined) throw new JsonFault(window.position, "the end of the file", describeByte(after));
  return { root: first === OPEN_LIST ? "list" : "object", keys, counts };
}

/** Walks an object from its opening bracket. */
async function walkObject(
  window: JsonWindow,
  options: WalkOptions,
  keys: string[],
  counts: Map<string, number>,
): Promise<void> {
  const seen = new Set<string>();
  window.position++;
  let next = await window.peek();
  while (next !== CLOSE_OBJECT) {
    if (next !== QUOTE)
      throw new JsonFault(
        window.position,
        seen.size === 0 ? 'a key in quotes or "}"' : "a key in quotes",
        describeByte(next),
      );
    const keyAt = window.base + window.position;
    const key = (await readValue(window, "a key")).value as string;
    const name = receivedOf(key);
    if (seen.has(key)) throw new JsonFault(keyAt - window.base, "every top-level key once", `${name} a second time`);
    seen.add(key);
    keys.push(key);
    await takeByte(window, COLON, `":" after ${name}`);
    const handler = options.lists?.get(key);
    if (handler !== undefined && (await window.peek()) === OPEN_LIST)
      counts.set(key, await walkList(window, key, handler));
    else {
      const { value, text } = await readValue(window, `the value of ${name}`);
      options.value?.(key, value, text);
    }
    if ((await window.peek()) === CLOSE_OBJECT) break;
    await takeByte(window, COMMA, `"," or "}" after the value of ${name}`);
    next = await window.peek();
    if (next === CLOSE_OBJECT) throw new JsonFault(window.position, "a key in quotes", describeByte(next));
  }
  window.position++;
}

/** Walks a list from its opening bracket. @returns number of elements */
async function walkList(window: JsonWindow, name: string, handler: ListHandler): Promise<number> {
  const element: ListElement = {
    index: -1,
    offset: 0,
    length: 0,
    bytes: window.bytes,
    start: 0,
    fields: new FieldSpotter(handler.fields),
  };
  window.position++;
  if ((await window.peek()) === CLOSE_LIST) {
    window.position++;
    return 0;
  }
  let afterValue = false;
  /**
   * Goes as far as the bytes at hand reach, because a promise per element would cost more than the scan.
   * @returns true at the end of the list
   */
  const scan = (): boolean => {
    for (;;) {
      const at = (window.position = skipSpace(window.bytes, window.position, window.end));
      if (at === window.end) return false;
      if (afterValue) {
        const byte = window.bytes[at]!;
        if (byte !== COMMA && byte !== CLOSE_LIST)
          throw new JsonFault(at, `"," or "]" after ${name}[${element.index}]`, describeByte(byte));
        window.position++;
        if (byte === CLOSE_LIST) return true;
      } else {
        const end = element.fields.endOf(window.bytes, at, window.end);
        if (end === INCOMPLETE) return false;
        element.index++;
        element.offset = window.base + at;
        element.length = end - at;
        element.bytes = window.bytes;
        element.start = at;
        handler.element(element);
        window.position = end;
      }
      afterValue = !afterValue;
    }
  };
  while (!scan())
    if (!(await window.fill()))
      throw truncated(window, `the rest of ${name} (${count(element.index + 1, "element")} so far)`);
  return element.index + 1;
}

interface ReadValue {
  readonly value: JsonValue;
  /** Valid until the window moves on. */
  readonly text: () => string;
}

/** Reads the value that begins at the next byte. @throws JsonFault when it is not JSON */
async function readValue(window: JsonWindow, what: string): Promise<ReadValue> {
  const first = await window.peek();
  if (first === undefined) throw truncated(window, what);
  let end: number;
  while ((end = endOfValue(window.bytes, window.position, window.end)) === INCOMPLETE) {
    if (!(await window.fill())) throw truncated(window, what);
  }
  const bytes = window.bytes.subarray(window.position, end);
  const parsed = parseJsonBytes(bytes, window.base + window.position);
  if (parsed.kind === "problem") throw new JsonFault(parsed.at - window.base, parsed.expected, parsed.received);
  window.position = end;
  return { value: parsed.value, text: () => bytes.toString() };
}

async function takeByte(window: JsonWindow, byte: number, expected: string): Promise<void> {
  const found = await window.peek();
  if (found !== byte) throw new JsonFault(window.position, expected, describeByte(found));
  window.position++;
}

function truncated(window: JsonWindow, what: string): JsonFault {
  return new JsonFault(window.end, what, "the end of the file");
}
