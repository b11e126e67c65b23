/**
 * Where a JSON value ends, found in bytes without building the value, and the window that slides along the file until
 * one whole value fits. Source: RFC 8259.
 *
 * Only strings and brackets are looked at. What stands between them is judged by JSON.parse when the value is read, so
 * that one bad number costs one value and not the file.
 */
import type { ByteFile } from "./byte-file.js";

/** The bytes at hand do not hold the whole value; read more and ask again. */
export const INCOMPLETE = -1;

/** Levels of brackets a value may have. Annotations need four; what goes deeper is damage or an attack. */
const MAX_DEPTH = 512;

export const QUOTE = 0x22,
  COMMA = 0x2c,
  COLON = 0x3a,
  BACKSLASH = 0x5c,
  OPEN_LIST = 0x5b,
  CLOSE_LIST = 0x5d,
  OPEN_OBJECT = 0x7b,
  CLOSE_OBJECT = 0x7d;

/** The structure is broken at `at`, an index into the scanned bytes; whoever knows the file makes a message of it. */
export class JsonFault extends Error {
  override readonly name = "JsonFault";
  constructor(
    readonly at: number,
    readonly expected: string,
    readonly received: string,
    /** What to do next, where more is known than that the file is broken. */
    readonly advice?: string,
  ) {
    super(`expected ${expected}, received ${received}`);
  }
}

const SPACE = byteSet(" \t\n\r");
/** Bytes that matter between the brackets of a value. */
const STRUCTURE = byteSet('"[]{}');
/** Bytes that end a number or a word. */
const AFTER_SCALAR = byteSet(' \t\n\r,:[]{}"');

/** Scratch of `endOfNested`, which never waits: a new array for each of two million lists takes as long as the scan. */
const OPEN_BRACKETS = new Uint8Array(MAX_DEPTH);

function byteSet(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (const character of characters) set[character.charCodeAt(0)] = 1;
  return set;
}

/** @returns index of the first byte in [at, to) that is no white space, or `to` */
export function skipSpace(bytes: Uint8Array, at: number, to: number): number {
  while (at < to && SPACE[bytes[at]!] === 1) at++;
  return at;
}

/**
 * @param at index of the value's first byte
 * @param to end of the bytes at hand
 * @returns index after the value, or INCOMPLETE
 * @throws JsonFault when no value starts here, when brackets do not match, or beyond MAX_DEPTH levels
 */
export function endOfValue(bytes: Uint8Array, at: number, to: number): number {
  const first = bytes[at]!;
  if (first === OPEN_OBJECT || first === OPEN_LIST) return endOfNested(bytes, at, to);
  if (first === QUOTE) return endOfString(bytes, at, to);
  return endOfScalar(bytes, at, to);
}

/** @param at index of the opening quote */
export function endOfString(bytes: Uint8Array, at: number, to: number): number {
  for (let i = at + 1; i < to;) {
    const byte = bytes[i]!;
    if (byte === QUOTE) return i + 1;
    i += byte === BACKSLASH ? 2 : 1;
  }
  return INCOMPLETE;
}

/** Number, true, false, null, or whatever stands in their place (NaN): any run of bytes up to the next separator. */
function endOfScalar(bytes: Uint8Array, at: number, to: number): number {
  const i = endOfToken(bytes, at, to);
  if (i === at) throw new JsonFault(at, "a value", describeByte(bytes[at]));
  return i < to ? i : INCOMPLETE;
}

/** @returns index of the first byte in [at, to) that separates values, or `to` */
export function endOfToken(bytes: Uint8Array, at: number, to: number): number {
  while (at < to && AFTER_SCALAR[bytes[at]!] === 0) at++;
  return at;
}

function endOfNested(bytes: Uint8Array, at: number, to: number): number {
  const open = OPEN_BRACKETS;
  let depth = 0;
  for (let i = at; ;) {
    while (i < to && STRUCTURE[bytes[i]!] === 0) i++;
    if (i >= to) return INCOMPLETE;
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      i = endOfString(bytes, i, to);
      if (i === INCOMPLETE) return INCOMPLETE;
      continue;
    }
    if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (depth === MAX_DEPTH) throw new JsonFault(i, `at most ${MAX_DEPTH} levels of brackets`, "one more");
      open[depth++] = byte;
    } else {
      // In ASCII the closing bracket follows two places after the opening one, for both kinds.
      const wanted = open[--depth]! + 2;
      if (byte !== wanted) throw new JsonFault(i, describeByte(wanted), describeByte(byte));
      if (depth === 0) return i + 1;
    }
    i++;
  }
}

/** For messages: the character, or the byte's number where it is not printable. */
export function describeByte(byte: number | undefined): string {
  if (byte === undefined) return "the end of the file";
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, "0")}`;
}

/**
 * Largest single value: an annotation, an image record or a top-level field. Bounds the memory a hostile file can take.
 */
const MAX_VALUE_BYTES = 64 * 2 ** 20;
const CHUNK_BYTES = 2 ** 20;

/** The part of a JSON file that is being looked at: slides along the file and grows until one whole value fits. */
export class JsonWindow {
  /** Valid from 0 to `end`; replaced when the window grows. */
  bytes: Buffer;
  /** Place of `bytes[0]` in the file. */
  base = 0;
  /** Next byte to look at, and end of what was read; indices into `bytes`. */
  position = 0;
  end = 0;

  /**
   * @param consume is handed every byte of the file once, in order
   * @param chunkBytes bytes per read
   * @param maxValueBytes bytes of the largest value
   */
  constructor(
    private readonly file: ByteFile,
    private readonly consume: (bytes: Uint8Array) => void,
    private readonly chunkBytes = CHUNK_BYTES,
    private readonly maxValueBytes = MAX_VALUE_BYTES,
  ) {
    this.bytes = Buffer.allocUnsafe(Math.max(1, Math.min(chunkBytes, file.size)));
  }

  /**
   * Reads on; bytes before `position` are discarded.
   * @returns false at the end of the file
   * @throws JsonFault when the bytes after `position` have reached the limit for one value
   */
  async fill(): Promise<boolean> {
    const pending = this.end - this.position;
    if (pending >= this.maxValueBytes)
      throw new JsonFault(this.position, `values of at most ${this.maxValueBytes} bytes`, "a longer one");
    // At least as much as is there already: scanning a value again after every read then costs twice its length, not
    // its square.
    const wanted = Math.min(this.maxValueBytes, pending + Math.max(pending, this.chunkBytes));
    const target = this.bytes.length >= wanted ? this.bytes : Buffer.allocUnsafe(wanted);
    this.bytes.copy(target, 0, this.position, this.end);
    this.bytes = target;
    this.base += this.position;
    this.position = 0;
    this.end = pending;
    const count = await this.file.read(target.subarray(pending, wanted), this.base + pending);
    this.consume(target.subarray(pending, pending + count));
    this.end += count;
    return count > 0;
  }

  /** @returns the next byte that is no white space, with `position` on it; undefined at the end of the file */
  async peek(): Promise<number | undefined> {
    for (;;) {
      this.position = skipSpace(this.bytes, this.position, this.end);
      if (this.position < this.end) return this.bytes[this.position];
      if (!(await this.fill())) return undefined;
    }
  }
}
