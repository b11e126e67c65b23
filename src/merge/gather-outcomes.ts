/**
 * Joins the journals of all parts into one, in the order in which an undisturbed run of the whole writes it: what
 * failed before any pixel was read, then every instance by its place in the input.
 */
import { join } from "node:path";
import type { AnnotateHost } from "../annotate/options.js";
import { JournalIndex } from "../annotate/plan.js";
import type { Selection } from "../annotate/select.js";
import { decide } from "../annotate/select.js";
import { shardsOf } from "../annotate/shard.js";
import type { MergedShards } from "../annotate/summary.js";
import { count } from "../count.js";
import type { Dataset } from "../dataset/dataset.js";
import { invalidData } from "../errors.js";
import { JOURNAL_FILE } from "../files/run-layout.js";
import type { RunIdentity } from "../runs/identity.js";
import { shardName } from "../runs/identity.js";
import type { LineRange } from "../runs/journal.js";
import { JournalReader, JournalWriter, walkJournal } from "../runs/journal.js";
import type { Id, Outcome } from "../types.js";
import type { Part } from "./parts.js";
import { missingShards } from "./parts.js";

interface GatherRequest {
  readonly out: string;
  readonly parts: readonly Part[];
  readonly dataset: Dataset;
  readonly selection: Selection;
  /** Header of the merged journal. */
  readonly whole: RunIdentity;
}

interface Gathered {
  /** Instances without an outcome. */
  readonly remaining: number;
  /** Images with at least one instance to predict. */
  readonly imageCount: number;
  readonly shards: MergedShards;
}

/** Outcomes per write, each of which waits for the disk. */
const LINES_AT_ONCE = 4096;

/** @throws E_DATA when a part holds an instance of another shard */
export async function gatherOutcomes(
  { out, parts, dataset, selection, whole }: GatherRequest,
  host: Pick<AnnotateHost, "note">,
): Promise<Gathered> {
  const count = parts[0]!.shard.count;
  const sources = await openParts(parts, await shardOfEachAnnotation(dataset, count), dataset, host);
  const journal = await JournalWriter.create(join(out, JOURNAL_FILE), whole).catch(async (error: unknown) => {
    await sources.close();
    throw error;
  });
  const pending: Outcome[] = [];
  const keep = async (outcome: Outcome): Promise<void> => {
    if (pending.push(outcome) >= LINES_AT_ONCE) await journal.append(pending.splice(0));
  };
  const left = new Map<number, { remaining: number; first: Id }>();
  let imageCount = 0;
  try {
    for await (const { entries } of dataset.groups()) {
      for (const entry of entries) {
        const decision = decide(entry, selection);
        if (decision.kind === "settled" && decision.outcome.status === "failed") await keep(decision.outcome);
      }
    }
    for await (const { entries } of dataset.groups()) {
      let predictable = 0;
      for (const entry of entries) {
        const decision = decide(entry, selection);
        if (decision.kind === "settled") continue;
        predictable++;
        const { ordinal, annotationId } = decision.instance;
        const outcome = await sources.read(ordinal);
        if (outcome !== undefined) {
          await keep(outcome);
          continue;
        }
        const shard = sources.shardOf(ordinal);
        const { remaining, first } = left.get(shard) ?? { remaining: 0, first: annotationId };
        left.set(shard, { remaining: remaining + 1, first });
      }
      if (predictable > 0) imageCount++;
    }
    await journal.append(pending);
  } finally {
    await journal.close();
    await sources.close();
  }
  return {
    remaining: [...left.values()].reduce((sum, { remaining }) => sum + remaining, 0),
    imageCount,
    shards: describeShards(parts, left),
  };
}

function describeShards(
  parts: readonly Part[],
  left: ReadonlyMap<number, { readonly remaining: number; readonly first: Id }>,
): MergedShards {
  return {
    count: parts[0]!.shard.count,
    parts: parts.map(({ shard, folder, run }) => {
      const some = left.get(shard.index);
      return {
        shard: shard.index,
        folder,
        remaining: some?.remaining ?? 0,
        ...(some !== undefined && { firstRemaining: some.first }),
        device: run.engine.device,
      };
    }),
    missing: missingShards(parts).map((shard) => ({ shard, remaining: left.get(shard)?.remaining ?? 0 })),
  };
}

/** The shard of each annotation, by ordinal. */
async function shardOfEachAnnotation(dataset: Dataset, count: number): Promise<Uint32Array> {
  const names: string[] = [];
  const groupOf = new Uint32Array(dataset.annotationCount);
  for await (const { image, entries } of dataset.groups("boxes")) {
    for (const entry of entries)
      groupOf[entry.kind === "instance" ? entry.instance.ordinal : entry.ordinal] = names.length;
    names.push(image.fileName);
  }
  const shards = shardsOf(names, count);
  return groupOf.map((group) => shards[group]!);
}

interface OpenParts {
  shardOf(ordinal: number): number;
  /** @returns undefined when no part has it */
  read(ordinal: number): Promise<Outcome | undefined>;
  close(): Promise<void>;
}

/** One index over all journals: an instance can only stand in the one of its shard. */
async function openParts(
  parts: readonly Part[],
  shards: Uint32Array,
  dataset: Dataset,
  host: Pick<AnnotateHost, "note">,
): Promise<OpenParts> {
  const index = new JournalIndex(dataset.annotationCount);
  const readers = new Map<number, JournalReader>();
  const close = async (): Promise<void> => {
    for (const reader of readers.values()) await reader.close();
  };
  const openPart = async ({ journalPath, shard }: Part): Promise<void> => {
    const damagedLines: number[] = [];
    let foreign: LineRange | undefined;
    await walkJournal(journalPath, (line) => {
      const { number, outcome } = line;
      if (number === 1) return; // Checked when the part was read.
      if (outcome === undefined) damagedLines.push(number);
      else if (shards[outcome.ordinal] !== shard.index) foreign ??= line;
      else index.set(outcome.ordinal, line, outcome.status === "failed");
    });
    const reader = await JournalReader.open(journalPath);
    readers.set(shard.index, reader);
    if (foreign !== undefined) {
      const outcome = await reader.read(foreign);
      throw foreignInstance(journalPath, outcome, shardName(shard), shards[outcome.ordinal]);
    }
    if (damagedLines.length > 0)
      host.note(
        `${journalPath}: ${count(damagedLines.length, "damaged line")} (${damagedLines.slice(0, 10).join(", ")}); what stood there is missing`,
      );
  };
  try {
    for (const part of parts) await openPart(part);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    shardOf: (ordinal) => shards[ordinal]!,
    read: (ordinal) => {
      const line = index.get(ordinal);
      return line === undefined ? Promise.resolve(undefined) : readers.get(shards[ordinal]!)!.read(line);
    },
    close,
  };
}

function foreignInstance(
  path: string,
  { ordinal, annotationId }: Outcome,
  own: string,
  other: number | undefined,
): Error {
  const whose = other === undefined ? "that the input does not have" : `of shard ${other}`;
  return invalidData(
    `${path}: expected instances of shard ${own}, received ${annotationId === null ? `annotations[${ordinal}] (no id)` : `annotation ${annotationId}`} ${whose}`,
    "The journal was changed by hand, or two versions of polyrnn cut the shards; draw this shard again.",
  );
}
