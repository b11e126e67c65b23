/**
 * An annotation of ids, a box and other numbers, read from its bytes without building it: what the boxes of a detector or
 * of a first round of work look like. A walk that wants no more than boxes is faster so. Of an annotation with anything
 * else in it (a polygon, text, an exponent) the whole is parsed.
 */
import { checkBox } from "../../geometry/box.js";
import type { Box } from "../../types.js";
import { CLOSE_LIST, CLOSE_OBJECT, COLON, COMMA, OPEN_LIST, OPEN_OBJECT, QUOTE, skipSpace } from "../json/scan.js";

export interface PlainAnnotation {
  readonly id: number;
  readonly categoryId: number;
  readonly box: Box;
}

const MINUS = 0x2d,
  POINT = 0x2e,
  ZERO = 0x30;
/** Digits of a number that a double holds exactly, whatever they are; with these powers one division rounds it right. */
const MOST_DIGITS = 15;
const POWERS = Array.from({ length: MOST_DIGITS + 1 }, (_, power) => 10 ** power);

const NAMES = ["id", "image_id", "category_id", "iscrowd", "area", "score", "bbox"].map((name) => Buffer.from(name));
const [ID, IMAGE_ID, CATEGORY_ID, CROWD, , , BBOX] = NAMES.keys();

/**
 * @param start of the annotation in `bytes`, and `end` after it
 * @returns undefined for what is not as plain, or is no instance with a box
 */
export function readPlainAnnotation(bytes: Uint8Array, start = 0, end = bytes.length): PlainAnnotation | undefined {
  const reader = new PlainReader(bytes, start, end);
  /** The last of equal names counts, as in JSON.parse. */
  let id = NaN,
    imageId = NaN,
    categoryId = NaN,
    crowd = 0;
  let box: readonly number[] | undefined;
  if (!reader.take(OPEN_OBJECT)) return undefined;
  do {
    const name = reader.name();
    if (name === -1 || !reader.take(COLON)) return undefined;
    if (name === BBOX) {
      box = reader.four();
      if (box === undefined) return undefined;
      continue;
    }
    const value = reader.number();
    if (Number.isNaN(value)) return undefined;
    if (name === ID) id = value;
    else if (name === IMAGE_ID) imageId = value;
    else if (name === CATEGORY_ID) categoryId = value;
    else if (name === CROWD) crowd = value;
  } while (reader.take(COMMA));
  if (!reader.take(CLOSE_OBJECT) || !reader.isAtEnd()) return undefined;
  if (!Number.isInteger(id) || !Number.isInteger(imageId) || !Number.isInteger(categoryId) || crowd !== 0)
    return undefined;
  const checked = checkBox(box, "");
  return checked.kind === "box" ? { id, categoryId, box: checked.box } : undefined;
}

/** Takes what it is asked for after white space, or says that something else is there. */
class PlainReader {
  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
    private readonly end: number,
  ) {}

  take(byte: number): boolean {
    const { bytes } = this;
    let { at } = this;
    if (bytes[at] !== byte) {
      at = skipSpace(bytes, at, this.end);
      if (at === this.end || bytes[at] !== byte) return false;
    }
    this.at = at + 1;
    return true;
  }

  isAtEnd(): boolean {
    return this.at === this.end;
  }

  /** @returns the position of a key in NAMES; -1 for another one */
  name(): number {
    if (!this.take(QUOTE)) return -1;
    const { bytes, at } = this;
    for (let i = 0; i < NAMES.length; i++) {
      const name = NAMES[i]!;
      let same = 0;
      while (same < name.length && bytes[at + same] === name[same]) same++;
      if (same < name.length || bytes[at + same] !== QUOTE) continue;
      this.at = at + same + 1;
      return i;
    }
    return -1;
  }

  /** @returns NaN for what is no number, or one that takes a second look */
  number(): number {
    const { bytes } = this;
    let at = skipSpace(bytes, this.at, this.end);
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at++;
    const first = at;
    let value = 0;
    for (; isDigit(bytes[at]); at++) value = 10 * value + (bytes[at]! - ZERO);
    let digits = at - first;
    if (digits === 0 || (digits > 1 && bytes[first] === ZERO)) return NaN;
    let decimals = 0;
    if (bytes[at] === POINT) {
      const point = at++;
      for (; isDigit(bytes[at]); at++) value = 10 * value + (bytes[at]! - ZERO);
      decimals = at - point - 1;
      if (decimals === 0) return NaN;
      digits += decimals;
    }
    if (digits > MOST_DIGITS) return NaN;
    this.at = at;
    const size = value / POWERS[decimals]!;
    return isNegative ? -size : size;
  }

  /** A list of four numbers. */
  four(): readonly number[] | undefined {
    const list: number[] = [];
    if (!this.take(OPEN_LIST)) return undefined;
    do {
      const value = this.number();
      if (Number.isNaN(value) || list.push(value) > 4) return undefined;
    } while (this.take(COMMA));
    return this.take(CLOSE_LIST) ? list : undefined;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}
