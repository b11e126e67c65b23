/** Reads byte ranges of a file with few calls: neighbors come in one read. */
import type { ByteFile } from "./byte-file.js";

export interface ByteRange { readonly offset: number; readonly length: number }

/** Bytes between two ranges that are read along: cheaper than another call. */
const LARGEST_GAP = 16 * 1024;
/** Ranges are joined up to this many bytes. */
const LARGEST_BLOCK = 2 ** 20;
/** Reads under way at a time. */
const READS_AT_ONCE = 8;

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

interface Block { readonly offset: number; length: number; readonly ranges: ByteRange[] }

function joinNeighbors(ranges: readonly ByteRange[]): Block[] {
  const blocks: Block[] = [];
  for (const range of ranges) {
    const block = blocks.at(-1);
    if (block !== undefined && range.offset - (block.offset + block.length) <= LARGEST_GAP && range.offset + range.length - block.offset <= LARGEST_BLOCK) {
      block.length = range.offset + range.length - block.offset;
      block.ranges.push(range);
    } else {
      blocks.push({ offset: range.offset, length: range.length, ranges: [range] });
    }
  }
  return blocks;
}
