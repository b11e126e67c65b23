/**
 * run.json: what a run was asked, on which input, and what did the work. Enough to repeat, resume or evaluate it.
 *
 * All that knows the form of the file stands here: one writer, one reader, and a view for each command that reads it.
 * `merge` needs most and has a schema, `simulate-clicks` needs inputs and options, `evaluate` takes what is there.
 * Paths are absolute, so that later commands find the inputs from anywhere.
 */
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { count } from "../count.js";
import type { DatasetFormat } from "../dataset/dataset.js";
import type { BoxUnit } from "../dataset/relative-boxes.js";
import { BOX_UNITS } from "../dataset/relative-boxes.js";
import type { PassedOver } from "../engine/devices.js";
import type { DeviceName, EngineName } from "../engine/engine.js";
import { invalidData, missingInput, reasonOf, receivedOf } from "../errors.js";
import { writeAtomic } from "../files/atomic-file.js";
import { whyNotJson } from "../files/recognize.js";
import { RUN_FILE } from "../files/run-layout.js";
import { isJsonObject, parseForeignJson } from "../foreign.js";
import type { ModelCard } from "../model/card.js";
import type { JsonValue } from "../types.js";
import { compileSchema, describeViolation, lazily } from "../validate.js";
import { packageVersion } from "../version.js";
import type { FormatOptions, OutputFormat } from "../write/writer.js";
import { LINKS, MASK_KINDS, OUTPUT_FORMATS, SEGMENTATIONS } from "../write/writer.js";

/** What predicted: an engine of this process, or the workers of a queue. */
export interface PredictingEngine {
  /** "queue" while no worker has answered, "several" where workers differ. */
  readonly name: EngineName | "queue" | "several";
  readonly device: DeviceName | "queue" | "several";
  /** Library and version, for example "onnxruntime-node 1.30.0"; several are joined by " + ". */
  readonly version: string;
}

/** The fields of run.json that `merge` relies on. An object that was read holds the others as well. */
export interface RunRecord {
  readonly version: 1;
  readonly type: "run";
  /** "polyrnn 0.1.0" */
  readonly program: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly inputs: { readonly images: string; readonly boxes: string; readonly dataset?: string };
  readonly model: { readonly name: string };
  readonly engine: PredictingEngine;
  readonly options: {
    readonly formats: readonly OutputFormat[];
    readonly formatOptions?: FormatOptions;
    readonly overlays: (typeof OVERLAYS)[number];
    readonly batchSize: number;
    readonly onlyNew?: string;
    readonly boxesAre?: BoxUnit;
  };
  /** The runs of shards it was merged from; absent where one run made the whole. */
  readonly merged?: readonly MergedRun[];
}

const OVERLAYS = ["auto", "all", "none"] as const;

export interface MergedRun extends Pick<RunRecord, "program" | "startedAt" | "engine"> {
  /** "3/16" */
  readonly shard: string;
  readonly folder: string;
}

/** What a run that begins says of itself. */
export interface RunFacts extends Pick<RunRecord, "inputs" | "model" | "engine" | "options"> {
  readonly inputs: RunRecord["inputs"] & {
    readonly format: DatasetFormat;
    readonly sha256: string;
    readonly imageCount: number;
    readonly annotationCount: number;
  };
  readonly model: Pick<ModelCard, "name" | "version" | "files"> & { readonly folder: string; readonly hash: string };
  readonly engine: PredictingEngine & { readonly passedOver: readonly PassedOver[] };
  /** All options of the command; those that were left open with the value that was taken. */
  readonly options: RunRecord["options"] & {
    readonly context: number;
    readonly maxSteps: number;
    readonly candidates: number;
    readonly sure?: number;
    readonly categories: readonly string[];
    readonly limit?: number;
  };
}

/** @returns the record of a run that begins now */
export function startRecord(facts: RunFacts): RunRecord & { readonly node: string } {
  return {
    version: 1,
    type: "run",
    program: `polyrnn ${packageVersion()}`,
    node: process.version,
    startedAt: new Date().toISOString(),
    ...facts,
  };
}

/** @throws E_WRITE */
export async function writeRunFile(folder: string, record: RunRecord): Promise<void> {
  await writeAtomic(join(folder, RUN_FILE), `${JSON.stringify(record, null, 2)}\n`);
}

/** "polyrnn 0.1.0, model mobile 0123456789ab": for the formats that have room for it. */
export function generatorOf({ program, model }: Pick<RunRecord, "program" | "model">, modelHash: string): string {
  return `${program}, model ${model.name} ${modelHash.slice(0, 12)}`;
}

type Found =
  | { readonly kind: "found"; readonly run: JsonValue }
  /** There is none, or there is one that cannot be used. */
  | { readonly kind: "absent" | "damaged"; readonly problem: string; readonly hint?: string; readonly error?: unknown };

