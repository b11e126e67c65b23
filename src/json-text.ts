/**
 * JSON in and out with every number as it was written: 9007199254740993, 1e400, 1.10 and -0 are other text once they
 * went through a double, and fields that pass through belong to the user.
 *
 * What is read are plain values, for everyone who computes. Beside each object or list whose numbers JSON.stringify
 * would write otherwise lies a table of their text, under a symbol: a spread (`{ ...raw, area }`) takes it along, and
 * JSON.stringify and Object.keys do not see it. The writer uses a text only where it still stands for the value, so a
 * field that was set anew is written anew. Two objects with tables are joined by `joinFields`, not by a spread.
 */
import { receivedOf } from "./errors.js";
import type { JsonObject, JsonValue } from "./types.js";

const WRITTEN = Symbol("numbers as written");
type Written = ReadonlyMap<string | number, string>;
type Container = JsonObject | JsonValue[];

const QUOTE = 0x22,
  BACKSLASH = 0x5c,
  MINUS = 0x2d,
  POINT = 0x2e,
  ZERO = 0x30,
  OPEN_LIST = 0x5b,
  CLOSE_LIST = 0x5d,
  OPEN_OBJECT = 0x7b,
  CLOSE_OBJECT = 0x7d,
  COLON = 0x3a,
  COMMA = 0x2c;

/**
 * As JSON.parse, and `toJsonText` writes the numbers back as they are here.
 * @param text at most some hundred levels deep; readers check that before
 * @throws SyntaxError as JSON.parse does
 */
export function parseJsonText(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  // Numbers on their own have nothing that could hold their text: see `setField`.
  if (typeof value !== "object" || value === null || !hasUnusualNumber(text)) return value;
  return new WrittenParser(text).value();
}

/** As JSON.stringify, with numbers as they were read. */
export function toJsonText(value: JsonValue): string {
  return holdsWritten(value) ? textOf(value) : JSON.stringify(value);
}

/** The fields of an object, each with its value as JSON text. */
export function fieldTexts(object: JsonObject): [key: string, text: string][] {
  return Object.keys(object).map((key) => [key, memberText(object, key)]);
}

/** The number in a field as it was read, or as JavaScript writes it; undefined where the field holds no number. */
export function numberText(container: Container, key: string | number): string | undefined {
  const value = memberOf(container, key);
  return typeof value === "number" ? (writtenNumber(container, key, value) ?? String(value)) : undefined;
}

/** What was received in a field, for a message: a number as written, all else as `receivedOf` words it. */
export function receivedIn(object: JsonObject, key: string): string {
  const text = numberText(object, key);
  return text === undefined ? receivedOf(memberOf(object, key)) : shortNumber(text);
}

/** A number may have a thousand digits. */
export function shortNumber(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

/**
 * Sets a field that was read on its own.
 * @param textOfValue gives the value as JSON
 */
export function setField(object: JsonObject, key: string, value: JsonValue, textOfValue: () => string): void {
  define(object, key, value);
  if (typeof value !== "number") return;
  const text = textOfValue();
  if (!isUsual(text, 0, text.length)) attach(object, new Map(writtenOf(object)).set(key, text));
}

/** As `{ ...first, ...second }`, with the numbers of each as they were read. */
export function joinFields(...objects: readonly JsonObject[]): JsonObject {
  const joined: JsonObject = {};
  const written = new Map<string, string>();
  for (const object of objects) {
    const table = writtenOf(object);
    for (const [key, value] of Object.entries(object)) {
      define(joined, key, value);
      const text = table?.get(key);
      if (text === undefined) written.delete(key);
      else written.set(key, text);
    }
  }
  if (written.size > 0) attach(joined, written);
  return joined;
}

/** The fields of an object for which `isWanted` holds, in its order. */
export function selectFields(object: JsonObject, isWanted: (key: string) => boolean): JsonObject {
  const selected: JsonObject = { ...object };
  for (const key of Object.keys(selected)) if (!isWanted(key)) Reflect.deleteProperty(selected, key);
  return selected;
}

/** Not an assignment: a field named "__proto__" has to stay a field. */
function define(object: JsonObject, key: string, value: JsonValue): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function attach(container: Container, written: Written): void {
  // Enumerable, or a spread would leave it behind.
  Object.defineProperty(container, WRITTEN, { value: written, enumerable: true, configurable: true, writable: true });
}

function writtenOf(container: Container): Written | undefined {
  return Reflect.get(container, WRITTEN) as Written | undefined;
}

function memberOf(container: Container, key: string | number): JsonValue | undefined {
  return Object.hasOwn(container, key) ? (Reflect.get(container, key) as JsonValue) : undefined;
}

/** @returns undefined where the number has no text of its own, or was set anew since */
function writtenNumber(container: Container, key: string | number, value: number): string | undefined {
  const text = writtenOf(container)?.get(key);
  return text !== undefined && Number(text) === value ? text : undefined;
}

function holdsWritten(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (writtenOf(value) !== undefined) return true;
  if (Array.isArray(value)) return value.some(holdsWritten);
  for (const key in value) if (holdsWritten(value[key]!)) return true;
  return false;
}

function textOf(value: JsonValue): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (!Array.isArray(value))
    return `{${fieldTexts(value)
      .map(([key, text]) => `${JSON.stringify(key)}:${text}`)
      .join(",")}}`;
  return `[${value.map((_, index) => memberText(value, index)).join(",")}]`;
}

