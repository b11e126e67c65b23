/**
 * Values that somebody else wrote: JSON is read within limits of depth, and described within limits of depth and
 * length. JSON.parse takes brackets of any depth, but whoever walks the result by recursion (JSON.stringify, too) runs
 * out of stack at some 5,000 levels.
 */

import type { JsonObject } from "./types.js";

/** Levels of brackets that are read; the same limit as that of the scanner in dataset/json. */
export const MOST_LEVELS = 512;

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/**
 * JSON.parse for text from outside.
 * @throws SyntaxError for what is no JSON, and for brackets deeper than `mostLevels`
 */
export function parseForeignJson(text: string, mostLevels = MOST_LEVELS): unknown {
  if (isDeeper(text, mostLevels)) throw new SyntaxError(`brackets are deeper than ${mostLevels} levels`);
  // Editors on Windows begin a file with a byte order mark, which is no part of its text.
  return JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
}

/** An object of JSON: neither null nor a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDeeper(text: string, mostLevels: number): boolean {
  let level = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(text, i);
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        if (++level > mostLevels) return true;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        level--;
        break;
      default:
    }
  }
  return false;
}

/** @param start of a JSON string's opening quote @returns index of the closing quote, or the length of the text */
export function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    if (code === BACKSLASH) i++;
  }
  return text.length;
}

/**
 * A number that JavaScript would write otherwise (9007199254740993, 1.10, 1e400), in place of the double it became: for
 * readers whose values end in a message or in a name.
 */
export class WrittenNumber {
  readonly value: number;
  /** @param value what the text stands for, where Number does not know */
  constructor(
    readonly text: string,
    value = Number(text),
  ) {
    this.value = value;
  }

  toString(): string {
    return this.text;
  }
}

/** Levels of brackets that a description shows. */
const SHOWN_LEVELS = 4;

/**
 * A value as JSON, at most `longest` characters and three dots, whatever it holds. What is cut off is never walked.
 * Control characters come out as escapes.
 */
export function describeValue(value: unknown, longest = 80): string {
  const sketch = new Sketch(longest);
  sketch.add(value, 0);
  return sketch.text();
}

/** The first `longest` characters and three dots where there are more. */
export function cutText(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const code = text.charCodeAt(longest - 1);
  // Half of a pair of surrogates is no character.
  return `${text.slice(0, code >= 0xd800 && code < 0xdc00 ? longest - 1 : longest)}...`;
}

/** A number may have a thousand digits. */
const LONGEST_NUMBER = 40;

class Sketch {
  private written = "";
  constructor(private readonly longest: number) {}

  text(): string {
    return cutText(this.written, this.longest);
  }

  add(value: unknown, level: number): void {
    if (typeof value === "string") this.write(quoted(value.slice(0, this.longest + 1)));
    else if (typeof value === "number" || typeof value === "boolean" || value === null) this.write(String(value));
    else if (value instanceof WrittenNumber) this.write(withoutControls(cutText(value.text, LONGEST_NUMBER)));
    else if (Array.isArray(value)) this.addAll(value as readonly unknown[], "[]", level);
    else if (typeof value === "object") this.addAll(fieldsOf(value), "{}", level);
    else this.write(value === undefined ? "nothing" : typeof value);
  }

  /** @param items of a list, or fields of an object */
  private addAll(items: Iterable<unknown>, [open, close]: string, level: number): void {
    this.write(open!);
    if (level === SHOWN_LEVELS) this.write("...");
    else {
      let isFirst = true;
      for (const item of items) {
        if (this.isFull()) return;
        if (!isFirst) this.write(",");
        isFirst = false;
        if (item instanceof Field) {
          this.write(`${quoted(item.name.slice(0, this.longest + 1))}:`);
          this.add(item.value, level + 1);
        } else this.add(item, level + 1);
      }
    }
    this.write(close!);
  }

  private write(text: string): void {
    if (!this.isFull()) this.written += text;
  }

  private isFull(): boolean {
    return this.written.length > this.longest;
  }
}

class Field {
  constructor(
    readonly name: string,
    readonly value: unknown,
  ) {}
}

/** One after the other, because there may be a million of them. */
function* fieldsOf(value: object): Generator<Field> {
  for (const name in value) if (Object.hasOwn(value, name)) yield new Field(name, value[name as keyof typeof value]);
}

/** JSON.stringify leaves the control characters from U+007F on as they are. */
function quoted(text: string): string {
  return withoutControls(JSON.stringify(text));
}

/** Controls (C0 and C1), line separators, and the marks that turn the direction of text. */
export const STEERING_CHARACTERS = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Control characters and marks that turn the direction of text, as escapes that JSON reads as the same text. Line breaks
 * stay: within JSON they stand between values.
 */
export function withoutControls(json: string): string {
  return json.replace(STEERING_CHARACTERS, (character) =>
    character === "\n" ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
