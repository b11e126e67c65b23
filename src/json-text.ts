/**
 * JSON in and out with every number as it was written: 9007199254740993, 1e400, 1.10 and -0 are other text once they
 * went through a double, and fields that pass through belong to the user.
 *
 * What is read are plain values, for everyone who computes. An object with a number that JSON.stringify would write
 * otherwise carries its text under a symbol: a spread (`{ ...raw, area }`) takes it along, and JSON.stringify and
 * Object.keys do not see it. The writer uses the text of a field only where it still stands for the field's value, so
 * that a field which was set anew is written anew. Two objects with texts are joined by `joinFields`, not by a spread.
 *
 * One text per object, and nothing for what is nested in it: a file of 64 MB of such numbers must not need gigabytes.
 */
import { receivedOf } from "./errors.js";
import { isJsonObject, parseForeignJson, WrittenNumber } from "./foreign.js";
import type { JsonObject, JsonValue } from "./types.js";

const WRITTEN = Symbol("fields as written");
/** Inside of the braces of an object, or its parts. */
type Written = string | readonly string[];

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
 * As JSON.parse; where the text is an object, `toJsonText` writes its numbers back as they are here.
 * @throws SyntaxError as JSON.parse does
 */
export function parseJsonText(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  keepText(value, text);
  return value;
}

/** As parseJsonText, within limits of depth. @throws SyntaxError as parseForeignJson does */
export function parseForeignJsonText(text: string): JsonValue {
  const value = parseForeignJson(text) as JsonValue;
  keepText(value, text);
  return value;
}

/** As parseJsonText does for one object, for the objects in a list. @param text of the list, which JSON.parse has taken */
export function keepElementTexts(list: readonly JsonValue[], text: string): void {
  if (!hasUnusualNumber(text)) return;
  const texts = elementTexts(text);
  for (const element of list) keepText(element, texts.next().value ?? "");
}

/** @param text of a list, which JSON.parse has taken */
function* elementTexts(text: string): Generator<string, undefined> {
  let at = skipSpace(text, text.indexOf("[") + 1);
  while (text.charCodeAt(at) !== CLOSE_LIST) {
    const end = endOfValue(text, at);
    yield text.slice(at, end);
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return undefined;
}

/**
 * The fields of an object that parseJsonText has read, and the lists in them, with each number that JavaScript would
 * write otherwise as a WrittenNumber.
 */
export function withWrittenNumbers(object: JsonObject): Map<string, unknown> {
  return new Map(fieldTexts(object).map(([key, text]) => [key, writtenValue(object[key]!, text)]));
}

function writtenValue(value: JsonValue, text: string): unknown {
  if (typeof value === "number") return String(value) === text ? value : new WrittenNumber(text);
  if (!Array.isArray(value)) return value;
  const texts = elementTexts(text);
  return value.map((item) => writtenValue(item, texts.next().value ?? ""));
}

/**
 * Sets a field that was read on its own.
 * @param textOfValue gives the value as JSON
 */
export function setField(object: JsonObject, key: string, value: JsonValue, textOfValue: () => string): void {
  define(object, key, value);
  if (typeof value !== "number" && (typeof value !== "object" || value === null)) return;
  const text = textOfValue();
  if (!hasUnusualNumber(text)) return;
  const before = writtenOf(object);
  const part = `${JSON.stringify(key)}:${text}`;
  // A list of its own: copying it for every field would take the square of their number.
  if (Array.isArray(before)) before.push(part);
  else attach(object, before === undefined ? [part] : [before as string, part]);
}

/**
 * A field that holds an object or a list: the object, or those in the list, carry their numbers as they were read, as
 * if each had been read by parseJsonText.
 */
export function childOf(object: JsonObject, key: string): JsonValue | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  if (typeof value !== "object" || value === null) return value;
  const text = writtenFields(object)?.get(key);
  if (text === undefined) return value;
  if (Array.isArray(value)) keepElementTexts(value, text);
  else keepText(value, text);
  return value;
}

/** One field of an object under another name, with its numbers as they were read; nothing where there is none. */
export function renamedField(object: JsonObject, key: string, name = key): JsonObject {
  const renamed: JsonObject = {};
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  if (value !== undefined) setField(renamed, name, value, () => writtenFields(object)?.get(key) ?? textOf(value));
  return renamed;
}

/** As JSON.stringify, with numbers as they were read. */
export function toJsonText(value: JsonValue): string {
  return holdsWritten(value) ? textOf(value) : JSON.stringify(value);
}

/** As JSON.stringify with two spaces a level, with numbers as they were read. */
export function toIndentedJson(value: JsonValue): string {
  return holdsWritten(value) ? indented(textOf(value)) : JSON.stringify(value, null, 2);
}

/** @param text JSON without white space */
function indented(text: string): string {
  let [out, level] = ["", 0];
  const line = (): string => `\n${"  ".repeat(level)}`;
  for (let i = 0; i < text.length;) {
    const code = text.charCodeAt(i);
    const sign = text[i]!;
    const next = text.charCodeAt(i + 1);
    if (code === QUOTE) {
      const end = endOfString(text, i);
      out += text.slice(i, end);
      i = end;
      continue;
    }
    if (code === OPEN_LIST || code === OPEN_OBJECT) {
      const isEmpty = next === CLOSE_LIST || next === CLOSE_OBJECT;
      if (!isEmpty) level++;
      out += isEmpty ? text.slice(i, i + 2) : sign + line();
      i += isEmpty ? 2 : 1;
      continue;
    }
    if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      level--;
      out += line() + sign;
    } else if (code === COMMA) out += sign + line();
    else out += code === COLON ? ": " : sign;
    i++;
  }
  return out;
}

