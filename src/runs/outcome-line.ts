/**
 * What an index needs of a journal line, read from its bytes: the lines of finished polygons are most of a journal, and
 * building their rings takes most of the time in which a run is opened. Only what this program writes, byte for byte, is
 * known here; of every other line the whole is parsed.
 */
import { crc32 } from "node:zlib";
import type { Outcome } from "../types.js";

/** An outcome without its polygon and its ids. */
export type OutcomeHead =
  | { readonly ordinal: number; readonly status: "done"; readonly score: number }
  | { readonly ordinal: number; readonly status: "failed" | "skipped"; readonly reason: string };

export function headOf(outcome: Outcome): OutcomeHead {
  const { ordinal, status } = outcome;
  return status === "done"
    ? { ordinal, status, score: outcome.score }
    : { ordinal, status, reason: outcome.reason };
}

const TYPE = Buffer.from('{"type":"outcome","ordinal":');
const ANNOTATION = Buffer.from(',"annotationId":');
const IMAGE = Buffer.from(',"imageId":');
const RING = Buffer.from(',"status":"done","ring":[');
const X = Buffer.from('{"x":');
const Y = Buffer.from(',"y":');
const SCORE = Buffer.from('],"score":');
const ENDED = Buffer.from(',"ended":');
const CLIPPED = Buffer.from(',"clipped":');
const WIDTH = Buffer.from(',"imageWidth":');
const HEIGHT = Buffer.from(',"imageHeight":');
const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");
const CHECK = Buffer.from(',"check":"');
const END = Buffer.from('"}');
const CLOSE = Buffer.from("}");

const QUOTE = 0x22,
  COMMA = 0x2c,
  MINUS = 0x2d,
  POINT = 0x2e,
  ZERO = 0x30,
  BACKSLASH = 0x5c,
  CLOSE_OBJECT = 0x7d;
/** Hex digits of a checksum. */
const CHECK_DIGITS = 8;
const TAIL_BYTES = CHECK.length + CHECK_DIGITS + END.length;
/** Digits that a double holds exactly, whatever they are. */
const MOST_DIGITS = 15;

/**
 * @param start of the line in `bytes`, `end` after its last byte, without the line break
 * @returns undefined for a line that is not a sound polygon as it is written here: damaged, of another kind, or unusual
 */
export function readDoneLine(bytes: Buffer, start: number, end: number): OutcomeHead | undefined {
  const tail = end - TAIL_BYTES;
  if (tail < start) return undefined;
  const line = new LineCursor(bytes, start);
  const ordinal = line.take(TYPE) ? line.number(true) : undefined;
  if (ordinal === undefined || !(line.take(ANNOTATION) && line.id() && line.take(IMAGE) && line.id())) return undefined;
  if (!(line.take(RING) && line.points() >= 3 && line.take(SCORE))) return undefined;
  const score = line.number(false);
  const isWhole =
    score !== undefined &&
    line.take(ENDED) &&
    line.boolean() &&
    line.take(CLIPPED) &&
    line.boolean() &&
    line.take(WIDTH) &&
    line.number(true) !== undefined &&
    line.take(HEIGHT) &&
    line.number(true) !== undefined &&
    line.at === tail;
  if (!isWhole || !line.take(CHECK)) return undefined;
  const check = bytes.toString("latin1", line.at, line.at + CHECK_DIGITS);
  line.at += CHECK_DIGITS;
  if (!line.take(END)) return undefined;
  const sum = crc32(CLOSE, crc32(bytes.subarray(start, tail)));
  return check === sum.toString(16).padStart(CHECK_DIGITS, "0") ? { ordinal, status: "done", score } : undefined;
}

/** Takes what it is asked for, or says that something else is there. Behind the line follows its break, which is neither. */
class LineCursor {
  constructor(
    private readonly bytes: Buffer,
    /** Next byte. */
    public at: number,
  ) {}

  take(text: Buffer): boolean {
    const { bytes, at } = this;
    for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
    this.at = at + text.length;
    return true;
  }

  /** A number without exponent, of few enough digits that it is read as JSON.parse reads it. */
  number(isWhole: boolean): number | undefined {
    const { bytes } = this;
    const isNegative = bytes[this.at] === MINUS;
    if (isNegative && isWhole) return undefined;
    const first = isNegative ? this.at + 1 : this.at;
    let [at, value, decimals] = [first, 0, 0];
    for (let digit = digitAt(bytes, at); digit >= 0; digit = digitAt(bytes, ++at)) value = 10 * value + digit;
    const digits = at - first;
    if (digits === 0 || (digits > 1 && bytes[first] === ZERO)) return undefined;
    if (!isWhole && bytes[at] === POINT) {
      for (let digit = digitAt(bytes, ++at); digit >= 0; digit = digitAt(bytes, ++at), decimals++)
        value = 10 * value + digit;
      if (decimals === 0) return undefined;
    }
    if (digits + decimals > MOST_DIGITS) return undefined;
    this.at = at;
    return (isNegative ? -value : value) / 10 ** decimals;
  }

  /** A number, or text of plain ASCII without escapes. */
  id(): boolean {
    if (this.bytes[this.at] !== QUOTE) return this.number(false) !== undefined;
    for (let at = this.at + 1; ; at++) {
      const byte = this.bytes[at];
      if (byte === QUOTE) {
        this.at = at + 1;
        return true;
      }
      if (byte === undefined || byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return false;
    }
  }

  boolean(): boolean {
    return this.take(TRUE) || this.take(FALSE);
  }

  /** @returns how many follow each other, up to the first thing that is none */
  points(): number {
    for (let count = 1; ; count++) {
      const isPoint = this.take(X) && this.number(false) !== undefined && this.take(Y);
      if (!isPoint || this.number(false) === undefined || this.bytes[this.at] !== CLOSE_OBJECT) return 0;
      if (this.bytes[++this.at] !== COMMA) return count;
      this.at++;
    }
  }
}

/** @returns -1 where there is none */
function digitAt(bytes: Buffer, at: number): number {
  const digit = bytes[at]! - ZERO;
  return digit >= 0 && digit <= 9 ? digit : -1;
}
