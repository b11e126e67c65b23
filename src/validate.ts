/** Checks JSON against a schema, with a message that says where, what was expected and what was received. */
import type { ErrorObject, Schema } from "ajv";
import { Ajv } from "ajv";

export interface Violation {
  /** Where in the document, as a JSON pointer: "/scores/0/meanIoU"; empty for the document itself. */
  readonly at: string;
  /** "at least 0", "one of \"RGB\", \"BGR\"". */
  readonly expected: string;
  /** The value found, as JSON, at most 80 characters. */
  readonly received: string;
}

/** Compiles a schema. The function returns undefined for a valid value, else the first thing that is wrong. */
export function compileSchema(schema: Schema): (value: unknown) => Violation | undefined {
  // `verbose` puts the offending value into the error; allowUnionTypes is for the ids that are numbers or strings.
  const validate = new Ajv({ discriminator: true, verbose: true, allowUnionTypes: true }).compile(schema);
  return (value) => {
    if (validate(value)) return undefined;
    return toViolation(validate.errors![0]!);
  };
}

/** "expected /context to be at most 1 but received 15" */
export function describeViolation({ at, expected, received }: Violation): string {
  return `expected ${at === "" ? "the document" : at} to be ${expected} but received ${received}`;
}

function toViolation(error: ErrorObject): Violation {
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
      return { at, expected: "an object with sound names", received: shorten(JSON.stringify(params["propertyName"])) };
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

function violation(error: ErrorObject, expected: string): Violation {
  return { at: shorten(error.instancePath), expected, received: received(error.data) };
}

function received(value: unknown): string {
  return value === undefined ? "nothing" : shorten(JSON.stringify(value));
}

/** The text comes from a file: short, and without the characters that would move a terminal's cursor. */
function shorten(text: string): string {
  const cut = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return cut.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Makes a function on its first call. Compiling a schema takes some milliseconds, which a command without such input
 * should not spend.
 */
export function lazily<A, R>(make: () => (argument: A) => R): (argument: A) => R {
  let made: ((argument: A) => R) | undefined;
  return (argument) => (made ??= make())(argument);
}