const LARGEST_RUN_FILE = 2 ** 20;

/** Reads a run.json that may come from anywhere. @param maxBytes a longer one is not read */
async function readJson(path: string, maxBytes = LARGEST_RUN_FILE): Promise<Found> {
  const failed = (kind: "absent" | "damaged", error: unknown): Found => ({
    kind,
    problem: `expected a file that can be read, received ${reasonOf(error)}`,
    error,
  });
  let bytes: Buffer;
  try {
    const found = await stat(path);
    if (!found.isFile()) return { kind: "damaged", problem: "expected a file, received something else" };
    if (found.size > maxBytes)
      return {
        kind: "damaged",
        problem: `expected a file of at most ${count(maxBytes, "byte")}, received ${found.size}`,
      };
  } catch (error) {
    return failed("absent", error);
  }
  try {
    bytes = await readFile(path);
  } catch (error) {
    return failed("damaged", error);
  }
  try {
    return { kind: "found", run: parseForeignJson(bytes.toString("utf8")) as JsonValue };
  } catch (error) {
    const { why, hint } = whyNotJson(bytes, error, "");
    return { kind: "damaged", problem: `expected JSON but ${why}`, ...(hint !== "" && { hint }), error };
  }
}

const shortText = { type: "string", minLength: 1, maxLength: 4096 };

/** Unknown fields pass. */
const checkRecord = lazily(() =>
  compileSchema({
    type: "object",
    required: ["version", "type", "program", "startedAt", "inputs", "model", "engine", "options"],
    properties: {
      version: { const: 1 },
      type: { const: "run" },
      program: shortText,
      startedAt: shortText,
      inputs: {
        type: "object",
        required: ["images", "boxes"],
        properties: { images: shortText, boxes: shortText, dataset: shortText },
      },
      model: { type: "object", required: ["name"], properties: { name: shortText } },
      engine: {
        type: "object",
        required: ["name", "device", "version"],
        properties: {
          name: { enum: ["onnxruntime", "tfjs", "wgsl", "queue", "several"] },
          device: { enum: ["cpu", "webgpu", "cuda", "queue", "several"] },
          version: shortText,
        },
      },
      options: {
        type: "object",
        required: ["formats", "overlays", "batchSize"],
        properties: {
          formats: { type: "array", maxItems: 20, items: { enum: OUTPUT_FORMATS } },
          formatOptions: {
            type: "object",
            properties: {
              segmentation: { enum: SEGMENTATIONS },
              masks: { type: "array", maxItems: 20, items: { enum: MASK_KINDS } },
              link: { enum: LINKS },
              labelStudioPrefix: shortText,
              embedImages: { type: "boolean" },
            },
          },
          overlays: { enum: OVERLAYS },
          batchSize: { type: "integer", minimum: 1 },
          onlyNew: shortText,
          boxesAre: { enum: BOX_UNITS },
        },
      },
    },
  }),
);

/** Why there is no run.json in a folder: no folder, a file, or a folder without one. */
async function absenceOf(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) return `${folder}: there is no such folder;`;
  return found.isDirectory() ? `${folder}: there is no ${RUN_FILE} in it;` : `${folder}: this is a file;`;
}

/**
 * The view of `merge`: all or nothing.
 * @param expected what the folder should be, for the message
 * @throws E_MISSING when there is no run.json, E_DATA when it is damaged or foreign
 */
export async function readRunFile(folder: string, expected: string, hint: string): Promise<RunRecord> {
  const path = join(folder, RUN_FILE);
  const found = await readJson(path);
  if (found.kind !== "found")
    throw found.kind === "absent"
      ? missingInput(`${await absenceOf(folder)} expected ${expected}`, hint, found.error)
      : invalidData(`${path}: ${found.problem}`, found.hint ?? hint, found.error);
  const run: unknown = found.run;
  const violation = checkRecord(run);
  if (violation !== undefined) throw invalidData(`${path}: ${describeViolation(violation)}`, hint);
  return run as RunRecord;
}

/** Inputs and options of an earlier run: enough to simulate clicks on the same. */
export interface LastRun {
  /** The run.json that says so. */
  readonly path: string;
  readonly images: string;
  /** Its box file, which may hold the ground truth. */
  readonly boxes: string;
  /** What its boxes count; absent: pixels. */
  readonly boxesAre?: BoxUnit;
  readonly modelFolder: string;
  readonly context: number;
  readonly maxSteps: number;
  readonly candidates: number;
  readonly sure?: number;
  readonly categories: readonly string[];
  readonly limit?: number;
}

/**
 * The view of `simulate-clicks`.
 * @param folder output folder of `annotate`
 * @returns undefined when there is no run
 * @throws E_DATA when run.json is there but does not say what is needed
 */
