/** Reads byte ranges of a file with few calls: neighbors come in one read. */
import type { ByteFile } from "./byte-file.js";

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Bytes between two ranges that are read along: cheaper than another call. */
const LARGEST_GAP = 16 * 1024;
/** Ranges are joined up to this many bytes. */
const LARGEST_BLOCK = 2 ** 20;
/** Reads under way at a time. */
const READS_AT_ONCE = 8;
/** What a walk reads at a time while it goes straight on. */
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
 * Reads ranges for a walk that mostly goes straight on, as it does where annotations stand in the order of their images: a few hundred
 * groups come with one call into one buffer. A walk that jumps about is read like any other ranges.
 */
export class RangeReader {
  private buffer: Buffer | undefined;
  /** The part of the file in `buffer`. */
  private from = 0;
  private to = 0;
  /** Where the last ranges ended. */
  private reached = 0;

  constructor(private readonly file: ByteFile) {}

  /**
   * @param ranges in ascending order, apart from each other
   * @returns the bytes of each range; they are overwritten by the next call
   */
  async read(ranges: readonly ByteRange[]): Promise<readonly Buffer[]> {
    const first = ranges[0],
      last = ranges.at(-1);
    if (first === undefined || last === undefined) return [];
    const gap = first.offset - this.reached;
    const end = last.offset + last.length;
    this.reached = end;
    if (first.offset < this.from || end > this.to) {
      const goesOn = gap >= 0 && gap <= LARGEST_GAP;
      if (!goesOn || !(await this.fill(first.offset, end))) return readRanges(this.file, ranges);
    }
    return ranges.map(({ offset, length }) => this.buffer!.subarray(offset - this.from, offset - this.from + length));
  }

  /** @returns false when what is wanted does not fit, or is not there any more */
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