function memberText(container: Container, key: string | number): string {
  const value = memberOf(container, key)!;
  if (typeof value === "number") return writtenNumber(container, key, value) ?? JSON.stringify(value);
  return textOf(value);
}

/** Whether JSON.stringify would write some number of a JSON text otherwise. */
function hasUnusualNumber(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i) - 1;
    else if (code === MINUS || isDigit(code)) {
      const end = endOfNumber(text, i);
      if (!isUsual(text, i, end)) return true;
      i = end - 1;
    }
  }
  return false;
}

/** Digits a double holds whatever they are. */
const SAFE_DIGITS = 15;

/** Whether JavaScript writes the number between `start` and `end` the same way. */
function isUsual(text: string, start: number, end: number): boolean {
  if (end - start <= SAFE_DIGITS && isPlainDecimal(text, start, end)) return true;
  const number = text.slice(start, end);
  return String(Number(number)) === number;
}

/** True for numbers that need no second look: no exponent, no -0, no zero behind the point, none near 1e-7. */
function isPlainDecimal(text: string, start: number, end: number): boolean {
  let hasPoint = false;
  for (let i = start + 1; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === POINT) hasPoint = true;
    else if (!isDigit(code)) return false;
  }
  const first = text.charCodeAt(start) === MINUS ? start + 1 : start;
  if (!hasPoint) return text.charCodeAt(first) !== ZERO || first === start;
  return text.charCodeAt(end - 1) !== ZERO && !(text.charCodeAt(first) === ZERO && text.startsWith("0.00000", first));
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9;
}

/** Of true, false and null. */
function isSmallLetter(code: number): boolean {
  return code >= 0x61 && code <= 0x7a;
}

/** @returns index after the number that begins at `start`, in text that is JSON */
function endOfNumber(text: string, start: number): number {
  let i = start + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Digits, sign, point, e and E.
    if (!isDigit(code) && code !== POINT && code !== MINUS && code !== 0x2b && code !== 0x65 && code !== 0x45) break;
  }
  return i;
}

/** @returns index after the closing quote of the string that begins at `start` */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ;) {
    const end = text.indexOf('"', at);
    let first = end;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((end - first) % 2 === 0) return end + 1;
    at = end + 1;
  }
}

/** Builds the value of a text that JSON.parse has taken, with a table wherever a number needs it. */
class WrittenParser {
  private at = 0;
  /** Text of the value read last, where it is a number that needs it. */
  private written: string | undefined;
  constructor(private readonly text: string) {}

  value(): JsonValue {
    const code = this.peek();
    this.written = undefined;
    if (code === OPEN_OBJECT) return this.object();
    if (code === OPEN_LIST) return this.list();
    if (code === QUOTE) return this.string();
    const start = this.at;
    if (code !== MINUS && !isDigit(code)) return this.word();
    this.at = endOfNumber(this.text, start);
    const number = this.text.slice(start, this.at);
    if (!isUsual(this.text, start, this.at)) this.written = number;
    return Number(number);
  }

  private object(): JsonObject {
    const object: JsonObject = {};
    const written = new Map<string, string>();
    this.at++;
    while (this.peek() !== CLOSE_OBJECT) {
      if (this.peek() === COMMA) this.at++;
      this.peek();
      const key = this.string();
      if (this.peek() === COLON) this.at++;
      const value = this.value();
      if (key === "__proto__") define(object, key, value);
      else object[key] = value;
      // The last of several fields of one name counts.
      if (typeof value === "number" && this.written !== undefined) written.set(key, this.written);
      else if (written.size > 0) written.delete(key);
    }
    this.at++;
    if (written.size > 0) attach(object, written);
    return object;
  }

  private list(): JsonValue[] {
    const list: JsonValue[] = [];
    const written = new Map<number, string>();
    this.at++;
    while (this.peek() !== CLOSE_LIST) {
      if (this.peek() === COMMA) this.at++;
      const value = this.value();
      if (typeof value === "number" && this.written !== undefined) written.set(list.length, this.written);
      list.push(value);
    }
    this.at++;
    if (written.size > 0) attach(list, written);
    return list;
  }

  private string(): string {
    const start = this.at;
    this.at = endOfString(this.text, start);
    const inside = this.text.slice(start + 1, this.at - 1);
    return inside.includes("\\") ? (JSON.parse(`"${inside}"`) as string) : inside;
  }

  private word(): JsonValue {
    const start = this.at;
    while (isSmallLetter(this.text.charCodeAt(this.at))) this.at++;
    return JSON.parse(this.text.slice(start, this.at)) as JsonValue;
  }

  /** Skips white space. @returns the code of the next character, or NaN at the end */
  private peek(): number {
    let code = this.text.charCodeAt(this.at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.text.charCodeAt(++this.at);
    return code;
  }
}
