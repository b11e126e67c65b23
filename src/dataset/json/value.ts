/** Bytes of one JSON value to the value, or to a problem that says where and what; never an exception. */
import { isUtf8 } from "node:buffer";
import { reasonOf } from "../../errors.js";
import { parseJsonText } from "../../json-text.js";
import type { JsonValue } from "../../types.js";
import { describeByte, endOfString, endOfToken, INCOMPLETE, QUOTE } from "./scan.js";

export type ParsedValue =
  | { readonly kind: "value"; readonly value: JsonValue }
  /** `at`: byte of the file; `expected` and `received` make the sentence. */
  | { readonly kind: "problem"; readonly at: number; readonly expected: string; readonly received: string };

const NUMBER_OR_WORD = /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)$/;
/** What Python's json.dumps, numpy and str() write for values that JSON does not have. */
const PYTHON_WORD = /^[+-]?(?:nan|inf|infinity)$|^(?:None|True|False)$/i;

/** Bytes of a token that are looked at; numbers that programs write are far shorter. */
const LONGEST_NUMBER = 400;

/** @param offset place of the first byte in its file, for the problem */
export function parseJsonBytes(bytes: Buffer, offset: number): ParsedValue {
  // toString would replace bad bytes, and names would come out other than they went in.
  if (!isUtf8(bytes)) return { kind: "problem", at: offset, expected: "text in UTF-8", received: "other bytes" };
  try {
    return { kind: "value", value: parseJsonText(bytes.toString()) };
  } catch (error) {
    const token = findBadToken(bytes);
    if (token === undefined)
      return {
        kind: "problem",
        at: offset,
        expected: "a JSON value",
        received: `text that is none (${plain(reasonOf(error))})`,
      };
    const note = PYTHON_WORD.test(token.text) ? " (Python writes it, JSON does not have it)" : "";
    return {
      kind: "problem",
      at: offset + token.at,
      expected: "a number, true, false or null",
      received: `${plain(token.text)}${note}`,
    };
  }
}

export function describeProblem(problem: Extract<ParsedValue, { kind: "problem" }>): string {
  return `byte ${problem.at}: expected ${problem.expected}, received ${problem.received}`;
}

/** First run of characters outside strings that is neither a number nor true, false or null. */
function findBadToken(bytes: Buffer): { readonly at: number; readonly text: string } | undefined {
  for (let i = 0; i < bytes.length;) {
    const end = bytes[i] === QUOTE ? endOfString(bytes, i, bytes.length) : endOfToken(bytes, i, bytes.length);
    if (end === INCOMPLETE) return undefined;
    const text = bytes.subarray(i, Math.min(end, i + LONGEST_NUMBER)).toString();
    if (end > i && bytes[i] !== QUOTE && !NUMBER_OR_WORD.test(text)) return { at: i, text };
    // A separator is a token of length 0.
    i = Math.max(end, i + 1);
  }
  return undefined;
}

/** Without control characters and short: the text comes from the file. */
function plain(text: string): string {
  const cut = text.length > 100 ? `${text.slice(0, 100)}...` : text;
  return cut.replace(/[^ -~]/g, (character) => describeByte(character.charCodeAt(0)));
}
