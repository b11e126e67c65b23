/**
 * One file with a row per box, as tables and lines of JSON are. Rows of an image need not stand together: where each
 * begins is noted in one pass (16 bytes per row and the names of the images), and rows are read again image by image.
 */
import { createHash } from "node:crypto";
import type { ByteFile, ByteRange } from "../json/byte-file.js";
import { RangeReader } from "../json/byte-file.js";
import type { ForeignImage, ForeignObject } from "./dataset.js";

/** Images named as one group in the walk's reads. */
export interface RowImage {
  /** As the rows name it. */
  readonly name: string;
  readonly width?: number;
  readonly height?: number;
}

export class RowIndex {
  private readonly numbers = new Map<string, number>();
  private readonly images: RowImage[] = [];
  private offsets = new Float64Array(1024);
  private lengths = new Int32Array(1024);
  private owners = new Int32Array(1024);
  private count = 0;

  constructor(private readonly file: ByteFile) {}

  /** @param offset first byte of the row in the file */
  add(image: RowImage, offset: number, length: number): void {
    let number = this.numbers.get(image.name);
    if (number === undefined) {
      number = this.images.push(image) - 1;
      this.numbers.set(image.name, number);
    }
    if (this.count === this.offsets.length) this.grow();
    this.offsets[this.count] = offset;
    this.lengths[this.count] = length;
    this.owners[this.count] = number;
    this.count++;
  }

  private grow(): void {
    const size = this.count * 2;
    const [offsets, lengths, owners] = [new Float64Array(size), new Int32Array(size), new Int32Array(size)];
    offsets.set(this.offsets);
    lengths.set(this.lengths);
    owners.set(this.owners);
    [this.offsets, this.lengths, this.owners] = [offsets, lengths, owners];
  }

  /**
   * Images in order of first appearance, each with its rows in the order of the file.
   * @param read an object per row, or undefined for a row that only names its image; `row` counts from 0
   */
  async *walk(read: (bytes: Buffer, row: number) => ForeignObject | undefined): AsyncGenerator<ForeignImage> {
    await this.file.checkUnchanged();
    const reader = new RangeReader(this.file);
    const { starts, rows } = this.sorted();
    for (const [number, { name, width, height }] of this.images.entries()) {
      if (number % 256 === 0) await this.file.checkUnchanged();
      const own = rows.subarray(starts[number], starts[number + 1]);
      const ranges = Array.from(own, (row): ByteRange => ({
        offset: this.offsets[row]!,
        length: this.lengths[row]!,
      }));
      const parts = await reader.read(ranges);
      const hash = createHash("sha256");
      const objects: ForeignObject[] = [];
      for (const [i, bytes] of parts.entries()) {
        hash.update(bytes);
        const object = read(bytes, own[i]!);
        if (object !== undefined) objects.push(object);
      }
      yield {
        name: /\.[a-z][a-z0-9]{1,4}$/iu.test(name) ? name : { stem: name },
        ...(width !== undefined && height !== undefined && { width, height }),
        path: this.file.path,
        fields: {},
        objects,
        sha256: hash.digest("hex"),
      };
    }
  }

  /** Rows by image: a counting sort, which keeps their order. */
  private sorted(): { readonly starts: Int32Array; readonly rows: Int32Array } {
    const starts = new Int32Array(this.images.length + 1);
    for (let row = 0; row < this.count; row++) starts[this.owners[row]! + 1]!++;
    for (let i = 0; i < this.images.length; i++) starts[i + 1]! += starts[i]!;
    const next = starts.slice();
    const rows = new Int32Array(this.count);
    for (let row = 0; row < this.count; row++) rows[next[this.owners[row]!]!++] = row;
    return { starts, rows };
  }
}

/** Lines of a file with their first byte; the last may lack its end. @param longest bytes of a line */
export async function* linesOf(
  file: ByteFile,
  longest: number,
): AsyncGenerator<
  { readonly bytes: Buffer; readonly offset: number; readonly line: number } | { readonly tooLong: number }
> {
  let rest = Buffer.alloc(0);
  let line = 1;
  const chunk = Buffer.allocUnsafe(1 << 20);
  for (let at = 0; ;) {
    const read = await file.read(chunk, at);
    const bytes = Buffer.concat([rest, chunk.subarray(0, read)]);
    const base = at - rest.length;
    at += read;
    let start = 0;
    for (let end = bytes.indexOf(0x0a, start); end >= 0; end = bytes.indexOf(0x0a, start)) {
      yield { bytes: bytes.subarray(start, end), offset: base + start, line: line++ };
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (read === 0) {
      if (rest.length > 0) yield { bytes: rest, offset: base + start, line };
      return;
    }
    if (rest.length > longest) {
      yield { tooLong: line };
      return;
    }
    rest = Buffer.from(rest);
  }
}
