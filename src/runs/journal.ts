/**
 * The journal: one checksummed JSON line per outcome, appended and synced per batch. It is the truth of a run; every
 * other file of the run folder is built from it.
 *
 *     {"type":"run","version":1,...,"check":"8 hex digits"}       line 1: what the run is (see runs/identity.ts)
 *     {"type":"outcome","ordinal":0,"status":"done",...,"check":"8 hex digits"}
 *
 * `check` is the CRC-32 of the line as it would be without it. A last line that is not whole was being written when the
 * process died: it is cut off on resume. A line that is damaged anywhere else is named, and its instance is predicted
 * again; so is one that is longer than any that is written here. When an ordinal has several lines, the last one counts.
 */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { cannotWrite, invalidData, missingInput, reasonOf } from "../errors.js";
import { toWriteError, writeAtomic } from "../files/atomic-file.js";
import { pathExists } from "../files/folders.js";
import { openRegularFile } from "../files/regular-file.js";
import { cutText, parseForeignJson } from "../foreign.js";
import { Turns } from "../turns.js";
import type { Id, JsonObject, Outcome } from "../types.js";
import type { OutcomeHead } from "./outcome-line.js";
import { headOf, readDoneLine } from "./outcome-line.js";

export const JOURNAL_VERSION = 1;

/** Where a line lies in the journal. */
export interface LineRange {
  readonly offset: number;
  readonly length: number;
}

/** Levels of brackets in a line; an outcome has three. */
const MOST_LINE_LEVELS = 64;
/** Characters of a failure's reason, which may be told by a worker, an image library or a server. */
export const LONGEST_MESSAGE = 4000;
/** Characters of an id that is text; readers refuse longer ones. */
const LONGEST_ID = 10_000;

const CHECK_TAIL = /,"check":"([0-9a-f]{8})"\}$/;

/** One line without its line break. @param value an object with at least one field */
export function sealLine(value: object): string {
  const json = JSON.stringify(value);
  return `${json.slice(0, -1)},"check":"${checksum(json)}"}`;
}