export async function readLastRun(folder: string): Promise<LastRun | undefined> {
  const path = join(folder, RUN_FILE);
  const damaged = (problem: string, cause?: unknown): Error =>
    invalidData(
      `${path}: ${problem}`,
      "Name the data set instead: polyrnn simulate-clicks IMAGES --truth FILE.",
      cause,
    );
  // Of any length: thousands of merged shards make it long, and nobody but the user names it.
  const found = await readJson(path, Infinity);
  if (found.kind === "absent" && isMissing(found.error)) return undefined;
  if (found.kind !== "found") throw damaged(found.problem, found.error);
  const { run } = found;
  const wrong = (expected: string, value: JsonValue | undefined): Error =>
    damaged(`expected ${expected}, received ${receivedOf(value)}`);
  for (const name of ["inputs", "options", "model"]) {
    const value = isJsonObject(run) ? fieldAt(run, name) : run;
    if (!isJsonObject(value)) throw wrong(`an object ${name}`, value);
  }
  const text = (name: string, value = fieldAt(run, name)): string => {
    if (isText(value)) return value;
    throw wrong(`a text ${name}`, value);
  };
  const number = (name: string, low: number, high: number): number => {
    const value = fieldAt(run, name);
    if (typeof value === "number" && value >= low && value <= high) return value;
    throw wrong(`a number ${name} from ${low} to ${high}`, value);
  };
  const categories = fieldAt(run, "options.categories");
  const boxesAre = BOX_UNITS.find((unit) => unit === fieldAt(run, "options.boxesAre"));
  return {
    path,
    images: text("inputs.images"),
    boxes: text("inputs.boxes"),
    ...(boxesAre !== undefined && { boxesAre }),
    modelFolder: text("model.folder"),
    context: number("options.context", 0, 1),
    maxSteps: number("options.maxSteps", 3, 500),
    candidates: number("options.candidates", 1, 10),
    ...(fieldAt(run, "options.sure") !== undefined && { sure: number("options.sure", 0, 1) }),
    categories: Array.isArray(categories) ? categories.map((name) => text("options.categories", name)) : [],
    ...(fieldAt(run, "options.limit") !== undefined && {
      limit: number("options.limit", 1, Number.MAX_SAFE_INTEGER),
    }),
  };
}

/** What run.json says of the predictions beside it. Nothing of it decides a number but the context. */
export interface RunInfo {
  readonly model?: string;
  readonly engine?: string;
  readonly device?: string;
  /** Extra part of the box's long side that the network saw. */
  readonly context?: number;
  /** Image folder of the run; exists. */
  readonly images?: string;
}

/**
 * The view of `evaluate`: what is there.
 * @param predictions file of the run
 * @param damaged receives what is wrong with a run.json that cannot be used; what it returns is thrown, and without that
 *   the evaluation goes on as if there were none
 */
export async function readRunInfo(
  predictions: string,
  damaged: (problem: string, cause?: unknown) => Error | undefined,
): Promise<RunInfo> {
  const path = join(dirname(predictions), RUN_FILE);
  const found = await readJson(path);
  if (found.kind === "absent" && isMissing(found.error)) return {};
  const refuse = (problem: string, cause?: unknown): RunInfo => {
    const error = damaged(`${path}: ${problem}`, cause);
    if (error !== undefined) throw error;
    return {};
  };
  if (found.kind !== "found") return refuse(found.problem, found.error);
  const { run } = found;
  if (!isJsonObject(run)) return refuse(`expected an object, received ${receivedOf(run)}`);
  const names = ["model.name", "engine.name", "engine.device", "inputs.images"] as const;
  const [model, engine, device, images] = names.map((name) => fieldAt(run, name));
  for (const [i, value] of [model, engine, device, images].entries())
    if (value !== undefined && !isText(value))
      return refuse(`expected a text ${names[i]!}, received ${receivedOf(value)}`);
  const context = fieldAt(run, "options.context");
  if (context !== undefined && !(typeof context === "number" && context >= 0 && context <= 1))
    return refuse(`expected a number options.context from 0 to 1, received ${receivedOf(context)}`);
  const hasImages = isText(images) && (await stat(images).catch(() => undefined))?.isDirectory() === true;
  return {
    ...(isText(model) && { model }),
    ...(isText(engine) && { engine }),
    ...(isText(device) && { device }),
    ...(context !== undefined && { context }),
    ...(hasImages && { images }),
  };
}

/** @param name for example "options.context" */
function fieldAt(run: JsonValue, name: string): JsonValue | undefined {
  let found: JsonValue | undefined = run;
  for (const part of name.split(".")) {
    if (!isJsonObject(found) || !Object.hasOwn(found, part)) return undefined;
    found = found[part];
  }
  return found;
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === "string" && value !== "";
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}
