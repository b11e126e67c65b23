/**
 * COCO run-length masks: reading, writing, counting, joining. Runs go down the columns, 0 and 1 in turn, starting with
 * 0. Only `rleToBitmap` allocates height * width. Source: the COCO format; checked against pycocotools.
 */
import { invalidData, receivedOf } from "../errors.js";
import { isJsonObject } from "../foreign.js";
import type { Box, Rle } from "../types.js";
import { formatCounts, parseCounts } from "./rle-string.js";

/**
 * Pixels of the largest mask that is read, which is the largest image that is decoded (sharp's own limit is just
 * below).
 */
export const MAX_MASK_PIXELS = 2 ** 28;

const HINT = "Export the mask again, or remove this segmentation from the file.";

/**
 * Reads `{ size: [height, width], counts }` as a COCO file gives it, counts as a list or as compressed text.
 * The size is checked before anything is allocated; nothing is repaired.
 * @param where place in the input, opens the message
 * @throws E_DATA when the size is not two positive integers of at most 2^28 pixels together, or the counts are not
 *   non-negative integers that sum to height * width
 */
export function decodeRle(value: unknown, where: string): Rle {
  if (!isJsonObject(value)) {
    throw invalidData(`${where}: expected a mask { size, counts }, received ${receivedOf(value)}`, HINT);
  }
  const { size, counts } = value;
  const [height, width] = checkSize(size, where);
  return { height, width, counts: checkCounts(listOfCounts(counts, where), height * width, where) };
}

function checkSize(size: unknown, where: string): [number, number] {
  if (!Array.isArray(size) || size.length !== 2) {
    throw invalidData(`${where}: expected the mask's size as [height, width], received ${receivedOf(size)}`, HINT);
  }
  const [height, width] = size as [unknown, unknown];
  for (const side of [height, width]) {
    if (!Number.isInteger(side) || (side as number) < 1) {
      throw invalidData(`${where}: expected positive integers for the mask's size, received ${receivedOf(side)}`, HINT);
    }
  }
  const pixels = (height as number) * (width as number);
  if (pixels > MAX_MASK_PIXELS) {
    throw invalidData(`${where}: expected a mask of at most ${MAX_MASK_PIXELS} pixels, received ${pixels}`, HINT);
  }
  return [height as number, width as number];
}

function listOfCounts(counts: unknown, where: string): readonly unknown[] {
  if (Array.isArray(counts)) return counts;
  if (typeof counts !== "string") {
    throw invalidData(
      `${where}: expected the mask's counts as a list or as text, received ${receivedOf(counts)}`,
      HINT,
    );
  }
  const parsed = parseCounts(counts);
  if (typeof parsed === "string") {
    throw invalidData(
      `${where}: expected compressed run lengths for the mask's counts, received text in which ${parsed}`,
      HINT,
    );
  }
  return parsed;
}

function checkCounts(list: readonly unknown[], pixels: number, where: string): Uint32Array {
  const counts = new Uint32Array(list.length);
  let sum = 0;
  for (let i = 0; i < list.length; i++) {
    const count = list[i];
    if (typeof count !== "number" || !Number.isInteger(count) || count < 0) {
      throw invalidData(
        `${where}: expected a non-negative integer for run ${i + 1} of the mask, received ${receivedOf(count)}`,
        HINT,
      );
    }
    sum += count;
    if (sum > pixels) break;
    counts[i] = count;
  }
  if (sum !== pixels) {
    const received = sum > pixels ? "more" : String(sum);
    throw invalidData(
      `${where}: expected the mask's runs to sum to height * width = ${pixels}, received ${received}`,
      HINT,
    );
  }
  return counts;
}

/** Compressed text of the counts, as pycocotools writes it. */
export function encodeRleString(rle: Rle): string {
  return formatCounts(rle.counts);
}

/** Pixels of the mask. */
export function rleArea(rle: Rle): number {
  let area = 0;
  for (let i = 1; i < rle.counts.length; i += 2) area += rle.counts[i]!;
  return area;
}