/** The object of a line, without its checksum; undefined when the line is damaged. */
export function unsealLine(line: string): JsonObject | undefined {
  const tail = CHECK_TAIL.exec(line);
  if (tail === null) return undefined;
  const json = `${line.slice(0, tail.index)}}`;
  if (checksum(json) !== tail[1]) return undefined;
  try {
    // The checksum finds damage, not forgery: a part of a merge comes from another machine.
    return parseForeignJson(json, MOST_LINE_LEVELS) as JsonObject;
  } catch {
    return undefined;
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}

export class JournalWriter {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
  ) {}

  /**
   * Starts a new journal. It appears together with its first line, without which it would belong to no run.
   * @throws E_WRITE
   */
  static async create(path: string, header: object): Promise<JournalWriter> {
    if (await pathExists(path)) {
      throw cannotWrite(
        `${path}: expected no journal here yet, received one`,
        "Go on with --resume, or name another folder with --out.",
      );
    }
    await writeAtomic(path, `${sealLine(header)}\n`);
    await syncFolder(dirname(path));
    return new JournalWriter(path, await openForWriting(path, "a"));
  }

  /** Continues a journal. @param length bytes that are whole; what lies beyond was torn and is cut off */
  static async reopen(path: string, length: number): Promise<JournalWriter> {
    const file = await openForWriting(path, "r+");
    try {
      await file.truncate(length);
    } catch (error) {
      throw toWriteError(path, error);
    } finally {
      await file.close();
    }
    return new JournalWriter(path, await openForWriting(path, "a"));
  }

  /** Appends the outcomes of one batch in one write and waits until the disk has them. */
  async append(outcomes: readonly Outcome[]): Promise<void> {
    if (outcomes.length > 0)
      await this.appendLines(outcomes.map((outcome) => sealLine({ type: "outcome", ...bounded(outcome) })));
  }

  private async appendLines(lines: readonly string[]): Promise<void> {
    try {
      await this.file.appendFile(lines.map((line) => `${line}\n`).join(""));
      await this.file.datasync();
    } catch (error) {
      throw cannotWrite(
        `${this.path}: cannot append to the journal: ${reasonOf(error)}`,
        "Make room or repair the folder, then run the same command with --resume; what was journaled is kept.",
        error,
      );
    }
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Every line that is written can be read: whoever made the outcome, its texts are short. The ring is, by its maker. */
function bounded<O extends Outcome>(outcome: O): O {
  const short = { ...outcome, annotationId: shortId(outcome.annotationId), imageId: shortId(outcome.imageId) };
  return short.status === "failed" ? { ...short, message: cutText(short.message, LONGEST_MESSAGE) } : short;
}

function shortId<I extends Id | null>(id: I): I | string {
  return typeof id === "string" ? cutText(id, LONGEST_ID) : id;
}

/** The name of a new file is stored in its folder: it survives a power loss only if that was synced as well. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return; // Folders cannot be opened there.
  const handle = await open(folder, "r").catch((error: unknown) => {
    throw toWriteError(folder, error);
  });
  try {
    await handle.sync();
  } catch (error) {
    // Some network disks have no sync for folders.
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw toWriteError(folder, error);
  } finally {
    await handle.close();
  }
}

async function openForWriting(path: string, flags: string): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (error) {
    throw cannotWrite(
      `${path}: cannot open the journal: ${reasonOf(error)}`,
      "Check that the output folder can be written.",
      error,
    );
  }
}

/** A line of the journal as it is read back. */
export interface JournalLine extends LineRange {
  /** From 1, as editors count. */
  readonly number: number;
  /** Absent when the line is damaged. */
  readonly value?: JsonObject;
}

const READ_BYTES = 1 << 20;
/** Longest line that is read; what is written stays far below, with at most a few hundred vertices and short texts. */
const MAX_LINE_BYTES = 1 << 24;
const LINE_BREAK = 0x0a;

/** Walks a journal from its start, whole lines only: a torn end is not yielded. Memory: one block and one line. */
export async function* readJournal(path: string): AsyncGenerator<JournalLine> {
  for await (const { bytes, lines } of readBlocks(path))
    for (const { number, offset, length, start } of lines) {
      const value = start === TOO_LONG ? undefined : unsealLine(bytes.toString("utf8", start, start + length));
      yield { number, offset, length, ...(value === undefined ? {} : { value }) };
    }
}

/** A line of the journal as an index needs it. */
export interface JournalHead extends LineRange {
  /** From 1, as editors count. */
  readonly number: number;
  /** Of line 1 alone; undefined when it is damaged. */
  readonly header: JsonObject | undefined;
  /** Of the other lines; undefined when the line is damaged, or no outcome. */
  readonly outcome: OutcomeHead | undefined;
}

/** As `readJournal`, in a fraction of its time: no polygon is built, and no promise per line. */
export async function walkJournal(path: string, onLine: (line: JournalHead) => void): Promise<void> {
  for await (const { bytes, lines } of readBlocks(path))
    for (const { number, offset, length, start } of lines) {
      const line = start === TOO_LONG ? undefined : bytes.subarray(start, start + length);
      const known = line !== undefined && number > 1 ? readDoneLine(line) : undefined;
      const value = line !== undefined && known === undefined ? unsealLine(line.toString()) : undefined;
      const parsed = value === undefined || number === 1 ? undefined : toOutcome(value);
      const outcome = parsed === undefined ? known : headOf(parsed);
      onLine({ number, offset, length, header: number === 1 ? value : undefined, outcome });
    }
}

/** Start of a line that is not held because it is longer than any of ours. */
const TOO_LONG = -1;

interface Block {
  /** Overwritten by the next block. */
  readonly bytes: Buffer;
  readonly lines: readonly (LineRange & { readonly number: number; readonly start: number })[];
}

async function* readBlocks(path: string): AsyncGenerator<Block> {
  const file = await openForReading(path);
  try {
    // One buffer for the whole walk: a new one per block would pile up until garbage is collected.
    let buffer = Buffer.alloc(2 * READ_BYTES);
    let held = 0; // bytes of the buffer that are read and not yet yielded
    let offset = 0; // of the buffer in the file
    let number = 0;
    let passed = 0; // bytes of a line that is too long, no longer held
    for (;;) {
      if (held + READ_BYTES > buffer.length) buffer = Buffer.concat([buffer.subarray(0, held)], 2 * buffer.length);
      const { bytesRead } = await file.read(buffer, held, READ_BYTES, offset + held);
      if (bytesRead === 0) return;
      held += bytesRead;
      let start = 0;
      const lines: Block["lines"][number][] = [];
      for (let end = nextLineBreak(buffer, start, held); end !== -1; end = nextLineBreak(buffer, start, held)) {
        lines.push({
          number: ++number,
          offset: offset + start - passed,
          length: end - start + passed,
          start: passed > 0 ? TOO_LONG : start,
        });
        start = end + 1;
        passed = 0;
      }
      yield { bytes: buffer, lines };
      buffer.copyWithin(0, start, held);
      held -= start;
      offset += start;
      if (held > MAX_LINE_BYTES) {
        // No line of ours: it costs its own instance, not the run.
        passed += held;
        offset += held;
        held = 0;
      }
    }
  } finally {
    await file.close();
  }
}

function nextLineBreak(buffer: Buffer, start: number, end: number): number {
  const at = buffer.indexOf(LINE_BREAK, start);
  // Behind `end` lies what an earlier block left.
  return at < end ? at : -1;
}

/** Reads single lines of a finished journal, one call at a time; neighboring lines come from one block. */
export class JournalReader {
  private buffer = Buffer.alloc(READ_BYTES);
  /** The part of the buffer that holds the file from `blockOffset` on. */
  private block = this.buffer.subarray(0, 0);
  private blockOffset = 0;
  /** All calls share the buffer. */
  private readonly turns = new Turns();
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
  ) {}

  static async open(path: string): Promise<JournalReader> {
    return new JournalReader(path, await openForReading(path));
  }

  /** @throws invalidData when the line is not what it was when the journal was indexed */
  read(line: LineRange): Promise<Outcome> {
    return this.turns.take(() => this.readNow(line));
  }

  private async readNow({ offset, length }: LineRange): Promise<Outcome> {
    if (offset < this.blockOffset || offset + length > this.blockOffset + this.block.length) {
      if (length > this.buffer.length) this.buffer = Buffer.alloc(length);
      const { bytesRead } = await this.file.read(this.buffer, 0, this.buffer.length, offset);
      this.block = this.buffer.subarray(0, bytesRead);
      this.blockOffset = offset;
    }
    const start = offset - this.blockOffset;
    const value = unsealLine(this.block.toString("utf8", start, start + length));
    const outcome = value === undefined ? undefined : toOutcome(value);
    if (outcome === undefined) {
      throw invalidData(
        `${this.path}: byte ${offset}: the line changed while the run was going on`,
        "Another process writes to this folder, or the disk is failing; run again with --resume.",
      );
    }
    return outcome;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/**
 * Checked field by field by hand, because a schema takes as long as all else that is done with a line.
 * @returns undefined for a line that no version of this program wrote, whatever its checksum says
 */
export function toOutcome(value: JsonObject): Outcome | undefined {
  const { type, ...outcome } = value;
  return type === "outcome" && isOutcome(outcome) ? outcome : undefined;
}

function isOutcome(value: object): value is Outcome {
  const { ordinal, annotationId, imageId, status, reason, message, ...rest }: Record<string, unknown> = { ...value };
  // What failed may have no id that can be used.
  const isKnown = (id: unknown): boolean => isId(id) || (id === null && status === "failed");
  if (!isWhole(ordinal) || !isKnown(annotationId) || !isKnown(imageId)) return false;
  if (status === "skipped") return typeof reason === "string";
  if (status === "failed") return typeof reason === "string" && typeof message === "string";
  const { ring, score, ended, clipped, imageWidth, imageHeight } = rest;
  return (
    status === "done" &&
    isRing(ring) &&
    Number.isFinite(score) &&
    typeof ended === "boolean" &&
    typeof clipped === "boolean" &&
    isWhole(imageWidth) &&
    isWhole(imageHeight)
  );
}

function isRing(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length >= 3 &&
    value.every((point: { x?: unknown; y?: unknown } | null) => Number.isFinite(point?.x) && Number.isFinite(point?.y))
  );
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isId(value: unknown): boolean {
  return typeof value === "string" || Number.isFinite(value);
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await openRegularFile(path);
  } catch (error) {
    throw missingInput(
      `${path}: cannot read the journal: ${reasonOf(error)}`,
      "Name the folder of an earlier run.",
      error,
    );
  }
}
