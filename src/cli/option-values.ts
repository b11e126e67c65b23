/**
 * Checks one given value against its row: type, choices, range. Values come as text (flags, environment) or as JSON
 * (config file). Every error says which source gave the value.
 */
import { usageError } from "../errors.js";
import { describeValue, WrittenNumber } from "../foreign.js";
import { nearestName } from "../nearest.js";
import { secretAddress } from "../secret.js";
import type { NumberRow, OptionRow, OptionValue } from "./option-table.js";

/** Characters of a value in a message. */
const LONGEST_SHOWN = 200;

/**
 * A value written as text.
 * @param place where it was given: `--batch-size`, `POLYRNN_BATCH_SIZE (environment)`
 * @throws E_USAGE naming the place, what was expected and what was received
 */
export function valueFromText(row: OptionRow, text: string, place: string): OptionValue {
  switch (row.type) {
    case "flag":
      if (text === "true" || text === "1") return true;
      if (text === "false" || text === "0") return false;
      throw refused(row, describeValue(text, LONGEST_SHOWN), place);
    case "number":
      // Number() alone would take "", " 8 ", "0x10" and "Infinity".
      return checkedNumber(
        row,
        /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN,
        describeValue(text, LONGEST_SHOWN),
        place,
      );
    case "text":
      return checkedText(row, text, place);
    case "address":
      if (text === "") throw nothing(row, place);
      return secretAddress(text);
    case "list":
      return text.split(",").map((item) => checkedText(row, item.trim(), place));
  }
}

/** A value of a config file; its JSON type must fit, `"8"` is not a number. Same errors as valueFromText. */
export function valueFromJson(row: OptionRow, given: unknown, place: string): OptionValue {
  const received = describeValue(given, LONGEST_SHOWN);
  const value = given instanceof WrittenNumber ? given.value : given;
  switch (row.type) {
    case "flag":
      if (typeof value === "boolean") return value;
      throw refused(row, received, place);
    case "number":
      return checkedNumber(row, typeof value === "number" ? value : NaN, received, place);
    case "text":
      // A count is a number in JSON; only the other form, such as 5%, is a text.
      if (typeof value === "number" && row.placeholder?.startsWith("N|") === true)
        return checkedText(row, idText(given instanceof WrittenNumber ? given : value), place);
      if (typeof value !== "string") throw refused(row, received, place);
      return checkedText(row, value, place);
    case "address":
      if (typeof value !== "string") throw refused(row, "another kind of value", place);
      return valueFromText(row, value, place);
    case "list":
      if (typeof value === "string") return valueFromText(row, value, place);
      if (!Array.isArray(value)) throw refused(row, received, place);
      return value.map((item: unknown): string => {
        // A category id is a number in most files.
        if (row.choices === undefined && (typeof item === "number" || item instanceof WrittenNumber))
          return checkedText(row, idText(item), place);
        if (typeof item !== "string") throw refused(row, received, place);
        return checkedText(row, item, place);
      });
  }
}

/** 1.0 and 0x10 name the ids 1 and 16; an id above 2^53 is its digits. */
function idText(number: number | WrittenNumber): string {
  if (typeof number === "number") return String(number);
  return Number.isSafeInteger(number.value) ? String(number.value) : number.text;
}

/** What the row takes, in words: "a whole number from 1 to 256", "one of auto, cuda, webgpu, cpu". */
export function expectation(row: OptionRow): string {
  switch (row.type) {
    case "flag":
      return "true or false";
    case "number":
      return `${row.integer === true ? "a whole number" : "a number"} ${rangeOf(row)}`;
    case "text":
      return row.choices === undefined ? (row.placeholder ?? "a text") : `one of ${row.choices.join(", ")}`;
    case "address":
      return row.placeholder;
    case "list":
      return row.choices === undefined
        ? `a list of ${row.placeholder ?? "texts"}`
        : `one or more of ${row.choices.join(", ")}`;
  }
}

function rangeOf(row: NumberRow): string {
  return row.max === undefined ? `of ${row.min} or more` : `from ${row.min} to ${row.max}`;
}

function checkedNumber(row: OptionRow & NumberRow, value: number, received: string, place: string): number {
  const fits = Number.isFinite(value) && value >= row.min && value <= (row.max ?? Number.MAX_SAFE_INTEGER);
  if (!fits || (row.integer === true && !Number.isInteger(value))) throw refused(row, received, place);
  return value;
}

function checkedText(row: OptionRow & { type: "text" | "list" }, text: string, place: string): string {
  if (text === "") throw nothing(row, place);
  if (text === "-" && row.placeholder === "DIR")
    throw usageError(
      `${place}: expected a folder but received -, which only polyrnn annotate --out takes for standard output`,
      "Name a folder; one that is called so is ./-.",
    );
  if (row.choices !== undefined && !row.choices.includes(text)) {
    const advice = row.type === "text" ? ownValue(row.otherWords, text.toLowerCase()) : undefined;
    const suggestion = nearestName(text, row.choices);
    throw refused(
      row,
      describeValue(text, LONGEST_SHOWN),
      place,
      advice ?? (suggestion && `Did you mean ${suggestion}?`),
    );
  }
  return text;
}

function nothing(row: OptionRow, place: string): Error {
  return usageError(`${place}: expected ${expectation(row)} but received nothing`, "Give it a value, or leave it out.");
}

function ownValue(words: Readonly<Record<string, string>> | undefined, word: string): string | undefined {
  return words !== undefined && Object.hasOwn(words, word) ? words[word] : undefined;
}

function refused(row: OptionRow, received: string, place: string, hint?: string): Error {
  const absent = row.whenAbsent ?? row.default;
  const advice = absent === undefined ? `${row.describe}.` : `Leave it out for the default, ${String(absent)}.`;
  return usageError(`${place}: expected ${expectation(row)} but received ${received}`, hint ?? advice);
}
