/** Whether parts belong together: one input, one model, one set of options, each shard once. */
import { realpath } from "node:fs/promises";
import { usageError } from "../errors.js";
import type { Part } from "./read-part.js";
import { describeDifferences } from "./run-identity.js";
import { shardName } from "./shard.js";

/** @throws E_USAGE naming the folders, and every field that differs or shard that is there twice */
export async function checkParts(parts: readonly Part[]): Promise<void> {
  const [first] = parts;
  if (first === undefined)
    throw usageError("expected the folders of shards, received none", "Name them: polyrnn merge part-* --out all.");
  await refuseSameFolder(parts);
  for (const part of parts) {
    // The whole without its part: what is left must agree.
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

/** Shards of the run that no part is of, in order. */
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
