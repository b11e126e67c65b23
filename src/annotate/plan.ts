/**
 * The plan of a run: which instances are to be predicted now, and in which batch.
 *
 * A batch is cut by position in input order, not by what happens to be ready, and an unfinished batch is predicted
 * again as a whole. So a resumed run computes exactly the batches of an undisturbed one and ends in the same bytes.
 * Memory: four bytes per annotation, plus thirteen for the place and state of its journal line.
 */
import type { CropSource } from "../crop/read-crops.js";
import type { Dataset, Entry } from "../dataset/dataset.js";
import type { RunIdentity } from "../runs/identity.js";
import { checkSameRun } from "../runs/identity.js";
import type { LineRange } from "../runs/journal.js";
import { walkJournal } from "../runs/journal.js";
import type { ImageRecord, Outcome } from "../types.js";
import type { Selection } from "./select.js";
import { decide } from "./select.js";

/** Where the last line of each instance lies in the journal. */
export class JournalIndex {
  private readonly offsets: Float64Array;
  private readonly lengths: Uint32Array;
  private readonly states: Uint8Array;
  constructor(annotationCount: number) {
    this.offsets = new Float64Array(annotationCount);
    this.lengths = new Uint32Array(annotationCount); // 0: no line
    this.states = new Uint8Array(annotationCount);
  }

  /** Instances that have a line. */
  get size(): number {
    return this.lengths.reduce((sum, length) => sum + (length > 0 ? 1 : 0), 0);
  }

  set(ordinal: number, range: LineRange, failed: boolean): void {
    this.offsets[ordinal] = range.offset;
    this.lengths[ordinal] = range.length;
    this.states[ordinal] = failed ? 1 : 0;
  }

  /** @returns undefined when the journal says nothing about the instance */
  get(ordinal: number): LineRange | undefined {
    const length = this.lengths[ordinal] ?? 0;
    return length === 0 ? undefined : { offset: this.offsets[ordinal]!, length };
  }

  /** True when the instance needs no further work; failed ones are tried again, because a missing image may be back. */
  isSettled(ordinal: number): boolean {
    return this.lengths[ordinal]! > 0 && this.states[ordinal] === 0;
  }
}

export interface RecoveredJournal {
  readonly index: JournalIndex;
  /** Bytes of whole lines; what lies beyond was torn. */
  readonly length: number;
  readonly damagedLines: readonly number[];
}

/**
 * Reads a journal back.
 * @param identity of the run that continues it; undefined where that has been checked
 * @throws E_RESUME when the journal belongs to another run
 */
export async function recoverJournal(
  path: string,
  identity: RunIdentity | undefined,
  annotationCount: number,
): Promise<RecoveredJournal> {
  const index = new JournalIndex(annotationCount);
  const damagedLines: number[] = [];
  let length = 0;
  await walkJournal(path, (line) => {
    const { number, outcome } = line;
    length = line.offset + line.length + 1;
    if (number === 1) {
      if (identity !== undefined) checkSameRun(path, line.header, identity);
    } else if (outcome === undefined) damagedLines.push(number);
    else if (outcome.ordinal < annotationCount) index.set(outcome.ordinal, line, outcome.status === "failed");
  });
  // Not even the first line was written: the same as a damaged header.
  if (length === 0 && identity !== undefined) checkSameRun(path, undefined, identity);
  return { index, length, damagedLines };
}

export const NOT_NOW = -1;

export interface Plan {
  /** Batch number of each annotation by ordinal; NOT_NOW for those that are not to be predicted now. */
  readonly batchOf: Int32Array;
  /** Instances the run is asked for, finished ones included. */
  readonly total: number;
  /** Of these, those an earlier run finished and this one leaves alone. */
  readonly finishedBefore: number;
  /** Images with at least one instance the run is asked for. */
  readonly imageCount: number;
  /** Images whose file was found in another case than its name, and one of them. */
  readonly otherCase: { readonly count: number; readonly example?: { readonly name: string; readonly path: string } };
  /** Kept annotations with a part that cannot be read, and what is wrong with the first. */
  readonly keptInPart: { readonly count: number; readonly example?: string };
}

export interface PlanRequest {
  readonly dataset: Dataset;
  readonly selection: Selection;
  readonly batchSize: number;
  /** Instances to predict at most, in input order. */
  readonly limit: number | undefined;
  /** What an earlier run has journaled. */
  readonly index?: JournalIndex | undefined;
  /** Receives what becomes of every entry that is not to be predicted. */
  readonly onSettled: (outcome: Outcome, entry: Entry, image: ImageRecord) => Promise<void>;
}

/** Walks the data set once without touching an image. */
export async function planRun(request: PlanRequest): Promise<Plan> {
  const { dataset, selection, batchSize, limit, index, onSettled } = request;
  const batchOf = new Int32Array(dataset.annotationCount).fill(NOT_NOW);
  let total = 0;
  let finishedBefore = 0;
  let imageCount = 0;
  const otherCase: { count: number; example?: { name: string; path: string } } = { count: 0 };
  const keptInPart: { count: number; example?: string } = { count: 0 };
  let batch: number[] = [];
  const closeBatch = (): void => {
    if (index !== undefined && batch.every((ordinal) => index.isSettled(ordinal))) finishedBefore += batch.length;
    else for (const ordinal of batch) batchOf[ordinal] = Math.floor((total - 1) / batchSize);
    batch = [];
  };
  for await (const group of dataset.groups("boxes")) {
    const totalBefore = total;
    for (const entry of group.entries) {
      const decision = decide(entry, selection);
      if (decision.kind === "settled") {
        const leftOut = entry.kind === "instance" ? entry.instance.truthLeftOut : undefined;
        if (leftOut !== undefined && decision.outcome.status === "skipped" && decision.outcome.reason === "kept") {
          keptInPart.count++;
          keptInPart.example ??= leftOut;
        }
        await onSettled(decision.outcome, entry, group.image);
        continue;
      }
      if (limit !== undefined && total >= limit) continue;
      batch.push(decision.instance.ordinal);
      total++;
      if (batch.length === batchSize) closeBatch();
    }
    if (total === totalBefore) continue;
    imageCount++;
    if (group.location.kind !== "file" || group.location.isOtherCase !== true) continue;
    otherCase.count++;
    otherCase.example ??= { name: group.image.fileName, path: group.location.path };
  }
  if (batch.length > 0) closeBatch();
  return { batchOf, total, finishedBefore, imageCount, otherCase, keptInPart };
}

/** The images with instances to predict, each with only these. */
export async function* imagesToPredict(
  dataset: Dataset,
  { batchOf }: Pick<Plan, "batchOf">,
): AsyncGenerator<CropSource> {
  for await (const { image, location, entries } of dataset.groups()) {
    const instances = entries.flatMap((entry) =>
      entry.kind === "instance" && batchOf[entry.instance.ordinal] !== NOT_NOW ? [entry.instance] : [],
    );
    if (instances.length > 0) yield { image, location, instances };
  }
}
