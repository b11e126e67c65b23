/** The run folder of one shard, as `merge` reads it: what was asked, on what, and by whom it was drawn. Nothing in it is believed unchecked. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { JOURNAL_FILE, RUN_FILE } from "../dataset/run-outputs.js";
import { invalidData, missingInput, reasonOf } from "../errors.js";
import { checkRunFile, checkRunHeader } from "../schema/run-part.js";
import { describeViolation } from "../schema/validate.js";
import type { JsonObject } from "../types.js";
import type { OutputFormat } from "../write/writer.js";
import { readJournal } from "./journal.js";
import type { AnnotateOptions, DrawingEngine } from "./options.js";
import type { RunIdentity } from "./run-identity.js";
import { type Shard, parseShard } from "./shard.js";

export interface Part {
  /** As the user named it. */
  readonly folder: string;
  readonly journalPath: string;
  readonly identity: RunIdentity;
  readonly shard: Shard;
  readonly run: RunFile;
}

/** The fields of run.json that are needed here; the object holds all of them. */
export interface RunFile {
  readonly program: string;
  readonly startedAt: string;
  readonly inputs: { readonly images: string; readonly boxes: string; readonly dataset?: string };
  readonly model: { readonly name: string };
  readonly engine: DrawingEngine;
  readonly options: {
    readonly formats: readonly OutputFormat[];
    readonly overlays: AnnotateOptions["overlays"];
    readonly batchSize: number;
    readonly onlyNew?: string;
  };
}

const LARGEST_RUN_FILE = 2 ** 20;
const HINT = "Name folders that polyrnn annotate --shard I/N wrote with --out.";

/**
 * @throws E_MISSING when the folder holds no run, E_DATA when the run is damaged, foreign, or one of the whole input
 */
export async function readPart(folder: string): Promise<Part> {
  const run = await readRunFile(join(folder, RUN_FILE));
  const journalPath = join(folder, JOURNAL_FILE);
  const identity = await readHeader(journalPath);
  if (identity.shard === null) {
    throw invalidData(
      `${folder}: expected the run of a shard, received a run of the whole input`,
      "Leave it out: its files are complete as they are.",
    );
  }
  return { folder, journalPath, identity, shard: shardOf(identity.shard, journalPath), run };
}

async function readRunFile(path: string): Promise<RunFile> {
  const found = await stat(path).catch((thrown: unknown) => {
    throw missingInput(`${path}: expected the run folder of a shard, received ${reasonOf(thrown)}`, HINT, thrown);
  });
  if (!found.isFile() || found.size > LARGEST_RUN_FILE)
    throw invalidData(
      `${path}: expected a file of at most ${LARGEST_RUN_FILE} bytes, received ${found.isFile() ? found.size : "something else"}`,
      HINT,
    );
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (thrown) {
    throw invalidData(`${path}: expected JSON, received ${reasonOf(thrown)}`, HINT, thrown);
  }
  const violation = checkRunFile(value);
  if (violation !== undefined) throw invalidData(`${path}: ${describeViolation(violation)}`, HINT);
  return value as RunFile;
}

async function readHeader(path: string): Promise<RunIdentity> {
  let header: JsonObject | undefined;
  for await (const { value } of readJournal(path)) {
    header = value;
    break;
  }
  if (header === undefined)
    throw invalidData(`${path}: line 1: expected the header of a run, received a damaged line or none`, HINT);
  const violation = checkRunHeader(header);
  if (violation !== undefined) throw invalidData(`${path}: line 1: ${describeViolation(violation)}`, HINT);
  return header as unknown as RunIdentity;
}

function shardOf(text: string, path: string): Shard {
  try {
    if (text === "auto") throw new Error("auto");
    return parseShard(text, {});
  } catch (thrown) {
    throw invalidData(
      `${path}: line 1: expected a shard such as 3/16, received ${JSON.stringify(text.slice(0, 20))}`,
      HINT,
      thrown,
    );
  }
}
