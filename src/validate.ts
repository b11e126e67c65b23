/** Checks JSON against a schema, with a message that says where, what was expected and what was received. */
import type { ErrorObject, Schema } from "ajv";
import { Ajv } from "ajv";
import { cutText, describeValue, isJsonObject, withoutControls } from "./foreign.js";
import { numberText, shortNumber } from "./json-text.js";

export interface Violation {
  /** Where in the document, as a JSON pointer: "/scores/0/meanIoU"; empty for the document itself. */
  readonly at: string;
  /** "at least 0", "one of \"RGB\", \"BGR\"". */
  readonly expected: string;
  /** The value found, as JSON, at most 80 characters. */
  readonly received: string;
}

/**
 * One for all schemas. `verbose` puts the offending value into the error; allowUnionTypes is for the ids that are numbers
 * or strings. Every command compiles some schemas when it starts, so that takes no time it can do without: the schemas
 * are this program's own, strict mode refuses a wrong keyword, and what they check is short.
 */
const AJV = new Ajv({
  discriminator: true,
  verbose: true,
  allowUnionTypes: true,
  validateSchema: false,
  meta: false,
  code: { optimize: false },
});

/** Compiles a schema. The function returns undefined for a valid value, else the first thing that is wrong. */
export function compileSchema(schema: Schema): (value: unknown) => Violation | undefined {
  const validate = AJV.compile(schema);
  return (value) => {
    if (validate(value)) return undefined;
    return toViolation(validate.errors![0]!, value);
  };
}

/** "expected /context to be at most 1 but received 15" */
export function describeViolation({ at, expected, received }: Violation): string {
  return `expected ${at === "" ? "the document" : at} to be ${expected} but received ${received}`;
}

function toViolation(error: ErrorObject, root: unknown): Violation {
  const violation = (wrong: ErrorObject, expected: string): Violation => violationAt(wrong, expected, root);
  const params = error.params as Record<string, unknown>;
  const at = shorten(error.instancePath);
  const child = (name: unknown): string => `${at}/${shorten(String(name))}`;
  switch (error.keyword) {
    case "required":
      return { at: child(params["missingProperty"]), expected: "present", received: "nothing" };
    case "additionalProperties":
      return {
        at: child(params["additionalProperty"]),
        expected: "absent (the name is not known here)",
        received: "a value",
      };
    case "propertyNames":
      return { at, expected: "an object with sound names", received: describeValue(params["propertyName"]) };
    case "enum":
      return violation(
        error,
        `one of ${(params["allowedValues"] as unknown[]).map((value) => JSON.stringify(value)).join(", ")}`,
      );
    case "discriminator":
      return { at: child(params["tag"]), expected: "a known name", received: received(params["tagValue"]) };
    case "type":
      return violation(error, `of type ${String(params["type"])}`);
    case "const":
      return violation(error, JSON.stringify(params["allowedValue"]));
    case "minItems":
    case "maxItems":
    case "minLength":
    case "maxLength":
    case "minProperties": {
      const side = error.keyword.startsWith("min") ? "at least" : "at most";
      return violation(error, `of ${side} ${String(params["limit"])} ${UNITS[error.keyword]}`);
    }
    case "pattern":
      return violation(error, `text of the form ${String(params["pattern"])}`);
    default:
      return violation(error, (error.message ?? error.keyword).replace(/^must (be )?/, ""));
  }
}

const UNITS = {
  minItems: "items",
  maxItems: "items",
  minLength: "characters",
  maxLength: "characters",
  minProperties: "fields",
};

function violationAt(error: ErrorObject, expected: string, root: unknown): Violation {
  const number = typeof error.data === "number" ? writtenAt(root, error.instancePath) : undefined;
  return { at: shorten(error.instancePath), expected, received: number ?? received(error.data) };
}

/** The number in a field of the document as it was written there: beyond 2^53 JavaScript has another one. */
function writtenAt(root: unknown, path: string): string | undefined {
  const key = path.slice(1);
  if (key.includes("/") || !isJsonObject(root)) return undefined;
  const text = numberText(root, key.replaceAll("~1", "/").replaceAll("~0", "~"));
  return text === undefined ? undefined : shortNumber(text);
}

function received(value: unknown): string {
  return describeValue(value);
}

/** The text comes from a file: short, and without the characters that would move a terminal's cursor. */
function shorten(text: string): string {
  return withoutControls(cutText(text, 80)).replaceAll("\n", "\\u000a");
}

/**
 * Makes a function on its first call. Compiling a schema takes some milliseconds, which a command without such input
 * should not spend.
 */
export function lazily<A, R>(make: () => (argument: A) => R): (argument: A) => R {
  let made: ((argument: A) => R) | undefined;
  return (argument) => (made ??= make())(argument);
}
