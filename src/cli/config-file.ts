/**
 * The file behind `--config`: an object of options in JSON (RFC 8259) or YAML 1.2 (core schema). Its keys are option
 * names as flags write them or in camelCase. Whoever hands over a repository hands over this file: size, nesting and
 * everything of YAML that options do not need (anchors, aliases, tags, merge keys) have limits.
 */
import { open } from "node:fs/promises";
import type { CST } from "yaml";
import type { PolyrnnError } from "../errors.js";
import { invalidData, isAbsent, missingInput, reasonOf, receivedOf, usageError } from "../errors.js";
import { whyNotJson } from "../files/recognize.js";
import { cutText, endOfString, isJsonObject, WrittenNumber } from "../foreign.js";
import { parseForeignJsonText, withWrittenNumbers } from "../json-text.js";
import { nearestName } from "../nearest.js";
import type { JsonValue } from "../types.js";
import type { AnyOptionTable } from "./option-table.js";
import { flagName } from "./option-table.js";

/** Every option and long lists of names. What the YAML parser takes grows with the square of some inputs: a second here. */
const MOST_BYTES = 1 << 16;
/** The file itself and a list in it need two; with more, the message about the option can still name it. */
const MOST_LEVELS = 4;

export interface ConfigValue {
  /** Unchecked. A number that JavaScript would write otherwise is a WrittenNumber. */
  readonly value: unknown;
  /** For messages: "polyrnn.yaml:3: device". */
  readonly place: string;
}

/** A key of the file, where it stands. */
interface Field {
  readonly key: string;
  readonly value: unknown;
  /** From 1. */
  readonly line: number;
}

/**
 * @returns values by camelCase option name
 * @throws E_MISSING (no such file), E_DATA (not an object in JSON or YAML, too large, too deep), E_USAGE (a key that is
 *   no option, or one given twice)
 */
export async function readConfigFile(path: string, table: AnyOptionTable): Promise<ReadonlyMap<string, ConfigValue>> {
  const names = new Map<string, string>();
  for (const name of Object.keys(table)) {
    if (name === "config") continue; // One file cannot point to the next.
    names.set(name, name).set(flagName(name), name);
  }
  const bytes = await readBytes(path);
  const fields = isJson(path, bytes) ? jsonFields(path, bytes) : await yamlFields(path, decoded(path, bytes));
  const values = new Map<string, ConfigValue>();
  const first = new Map<string, Field>();
  for (const field of fields) {
    const { key, value, line } = field;
    const name = names.get(key);
    if (name === undefined) {
      const suggestion = nearestName(cutText(key, 100), [...names.keys()]);
      const known = Object.keys(table).filter((option) => option !== "config");
      throw usageError(
        `${path}:${line}: ${receivedOf(key)} is not an option`,
        suggestion === undefined ? `Known keys: ${known.join(", ")}.` : `Did you mean ${JSON.stringify(suggestion)}?`,
      );
    }
    const earlier = first.get(name);
    if (earlier !== undefined)
      throw usageError(
        `${path}:${line}: ${name} is given twice, as ${earlier.key} in line ${earlier.line} and as ${key} here`,
        "Remove one of them.",
      );
    first.set(name, field);
    values.set(name, { value, place: `${path}:${line}: ${name}` });
  }
  return values;
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    const file = await open(path, "r");
    try {
      const bytes = Buffer.allocUnsafe(MOST_BYTES + 1);
      for (let length = 0; length <= MOST_BYTES;) {
        const { bytesRead } = await file.read(bytes, length, bytes.length - length, null);
        if (bytesRead === 0) return bytes.subarray(0, length);
        length += bytesRead;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw missingInput(
      `${path}: expected a config file that can be read, received ${isAbsent(error) ? "no such file" : reasonOf(error)}`,
      "Check the path given with --config or POLYRNN_CONFIG.",
      error,
    );
  }
  throw tooLarge(path);
}

/** Without the mark of its byte order. */
function decoded(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalidData(`${path}: expected text in UTF-8, received other bytes`, "Save the file as UTF-8.", error);
  }
}

function tooLarge(path: string): PolyrnnError {
  return invalidData(
    `${path}: expected a config file of at most ${MOST_BYTES} bytes, received a larger one`,
    'It holds options only; "polyrnn init" writes one to start from.',
  );
}

/** By its name; any other name by its first character, because YAML's flow form of an object begins like JSON. */
function isJson(path: string, bytes: Buffer): boolean {
  if (/\.ya?ml$/i.test(path)) return false;
  return /\.json$/i.test(path) || ["{", "["].includes(bytes.toString("utf8").trimStart().charAt(0));
}

const JSON_HINT = 'Write a JSON object such as {"model": "mobile", "batch-size": 8}.';

