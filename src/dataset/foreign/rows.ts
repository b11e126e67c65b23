/**
 * One file with a row per box, as tables and lines of JSON are. Rows of an image need not stand together: where each
 * begins is noted in one pass (20 bytes per row and the names of the images), and rows are read again image by image.
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

/** Where a row stands. */
export interface RowPlace {
  /** First byte in the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Of the line, or within the list: for messages. */
  readonly number: number;
}

export interface Row {
  readonly bytes: Buffer;
  readonly number: number;
}

export class RowIndex {
  private readonly numbers = new Map<string, number>();
  private readonly images: RowImage[] = [];
  private offsets = new Float64Array(1024);
  private lengths = new Int32Array(1024);
  private owners = new Int32Array(1024);
  private places = new Int32Array(1024);
  count = 0;

  constructor(private readonly file: ByteFile) {}

  add(image: RowImage, { offset, length, number }: RowPlace): void {
    let owner = this.numbers.get(image.name);
    if (owner === undefined) {
      owner = this.images.push(image) - 1;
      this.numbers.set(image.name, owner);
    }
    if (this.count === this.offsets.length) this.grow();
    this.offsets[this.count] = offset;
    this.lengths[this.count] = length;
    this.owners[this.count] = owner;
    this.places[this.count] = number;
    this.count++;
  }

  private grow(): void {
    const size = this.count * 2;
    const grown = (numbers: Int32Array): Int32Array<ArrayBuffer> => {
      const more = new Int32Array(size);
      more.set(numbers);
      return more;
    };
    const offsets = new Float64Array(size);
    offsets.set(this.offsets);
    this.offsets = offsets;
    [this.lengths, this.owners, this.places] = [grown(this.lengths), grown(this.owners), grown(this.places)];
  }

  /**
   * Images in order of first appearance, each with its rows in the order of the file.
   * @param read from the rows of an image an object per row, or undefined for one that only names its image
   */
  async *walk(read: (rows: readonly Row[]) => readonly (ForeignObject | undefined)[]): AsyncGenerator<ForeignImage> {
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
      for (const bytes of parts) hash.update(bytes);
      const objects = read(parts.map((bytes, i) => ({ bytes, number: this.places[own[i]!]! })));
      yield {
        name: /\.[a-z][a-z0-9]{1,4}$/iu.test(name) ? name : { stem: name },
        ...(width !== undefined && height !== undefined && { width, height }),
        path: this.file.path,
        fields: {},
        objects: objects.filter((object) => object !== undefined),
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
