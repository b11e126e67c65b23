/**
 * A regular file that is read by byte ranges, with few calls: neighboring ranges come in one read. It notices when the
 * file is changed meanwhile.
 */
import { open, stat } from "node:fs/promises";
import { invalidData, isAbsent, missingInput, reasonOf } from "../../errors.js";

export interface ByteFile {
  /** As the user gave it. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Reads into `target`, from `offset` of the file. @returns bytes read, 0 at the end of the file */
  read(target: Uint8Array, offset: number): Promise<number>;
  /** @throws E_DATA when the file has become shorter */
  slice(offset: number, length: number): Promise<Buffer>;
  /** @throws E_DATA when the file was written to since it was opened: byte ranges noted before mean nothing then */
  checkUnchanged(): Promise<void>;
  /** Line of a byte, from 1, for error messages: reads the file up to there. */
  lineOf(offset: number): Promise<number>;
  close(): Promise<void>;
}

const LINE_CHUNK_BYTES = 1 << 20;

/**
 * @param role what the file is to the program ("box file"), opens the message when it is missing
 * @throws E_MISSING when there is no such file or it may not be read, E_DATA when it is not a regular file
 */
export async function openByteFile(path: string, role: string): Promise<ByteFile> {
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, role, error);
  });
  // Asked before opening: opening a named pipe waits until somebody writes to it.
  if (!found.isFile()) {
    throw invalidData(
      `${path}: expected a regular file as the ${role}, ` +
        `received ${found.isDirectory() ? "a folder" : "a pipe or device"}`,
      "The file is read twice by position: save it to disk first, then pass its name.",
    );
  }
  const handle = await open(path, "r").catch((error: unknown) => {
    throw unreadable(path, role, error);
  });
  const opened = await handle.stat();
  const read = async (target: Uint8Array, offset: number): Promise<number> =>
    (await handle.read(target, 0, target.length, offset)).bytesRead;

  return {
    path,
    size: opened.size,
    read,
    async slice(offset, length) {
      const bytes = Buffer.allocUnsafe(length);
      for (let filled = 0; filled < length;) {
        const count = await read(bytes.subarray(filled), offset + filled);
        if (count === 0) throw changed(path);
        filled += count;
      }
      return bytes;
    },
    async checkUnchanged() {
      const now = await handle.stat();
      if (now.mtimeMs !== opened.mtimeMs || now.size !== opened.size) throw changed(path);
    },
    async lineOf(offset) {
      const chunk = Buffer.allocUnsafe(LINE_CHUNK_BYTES);
      let line = 1;
      for (let at = 0; at < offset;) {
        const count = await read(chunk.subarray(0, Math.min(chunk.length, offset - at)), at);
        if (count === 0) break;
        for (let i = 0; i < count; i++) if (chunk[i] === 0x0a) line++;
        at += count;
      }
      return line;
    },
    close: () => handle.close(),
  };
}

function changed(path: string): Error {
  return invalidData(
    `${path}: expected the file to stay as it was when it was opened, received other contents`,
    "Something writes to the file: let it finish, then run again.",
  );
}

function unreadable(path: string, role: string, error: unknown): Error {
  const absent = isAbsent(error);
  return missingInput(
    `${path}: expected a ${role} that can be read, received ${absent ? "no such file" : reasonOf(error)}`,
    absent
      ? "Check the spelling and the folder the command runs in."
      : "Check the permissions of the file and of its folders.",
    error,
  );
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Up to this many bytes between two ranges are read along, which is cheaper than another call. */
const LARGEST_GAP = 16 * 1024;
/** Ranges are joined up to this many bytes. */
const LARGEST_BLOCK = 2 ** 20;
/** Reads in flight at a time. */
const READS_AT_ONCE = 8;
/** Bytes a walk reads at a time while it goes straight on. */
const AHEAD_BYTES = 2 ** 18;

/**
 * @param ranges in ascending order, apart from each other
 * @returns the bytes of each range
 */
export async function readRanges(file: ByteFile, ranges: readonly ByteRange[]): Promise<Buffer[]> {
  const blocks = joinNeighbors(ranges);
  const parts: Buffer[] = [];
  for (let first = 0; first < blocks.length; first += READS_AT_ONCE) {
    const some = blocks.slice(first, first + READS_AT_ONCE);
    const read = await Promise.all(some.map(({ offset, length }) => file.slice(offset, length)));
    some.forEach((block, i) => {
      for (const { offset, length } of block.ranges) {
        const start = offset - block.offset;
        parts.push(read[i]!.subarray(start, start + length));
      }
    });
  }
  return parts;
}

/**
 * Reads ranges for a walk that mostly goes straight on, as where annotations are in the order of their images: a few
 * hundred groups come with one call, in one buffer. Where a walk jumps about, its ranges are read like any others.
 */
export class RangeReader {
  private buffer: Buffer | undefined;
  /** The part of the file in `buffer`. */
  private from = 0;
  private to = 0;
  /** Where the last ranges ended. */
  private reached = 0;

  constructor(readonly file: ByteFile) {}

  /**
   * @param ranges in ascending order, apart from each other
   * @returns the bytes of each range; they are overwritten by the next call
   */
  async read(ranges: readonly ByteRange[]): Promise<readonly Buffer[]> {
    const first = ranges[0];
    const last = ranges.at(-1);
    if (first === undefined || last === undefined) return [];
    const part = await this.part(first.offset, last.offset + last.length);
    if (part === undefined) return readRanges(this.file, ranges);
    return ranges.map(({ offset, length }) => part.bytes.subarray(offset - part.base, offset - part.base + length));
  }

  /**
   * Bytes of the file around a stretch of it, without a view for each range.
   * @returns the bytes, overwritten by the next call, and the place of the first in the file; undefined where the walk
   *   jumps about, or the stretch is long: its ranges are to be read
   */
  async part(offset: number, end: number): Promise<{ readonly bytes: Buffer; readonly base: number } | undefined> {
    const gap = offset - this.reached;
    this.reached = end;
    if (offset < this.from || end > this.to) {
      const goesOn = gap >= 0 && gap <= LARGEST_GAP;
      if (!goesOn || !(await this.fill(offset, end))) return undefined;
    }
    return { bytes: this.buffer!, base: this.from };
  }

  /** @returns false when the range does not fit, or is no longer in the file */
  private async fill(offset: number, end: number): Promise<boolean> {
    if (end - offset > AHEAD_BYTES) return false;
    this.buffer ??= Buffer.allocUnsafeSlow(AHEAD_BYTES);
    this.from = this.to = offset;
    while (this.to < end) {
      const count = await this.file.read(this.buffer.subarray(this.to - offset), this.to);
      if (count === 0) return false;
      this.to += count;
    }
    return true;
  }
}

interface Block {
  readonly offset: number;
  length: number;
  readonly ranges: ByteRange[];
}

function joinNeighbors(ranges: readonly ByteRange[]): Block[] {
  const blocks: Block[] = [];
  for (const range of ranges) {
    const block = blocks.at(-1);
    if (
      block !== undefined &&
      range.offset - (block.offset + block.length) <= LARGEST_GAP &&
      range.offset + range.length - block.offset <= LARGEST_BLOCK
    ) {
      block.length = range.offset + range.length - block.offset;
      block.ranges.push(range);
    } else {
      blocks.push({ offset: range.offset, length: range.length, ranges: [range] });
    }
  }
  return blocks;
}
