/** The part of a JSON file that is being looked at: slides along the file and grows until one whole value fits. */
import type { ByteFile } from "./byte-file.js";
import { JsonFault, skipSpace } from "./json-scan.js";

/** Largest single value: one annotation, one image record, one top-level field. Bounds the memory a hostile file can ask for. */
const MAX_VALUE_BYTES = 64 * 2 ** 20;
const CHUNK_BYTES = 2 ** 20;

export class JsonWindow {
  /** The window; valid from 0 to `end`. Replaced when it grows. */
  bytes: Buffer;
  /** Place of `bytes[0]` in the file. */
  base = 0;
  /** Next byte to look at, and end of what was read; indices into `bytes`. */
  position = 0;
  end = 0;

  /**
   * @param consume is handed every byte of the file once, in order
   * @param chunkBytes bytes per read
   * @param maxValueBytes bytes of the largest value
   */
  constructor(
    private readonly file: ByteFile,
    private readonly consume: (bytes: Uint8Array) => void,
    private readonly chunkBytes = CHUNK_BYTES,
    private readonly maxValueBytes = MAX_VALUE_BYTES,
  ) {
    this.bytes = Buffer.allocUnsafe(Math.max(1, Math.min(chunkBytes, file.size)));
  }

  /**
   * Reads on; what lies before `position` is given up.
   * @returns false at the end of the file
   * @throws JsonFault when what lies behind `position` has reached the limit for one value
   */
  async fill(): Promise<boolean> {
    const pending = this.end - this.position;
    if (pending >= this.maxValueBytes)
      throw new JsonFault(this.position, `values of at most ${this.maxValueBytes} bytes`, "a longer one");
    // At least as much as is already there: a value that is scanned again after every read then costs twice its length, not its square.
    const wanted = Math.min(this.maxValueBytes, pending + Math.max(pending, this.chunkBytes));
    const target = this.bytes.length >= wanted ? this.bytes : Buffer.allocUnsafe(wanted);
    this.bytes.copy(target, 0, this.position, this.end);
    this.bytes = target;
    this.base += this.position;
    this.position = 0;
    this.end = pending;
    const count = await this.file.read(target.subarray(pending, wanted), this.base + pending);
    this.consume(target.subarray(pending, pending + count));
    this.end += count;
    return count > 0;
  }

  /** @returns the next byte that is no white space, with `position` on it; undefined at the end of the file */
  async peek(): Promise<number | undefined> {
    for (;;) {
      this.position = skipSpace(this.bytes, this.position, this.end);
      if (this.position < this.end) return this.bytes[this.position];
      if (!(await this.fill())) return undefined;
    }
  }
}
