/**
 * What run.json beside a predictions file says about the run that wrote it: model, engine, images. Nothing of it
 * decides a number but the context.
 */
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { reasonOf } from "../errors.js";
import type { JsonValue } from "../types.js";

export interface RunInfo {
  readonly model?: string;
  readonly engine?: string;
  readonly device?: string;
  /** Extra part of the box's long side that the network saw. */
  readonly context?: number;
  /** Image folder of the run; exists. */
  readonly images?: string;
}

const LARGEST_RUN_FILE = 2 ** 20;

/** @param note told when there is a run.json that cannot be read: the evaluation goes on without it */
export async function readRunInfo(predictions: string, note: (line: string) => void): Promise<RunInfo> {
  const path = join(dirname(predictions), "run.json");
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return {};
  try {
    if (!found.isFile() || found.size > LARGEST_RUN_FILE) throw new Error("it is no file of a run");
    return await fieldsOf(JSON.parse(await readFile(path, "utf8")) as JsonValue);
  } catch (error) {
    note(`${path}: not used: ${reasonOf(error)}`);
    return {};
  }
}

async function fieldsOf(run: JsonValue): Promise<RunInfo> {
  const text = (...path: string[]): string | undefined => textOf(at(run, path));
  const model = text("model", "name"),
    engine = text("engine", "name"),
    device = text("engine", "device");
  const context = at(run, ["options", "context"]);
  const images = text("inputs", "images");
  const hasImages =
    images !== undefined &&
    (await stat(images).then(
      (folder) => folder.isDirectory(),
      () => false,
    ));
  return {
    ...(model !== undefined && { model }),
    ...(engine !== undefined && { engine }),
    ...(device !== undefined && { device }),
    ...(typeof context === "number" && context >= 0 && context <= 1 && { context }),
    ...(hasImages && { images }),
  };
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function at(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let found: JsonValue | undefined = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || Array.isArray(found) || !Object.hasOwn(found, name))
      return undefined;
    found = found[name];
  }
  return found;
}