function jsonFields(path: string, bytes: Buffer): Field[] {
  const text = bytes.toString("utf8");
  let value: JsonValue;
  try {
    value = parseForeignJsonText(text.replace(/^\ufeff/u, ""));
  } catch (error) {
    const found = whyNotJson(bytes, error, JSON_HINT);
    throw invalidData(`${path}: expected JSON but ${found.why}`, found.hint, error);
  }
  if (!isJsonObject(value)) {
    const received = value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
    throw invalidData(`${path}: expected a JSON object but received ${received}`, JSON_HINT);
  }
  const found = withWrittenNumbers(value);
  // JSON.parse keeps the last of two equal keys in silence: all of them are looked for in the text.
  return jsonKeys(text).map(({ key, line }) => ({ key, value: found.get(key), line }));
}

/** Keys of the outermost object, each once for every time it is there. @param text JSON that has been parsed */
function jsonKeys(text: string): Pick<Field, "key" | "line">[] {
  const keys: Pick<Field, "key" | "line">[] = [];
  let [line, level, last, lastLine] = [1, 0, "", 1];
  for (let i = 0; i < text.length; i++) {
    switch (text.charAt(i)) {
      case "\n":
        line++;
        break;
      case "{":
      case "[":
        level++;
        break;
      case "}":
      case "]":
        level--;
        break;
      case '"': {
        const end = endOfString(text, i);
        [last, lastLine] = [text.slice(i, end + 1), line];
        i = end;
        break;
      }
      case ":":
        if (level === 1) keys.push({ key: JSON.parse(last) as string, line: lastLine });
        break;
      default:
    }
  }
  return keys;
}

const YAML_HINT = 'Write one option per line, such as "batch-size: 8"; "polyrnn init" writes a file to start from.';

type Refuse = (offset: number, received: string, cause?: unknown) => PolyrnnError;

async function yamlFields(path: string, text: string): Promise<Field[]> {
  const { Composer, isMap, isScalar, isSeq, LineCounter, Parser } = await import("yaml");
  const written = (value: unknown, node: unknown): unknown => {
    if (Array.isArray(value) && isSeq(node)) return value.map((item, i) => written(item, node.items[i]));
    if (typeof value !== "number" || !isScalar(node) || node.source === undefined) return value ?? null;
    return String(value) === node.source ? value : new WrittenNumber(node.source, value);
  };
  const lines = new LineCounter();
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const refuse: Refuse = (offset, received, cause) =>
    invalidData(`${path}:${lineAt(offset)}: expected options in YAML, received ${received}`, YAML_HINT, cause);
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  checkTokens(tokens, refuse);
  const [document, second] = new Composer({ schema: "core", merge: false, uniqueKeys: false }).compose(tokens, true);
  const [problem] = [...(document?.errors ?? []), ...(document?.warnings ?? [])];
  if (problem !== undefined) throw refuse(problem.pos[0], cutText(problem.message, LONGEST_REASON), problem);
  if (second !== undefined) throw refuse(second.range[0], "a second document");
  const contents = document?.contents ?? null;
  if (document === undefined || contents === null || (isScalar(contents) && contents.value === null)) return [];
  if (!isMap(contents)) throw refuse(contents.range[0], isScalar(contents) ? "a single value" : "a list");
  return contents.items.map(({ key, value }) => {
    if (!isScalar(key)) throw refuse(key.range[0], "a key that is a list or an object");
    return { key: String(key.value), value: written(value?.toJS(document), value), line: lineAt(key.range[0]) };
  });
}

/** What the parser says about a line may quote it. */
const LONGEST_REASON = 200;

/**
 * Refuses what options do not need, and depth, on the tokens: what turns them into values calls itself at every level
 * and copies what an alias names.
 */
function checkTokens(tokens: readonly CST.Token[], refuse: Refuse): void {
  const waiting = tokens.map((token) => ({ token, level: 0 }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, level } = next;
    if (level > MOST_LEVELS) throw refuse(token.offset, `more than ${MOST_LEVELS} levels of lists and objects`);
    if (token.type === "alias" || token.type === "anchor" || token.type === "tag")
      throw refuse(token.offset, `${token.type === "tag" ? "a tag" : `an ${token.type}`}, which options do not take`);
    const push = (inner: readonly (CST.Token | null | undefined)[], deeper: number): void => {
      for (const one of inner) if (one !== null && one !== undefined) waiting.push({ token: one, level: deeper });
    };
    if (token.type === "document") push([...token.start, token.value], level);
    else if ("items" in token)
      for (const { start, key, sep, value } of token.items) {
        push([...start, ...(sep ?? [])], level);
        push([key, value], level + 1);
      }
  }
}
