/**
 * Finds a few named fields of a JSON object in bytes, without building the object: an index over a million annotations
 * needs only their ids.
 */
import { receivedOf } from "../../errors.js";
import { shortNumber } from "../../json-text.js";
import type { Id } from "../../types.js";
import {
  BACKSLASH,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  endOfString,
  endOfValue,
  INCOMPLETE,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
} from "./scan.js";

/** The outermost level is not a well-formed object; JSON.parse will say what is wrong with it. */
const MALFORMED = -2;

/** Where the named fields of the last scanned object are. As in JSON.parse, the last of several equal names counts. */
export class FieldSpotter {
  private readonly names: readonly Uint8Array[];
  /** Start and end of each field's value, by the order of the names; start -1 where the field was not seen. */
  private readonly ranges: Int32Array;

  constructor(private readonly texts: readonly string[]) {
    this.names = texts.map((name) => Buffer.from(name));
    this.ranges = new Int32Array(texts.length * 2);
  }

  /**
   * @param at index of a value's first byte, of any type; fields are found in objects only
   * @returns index after the value, or INCOMPLETE
   * @throws JsonFault as `endOfValue` does
   */
  endOf(bytes: Uint8Array, at: number, to: number): number {
    this.ranges.fill(-1);
    if (bytes[at] !== OPEN_OBJECT || this.names.length === 0) return endOfValue(bytes, at, to);
    const end = this.endOfObject(bytes, at, to);
    return end === MALFORMED ? endOfValue(bytes, at, to) : end;
  }

  /** The id in a field of the last scanned object; undefined when the field is absent or holds no id. */
  id(field: number, bytes: Buffer): Id | undefined {
    const start = this.ranges[field * 2]!;
    return start < 0 ? undefined : readId(bytes, start, this.ranges[field * 2 + 1]!);
  }

  /** The JSON text of a field of the object scanned last; undefined when the field is absent. */
  text(field: number, bytes: Buffer): string | undefined {
    const start = this.ranges[field * 2]!;
    return start < 0 ? undefined : bytes.toString("latin1", start, this.ranges[field * 2 + 1]);
  }

  /** Whether the object scanned last has the field, whatever it holds. */
  has(field: number): boolean {
    return this.ranges[field * 2]! >= 0;
  }

  /** What stands in a field that holds no usable id, for a message: a number as it is written. */
  received(field: number, bytes: Buffer): string {
    const start = this.ranges[field * 2]!;
    if (start < 0) return "none";
    const token = bytes.subarray(start, this.ranges[field * 2 + 1]);
    const value = parseToken(token);
    if (typeof value === "number") return shortNumber(token.toString());
    return receivedOf(value === undefined ? token.toString() : value);
  }

  private endOfObject(bytes: Uint8Array, at: number, to: number): number {
    let i = skipSpace(bytes, at + 1, to);
    if (i < to && bytes[i] === CLOSE_OBJECT) return i + 1;
    for (;;) {
      const key = skipSpace(bytes, i, to);
      if (key >= to) return INCOMPLETE;
      if (bytes[key] !== QUOTE) return MALFORMED;
      const keyEnd = endOfString(bytes, key, to);
      if (keyEnd === INCOMPLETE) return INCOMPLETE;
      const colon = skipSpace(bytes, keyEnd, to);
      if (colon >= to) return INCOMPLETE;
      if (bytes[colon] !== COLON) return MALFORMED;
      const value = skipSpace(bytes, colon + 1, to);
      if (value >= to) return INCOMPLETE;
      if (bytes[value] === COMMA || bytes[value] === CLOSE_OBJECT) return MALFORMED;
      const valueEnd = endOfValue(bytes, value, to);
      if (valueEnd === INCOMPLETE) return INCOMPLETE;
      const field = this.fieldOf(bytes, key + 1, keyEnd - 1);
      if (field >= 0) {
        this.ranges[field * 2] = value;
        this.ranges[field * 2 + 1] = valueEnd;
      }
      i = skipSpace(bytes, valueEnd, to);
      if (i >= to) return INCOMPLETE;
      if (bytes[i] === CLOSE_OBJECT) return i + 1;
      if (bytes[i] !== COMMA) return MALFORMED;
      i++;
    }
  }

  /** @returns position of the key between `start` and `end` among the names, or -1 */
  private fieldOf(bytes: Uint8Array, start: number, end: number): number {
    for (let field = 0; field < this.names.length; field++)
      if (equals(bytes, start, end, this.names[field]!)) return field;
    for (let i = start; i < end; i++) {
      if (bytes[i] !== BACKSLASH) continue;
      // "\u0069d" is "id" to JSON.parse, so it has to be here.
      const key = parseToken(bytes.subarray(start - 1, end + 1));
      return typeof key === "string" ? this.texts.indexOf(key) : -1;
    }
    return -1;
  }
}

function equals(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}

/** Reads digits itself: a million calls of JSON.parse would cost more than finding the ids. */
function readId(bytes: Buffer, start: number, end: number): Id | undefined {
  if (end - start <= 15) {
    let value = 0;
    let i = start;
    for (; i < end; i++) {
      const digit = bytes[i]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (i === end && (bytes[start] !== 0x30 || end - start === 1)) return value;
  }
  return asId(parseToken(bytes.subarray(start, end)));
}

function parseToken(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as unknown;
  } catch {
    // Not JSON, hence no id; the annotation's own reading reports it with its place.
    return undefined;
  }
}

/** Characters of an id that is text: ids stand in every journal line, job and message. */
export const LONGEST_ID = 1000;

/**
 * An id that can be kept exactly: text, or a number within 2^53. JSON.parse rounds larger ones, so that two could be
 * equal.
 */
export function asId(value: unknown): Id | undefined {
  if (typeof value === "string") return value.length <= LONGEST_ID ? value : undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : undefined;
}
