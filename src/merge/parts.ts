/**
 * The parts of a merge: run folders of shards, each read and checked, then all of them together. They belong to one run
 * when input, model and options agree and no shard is there twice. Nothing in a part is believed unchecked.
 */
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { parseShard } from "../annotate/shard.js";
import { invalidData, usageError } from "../errors.js";
import { JOURNAL_FILE } from "../files/run-layout.js";
import type { RunIdentity, Shard } from "../runs/identity.js";
import { checkIdentity, describeDifferences, shardName } from "../runs/identity.js";
import { readJournal } from "../runs/journal.js";
import type { RunRecord } from "../runs/run-file.js";
import { readRunFile } from "../runs/run-file.js";
import { describeViolation } from "../validate.js";

/** The run of one shard. */
export interface Part {
  /** As the user named it. */
  readonly folder: string;
  readonly journalPath: string;
  readonly identity: RunIdentity;
  readonly shard: Shard;
  readonly run: RunRecord;
}

const HINT = "Name folders that polyrnn annotate --shard I/N wrote with --out.";

/**
 * @throws E_MISSING when the folder holds no run, E_DATA when the run is damaged, foreign, or one of the whole input
 */
export async function readPart(folder: string): Promise<Part> {
  const run = await readRunFile(folder, "the run folder of a shard", HINT);
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

async function readHeader(path: string): Promise<RunIdentity> {
  let header: object | undefined;
  for await (const { value } of readJournal(path)) {
    header = value;
    break;
  }
  if (header === undefined)
    throw invalidData(`${path}: line 1: expected the header of a run, received a damaged line or none`, HINT);
  const violation = checkIdentity(header);
  if (violation !== undefined) throw invalidData(`${path}: line 1: ${describeViolation(violation)}`, HINT);
  return header as RunIdentity;
}

function shardOf(text: string, path: string): Shard {
  try {
    if (text === "auto") throw new Error("auto");
    return parseShard(text, {});
  } catch (error) {
    throw invalidData(
      `${path}: line 1: expected a shard such as 3/16, received ${JSON.stringify(text.slice(0, 20))}`,
      HINT,
      error,
    );
  }
}

/** @throws E_USAGE naming the folders, and every field that differs or shard that is there twice */
export async function checkParts(parts: readonly Part[]): Promise<void> {
  const [first] = parts;
  if (first === undefined)
    throw usageError("expected the folders of shards, received none", "Name them: polyrnn merge part-* --out all.");
  await refuseSameFolder(parts);
  for (const part of parts) {
    // Everything but the shard must agree.
    const differences = describeDifferences({ ...part.identity, shard: null }, { ...first.identity, shard: null }).map(
      ({ name, found, wanted }) => `${name}: ${part.folder} has ${found}, ${first.folder} has ${wanted}`,
    );
    if (part.shard.count !== first.shard.count)
      differences.push(
        `--shard: ${part.folder} has ${shardName(part.shard)}, ${first.folder} has ${shardName(first.shard)}`,
      );
    if (differences.length > 0) {
      throw usageError(
        `cannot merge shards of different runs: ${differences.join("; ")}`,
        "Draw all shards with one command, apart from --shard and --out.",
      );
    }
  }
  if (first.identity.limit !== null) {
    throw usageError(
      `${first.folder}: expected whole shards, received some drawn with --limit ${first.identity.limit}`,
      "Draw the shards without --limit: it counts within each of them.",
    );
  }
  refuseDoubled(parts);
}

/** Shards of the run without a part, in order. */
export function missingShards(parts: readonly Part[]): number[] {
  const present = new Set(parts.map(({ shard }) => shard.index));
  return Array.from({ length: parts[0]?.shard.count ?? 0 }, (_, i) => i + 1).filter((index) => !present.has(index));
}

async function refuseSameFolder(parts: readonly Part[]): Promise<void> {
  const seen = new Map<string, string>();
  for (const { folder } of parts) {
    const path = await realpath(folder);
    const other = seen.get(path);
    if (other !== undefined)
      throw usageError(
        `expected every part once, received ${other} and ${folder}, which are one folder`,
        "Leave one of them.",
      );
    seen.set(path, folder);
  }
}

function refuseDoubled(parts: readonly Part[]): void {
  const folders = new Map<number, string[]>();
  for (const { shard, folder } of parts) folders.set(shard.index, [...(folders.get(shard.index) ?? []), folder]);
  const doubled = [...folders]
    .filter(([, names]) => names.length > 1)
    .map(([index, names]) => `shard ${index}/${parts[0]!.shard.count} in ${names.join(" and ")}`);
  if (doubled.length > 0)
    throw usageError(`expected every shard once, received ${doubled.join("; ")}`, "Leave out all but one of them.");
}
