/**
 * What the run.json of an earlier `annotate` says was drawn, from what and by which model: enough to simulate clicks on
 * the same.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { invalidData, reasonOf, receivedOf } from "../errors.js";
import { RUN_FILE } from "../files/run-layout.js";
import type { JsonObject, JsonValue } from "../types.js";

/** Inputs and options of a run; paths are absolute. */
export interface LastRun {
  /** The run.json that says so. */
  readonly path: string;
  readonly images: string;
  /** Its box file, which may hold the ground truth. */
  readonly boxes: string;
  readonly modelFolder: string;
  readonly context: number;
  readonly maxSteps: number;
  readonly candidates: number;
  readonly categories: readonly string[];
  readonly limit?: number;
}

/**
 * @param folder output folder of `annotate`
 * @returns undefined when there is no run
 * @throws E_DATA when run.json is there but does not say what is needed
 */
export async function readLastRun(folder: string): Promise<LastRun | undefined> {
  const path = join(folder, RUN_FILE);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw damaged(path, `expected a file that can be read, received ${reasonOf(error)}`, error);
  }
  let run: JsonValue;
  try {
    run = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw damaged(path, `expected JSON but ${reasonOf(error)}`, error);
  }
  const inputs = objectIn(path, run, "inputs");
  const options = objectIn(path, run, "options");
  const categories = fieldOf(options, "categories");
  const limit = fieldOf(options, "limit");
  return {
    path,
    images: textIn(path, "inputs.images", fieldOf(inputs, "images")),
    boxes: textIn(path, "inputs.boxes", fieldOf(inputs, "boxes")),
    modelFolder: textIn(path, "model.folder", fieldOf(objectIn(path, run, "model"), "folder")),
    context: numberIn(path, "options.context", fieldOf(options, "context"), 0, 1),
    maxSteps: numberIn(path, "options.maxSteps", fieldOf(options, "maxSteps"), 3, 500),
    candidates: numberIn(path, "options.candidates", fieldOf(options, "candidates"), 1, 10),
    categories: Array.isArray(categories) ? categories.map((name) => textIn(path, "options.categories", name)) : [],
    ...(limit !== undefined && { limit: numberIn(path, "options.limit", limit, 1, Number.MAX_SAFE_INTEGER) }),
  };
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

function objectIn(path: string, run: JsonValue, name: string): JsonObject {
  const value = isObject(run) ? fieldOf(run, name) : run;
  if (!isObject(value)) throw damaged(path, `expected an object ${name}, received ${receivedOf(value)}`);
  return value;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function textIn(path: string, name: string, value: JsonValue | undefined): string {
  if (typeof value === "string" && value !== "") return value;
  throw damaged(path, `expected a text ${name}, received ${receivedOf(value)}`);
}

function numberIn(path: string, name: string, value: JsonValue | undefined, low: number, high: number): number {
  if (typeof value === "number" && value >= low && value <= high) return value;
  throw damaged(path, `expected a number ${name} from ${low} to ${high}, received ${receivedOf(value)}`);
}

function damaged(path: string, problem: string, cause?: unknown): Error {
  return invalidData(
    `${path}: ${problem}`,
    "Name the data set instead: polyrnn simulate-clicks IMAGES --truth FILE.",
    cause,
  );
}
