/**
 * What a review needs of every line of the run's journal. A large journal is read in a thread of its own while the
 * boxes are walked: each takes some tenths of a second for 100,000 instances.
 */
import { stat } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import type { OutcomeHead } from "../runs/outcome-line.js";
import { walkJournal } from "../runs/journal.js";

/** The outcomes in the order of their lines; the later one of an instance is in force. */
export interface JournalHeads {
  readonly ordinals: Float64Array;
  /** Of the lines, bytes. */
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  /** 0..1; -1 where no polygon came out but one can be drawn by hand, NaN where there is nothing to review. */
  readonly scores: Float32Array;
  /** 1: the instance failed. */
  readonly failures: Uint8Array;
  /** Line numbers, from 1. */
  readonly damagedLines: Float64Array;
}

/** Bytes; a thread takes longer to start than reading a smaller journal takes. */
export const LARGE_JOURNAL = 4 * 2 ** 20;

/** Reads beside what the caller does next. @throws E_MISSING when the journal cannot be read, once it is awaited */
export async function readHeadsAside(path: string, large = LARGE_JOURNAL): Promise<JournalHeads> {
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  if (size < large) return readHeads(path);
  // Whatever the thread cannot do is done here, where its error can be told.
  return inThread(path).catch(() => readHeads(path));
}

/** @throws E_MISSING when the journal cannot be read */
export async function readHeads(path: string): Promise<JournalHeads> {
  const ordinals: number[] = [];
  const offsets: number[] = [];
  const lengths: number[] = [];
  const scores: number[] = [];
  const failures: number[] = [];
  const damagedLines: number[] = [];
  await walkJournal(path, ({ number, offset, length, outcome }) => {
    if (number === 1) return;
    if (outcome === undefined) {
      damagedLines.push(number);
      return;
    }
    ordinals.push(outcome.ordinal);
    offsets.push(offset);
    lengths.push(length);
    scores.push(scoreOf(outcome));
    failures.push(outcome.status === "failed" ? 1 : 0);
  });
  return {
    ordinals: Float64Array.from(ordinals),
    offsets: Float64Array.from(offsets),
    lengths: Float64Array.from(lengths),
    scores: Float32Array.from(scores),
    failures: Uint8Array.from(failures),
    damagedLines: Float64Array.from(damagedLines),
  };
}

/** What failed for want of vertices can be drawn by hand; what has no image cannot. */
function scoreOf(outcome: OutcomeHead): number {
  if (outcome.status === "done") return outcome.score;
  return outcome.status === "failed" && outcome.reason === "too-few-vertices" ? -1 : NaN;
}

function inThread(path: string): Promise<JournalHeads> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./journal-thread.js", import.meta.url), { workerData: path });
    worker.unref(); // a command that ends meanwhile does not wait for it
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => {
      reject(new Error("the thread ended without an answer"));
    });
  });
}