/** The fields of an object, each with its value as JSON text. */
export function fieldTexts(object: JsonObject): [key: string, text: string][] {
  const written = writtenFields(object);
  return Object.entries(object).map(([key, value]) => [key, textFor(value, written?.get(key)) ?? textOf(value)]);
}

/** The number in a field as it was read, or as JavaScript writes it; undefined where the field holds no number. */
export function numberText(object: JsonObject, key: string): string | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  if (typeof value !== "number") return undefined;
  return textFor(value, writtenFields(object)?.get(key)) ?? String(value);
}

/** What was received in a field, for a message: a number as written, all else as `receivedOf` words it. */
export function receivedIn(object: JsonObject, key: string): string {
  const text = numberText(object, key);
  if (text !== undefined) return shortNumber(text);
  return receivedOf(Object.hasOwn(object, key) ? object[key] : undefined);
}

/** A number may have a thousand digits. */
export function shortNumber(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

/** As `{ ...first, ...second }`, with the numbers of each as they were read. */
export function joinFields(...objects: readonly JsonObject[]): JsonObject {
  const joined: JsonObject = {};
  const parts = new Map<string, string>();
  for (const object of objects) {
    const written = writtenFields(object);
    for (const [key, value] of Object.entries(object)) {
      define(joined, key, value);
      const text = written?.get(key);
      if (text === undefined) parts.delete(key);
      else parts.set(key, `${JSON.stringify(key)}:${text}`);
    }
  }
  if (parts.size > 0) attach(joined, [...parts.values()]);
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

function keepText(value: JsonValue, text: string): void {
  if (!isJsonObject(value) || !hasUnusualNumber(text)) return;
  attach(value, text.slice(text.indexOf("{") + 1, text.lastIndexOf("}")));
}

function attach(object: JsonObject, value: Written): void {
  // Enumerable, or a spread would leave it behind.
  Object.defineProperty(object, WRITTEN, { value, enumerable: true, configurable: true, writable: true });
}

function writtenOf(object: JsonObject): Written | string[] | undefined {
  return Reflect.get(object, WRITTEN) as Written | string[] | undefined;
}

/** The texts of the fields of an object, by key; undefined where it carries none. */
function writtenFields(object: JsonObject): ReadonlyMap<string, string> | undefined {
  const written = writtenOf(object);
  if (written === undefined) return undefined;
  const text = typeof written === "string" ? written : written.join(",");
  const fields = new Map<string, string>();
  for (let at = skipSpace(text, 0); at < text.length;) {
    const keyEnd = endOfString(text, at);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    // The last of several fields of one name counts, as in JSON.parse.
    fields.set(JSON.parse(text.slice(at, keyEnd)) as string, text.slice(start, end));
    at = skipSpace(text, skipSpace(text, end) + 1);
  }
  return fields;
}

/** @returns the text without white space, or undefined where it does not stand for the value: that was set anew */
function textFor(value: JsonValue, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (typeof value === "number") return Number(text) === value ? text : undefined;
  return JSON.stringify(JSON.parse(text)) === JSON.stringify(value) ? withoutSpace(text) : undefined;
}

function holdsWritten(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsWritten);
  if (writtenOf(value) !== undefined) return true;
  for (const key in value) if (holdsWritten(value[key]!)) return true;
  return false;
}

function textOf(value: JsonValue): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  return `{${fieldTexts(value)
    .map(([key, text]) => `${JSON.stringify(key)}:${text}`)
    .join(",")}}`;
}

/** Whether JSON.stringify would write some number of a JSON text otherwise. */
function hasUnusualNumber(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i) - 1;
    else if (code === MINUS || isDigit(code)) {
      const end = endOfScalar(text, i);
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

/*
 * Places in text that JSON.parse has taken. The scanner of dataset/json/ does the same in bytes that nobody has judged
 * yet.
 */

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function skipSpace(text: string, at: number): number {
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** @returns index after the value that begins at `start` */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let i = start; ;) {
    const code = text.charCodeAt(i);
    if (code === OPEN_LIST || code === OPEN_OBJECT) depth++;
    else if (code === CLOSE_LIST || code === CLOSE_OBJECT) depth--;
    i = code === QUOTE ? endOfString(text, i) : depth === 0 && i === start ? endOfScalar(text, i) : i + 1;
    if (depth === 0) return i;
  }
}

/** @returns index after the number or word that begins at `start`; the end of the text ends it as well */
function endOfScalar(text: string, start: number): number {
  let i = start + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === COMMA || code === CLOSE_LIST || code === CLOSE_OBJECT || isSpace(code)) break;
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

/** Strings stay as they are. */
function withoutSpace(text: string): string {
  let kept = "";
  let from = 0;
  for (let i = 0; i < text.length;) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (isSpace(code)) {
      kept += text.slice(from, i);
      from = i = skipSpace(text, i);
    } else i++;
  }
  return kept + text.slice(from);
}