/** Smallest box of whole pixels around the mask; undefined for an empty one. */
export function rleBounds(rle: Rle): Box | undefined {
  const { height, counts } = rle;
  let left = Infinity;
  let right = -1;
  let top = Infinity;
  let bottom = -1;
  for (let i = 1, start = counts[0]!; i < counts.length; i += 2) {
    const length = counts[i]!;
    if (length > 0) {
      const last = start + length - 1;
      const firstColumn = Math.floor(start / height);
      const lastColumn = Math.floor(last / height);
      const wraps = lastColumn > firstColumn;
      left = Math.min(left, firstColumn);
      right = lastColumn;
      top = Math.min(top, wraps ? 0 : start % height);
      bottom = Math.max(bottom, wraps ? height - 1 : last % height);
    }
    start += length + (counts[i + 1] ?? 0);
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** A mask without a pixel. */
export function emptyRle(height: number, width: number): Rle {
  return { height, width, counts: Uint32Array.of(height * width) };
}

/** @param columnMajor height * width values, pixel (x, y) at x * height + y; anything but 0 is mask */
export function rleFromBitmap(columnMajor: Uint8Array, height: number, width: number): Rle {
  const counts: number[] = [];
  let inside = false;
  let start = 0;
  for (let at = 0; at < columnMajor.length; at++) {
    if ((columnMajor[at] !== 0) === inside) continue;
    counts.push(at - start);
    start = at;
    inside = !inside;
  }
  counts.push(columnMajor.length - start);
  return { height, width, counts: Uint32Array.from(counts) };
}

/** The inverse of `rleFromBitmap`: 0 and 1, column-major. Allocates height * width. */
export function rleToBitmap(rle: Rle): Uint8Array {
  const bitmap = new Uint8Array(rle.height * rle.width);
  for (let i = 0, at = 0; i < rle.counts.length; i++) {
    const end = at + rle.counts[i]!;
    if (i % 2 === 1) bitmap.fill(1, at, end);
    at = end;
  }
  return bitmap;
}

/**
 * Pixels that are in any of the masks. The union of two or more has no runs of length 0 but perhaps the first. Joined
 * by halves, so that many parts cost n log n and not n squared.
 * @throws RangeError without a mask, or with masks of different sizes
 */
export function unionRle(rles: readonly Rle[]): Rle {
  const first = rles[0];
  if (first === undefined) throw new RangeError("union of masks: expected at least one, received none");
  if (rles.length === 1) return first;
  const half = rles.length >> 1;
  return unionOfTwo(unionRle(rles.slice(0, half)), unionRle(rles.slice(half)));
}

function unionOfTwo(a: Rle, b: Rle): Rle {
  checkSameSize(a, b);
  const pixels = a.height * a.width;
  const counts = new Uint32Array(a.counts.length + b.counts.length);
  let written = 0;
  let inside = false;
  let start = 0;
  let i = 0;
  let j = 0;
  let aEnd = a.counts[0]!;
  let bEnd = b.counts[0]!;
  for (let at = 0; at < pixels;) {
    while (aEnd <= at) aEnd += a.counts[++i]!;
    while (bEnd <= at) bEnd += b.counts[++j]!;
    if ((((i | j) & 1) === 1) !== inside) {
      counts[written++] = at - start;
      start = at;
      inside = !inside;
    }
    at = Math.min(aEnd, bEnd);
  }
  counts[written++] = pixels - start;
  return { height: a.height, width: a.width, counts: counts.slice(0, written) };
}

/**
 * Pixels that are in both masks.
 * @throws RangeError with masks of different sizes
 */
export function intersectionArea(a: Rle, b: Rle): number {
  checkSameSize(a, b);
  const pixels = a.height * a.width;
  let area = 0;
  let i = 0;
  let j = 0;
  let aEnd = a.counts[0]!;
  let bEnd = b.counts[0]!;
  for (let at = 0; at < pixels;) {
    while (aEnd <= at) aEnd += a.counts[++i]!;
    while (bEnd <= at) bEnd += b.counts[++j]!;
    const end = Math.min(aEnd, bEnd);
    if ((i & j & 1) === 1) area += end - at;
    at = end;
  }
  return area;
}

function checkSameSize(a: Rle, b: Rle): void {
  if (a.height === b.height && a.width === b.width) return;
  throw new RangeError(`masks: expected the same size, received ${a.height} x ${a.width} and ${b.height} x ${b.width}`);
}
