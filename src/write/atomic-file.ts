/**
 * Files that are either there and whole, or not there: write beside, fsync, rename.
 *
 * One implementation for a file written at once and for one written as a stream. The npm package write-file-atomic is not used:
 * it asks the system once to write everything and ignores how much was taken, so that on a full disk a cut file replaces the good
 * one without an error (7.0.1; a test here holds the opposite).
 */
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { makeFolder } from "./make-folder.js";
import { toWriteError } from "./write-error.js";

/** Ending of a file that is still being written; a leftover of a killed run is replaced by the next one. */
export const PARTIAL_SUFFIX = ".partial";
/** Text is collected to pieces of this many bytes before it goes to the disk. */
const PIECE_BYTES = 1 << 16;
const encoder = new TextEncoder();

/** A file under way. Nothing is visible under its name before `commit`. Calls are made one after the other. */
export class AtomicFile {
  readonly #partial: string;
  #handle: FileHandle | undefined;
  /**
   * Text that waits for the disk, encoded. One buffer for the life of the file: a fresh one per piece lies outside V8's heap, where
   * garbage is noticed only after 64 MB of it.
   */
  #piece: Buffer | undefined;
  #pieceLength = 0;

  private constructor(
    readonly path: string,
    handle: FileHandle,
  ) {
    this.#partial = path + PARTIAL_SUFFIX;
    this.#handle = handle;
  }

  /**
   * Folders on the way are made.
   * @throws E_WRITE
   */
  static async open(path: string): Promise<AtomicFile> {
    const create = async (): Promise<AtomicFile> => {
      // Removed first, and opened only if new: a link that waits under this name is never written through.
      await rm(path + PARTIAL_SUFFIX, { force: true });
      return new AtomicFile(path, await open(path + PARTIAL_SUFFIX, "wx"));
    };
    try {
      return await create().catch(async (thrown: unknown) => {
        if (!isMissingFolder(thrown)) throw thrown;
        await makeFolder(dirname(path));
        return create();
      });
    } catch (thrown) {
      throw toWriteError(path, thrown);
    }
  }

  /** @throws E_WRITE */
  async write(text: string): Promise<void> {
    const piece = (this.#piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES));
    for (let at = 0; at < text.length;) {
      // Stops before a character that does not fit.
      const { read, written } = encoder.encodeInto(at === 0 ? text : text.slice(at), piece.subarray(this.#pieceLength));
      at += read;
      this.#pieceLength += written;
      if (at < text.length) await this.#flush();
    }
  }

  /** Adds what another file under way holds so far, in pieces; the other one stays open. @throws E_WRITE */
  async writeContentOf(other: AtomicFile): Promise<void> {
    await other.#flush();
    await this.#flush();
    const piece = (this.#piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES));
    await this.#guard(async (handle) => {
      const source = await open(other.#partial, "r");
      try {
        for (;;) {
          const { bytesRead } = await source.read(piece, 0, piece.length, null);
          if (bytesRead === 0) return;
          await handle.appendFile(piece.subarray(0, bytesRead));
        }
      } finally {
        await source.close();
      }
    });
  }

  /** @throws E_WRITE */
  async writeBytes(bytes: Uint8Array): Promise<void> {
    await this.#flush();
    await this.#guard((handle) => handle.appendFile(bytes));
  }

  /** Makes the file appear under its name, in place of an older one. @throws E_WRITE; the older one is untouched then */
  async commit(): Promise<void> {
    await this.#flush();
    await this.#guard(async (handle) => {
      await handle.sync();
      await handle.close();
      this.#handle = undefined;
      await rename(this.#partial, this.path);
    });
  }

  /** Removes what was written so far. Does nothing after `commit`. @throws E_WRITE */
  async abort(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#pieceLength = 0;
    try {
      await handle?.close();
      await rm(this.#partial, { force: true });
    } catch (thrown) {
      throw toWriteError(this.path, thrown);
    }
  }

  async #flush(): Promise<void> {
    if (this.#piece === undefined || this.#pieceLength === 0) return;
    const waiting = this.#piece.subarray(0, this.#pieceLength);
    this.#pieceLength = 0;
    await this.#guard((handle) => handle.appendFile(waiting));
  }

  async #guard(act: (handle: FileHandle) => Promise<void>): Promise<void> {
    if (this.#handle === undefined) throw new Error(`${this.path}: written to after commit or abort`);
    try {
      await act(this.#handle);
    } catch (thrown) {
      throw toWriteError(this.path, thrown);
    }
  }
}

/**
 * Writes a whole file; folders on the way are made.
 * @throws E_WRITE; an older file of that name is untouched then
 */
export async function writeAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const file = await AtomicFile.open(path);
  try {
    await file.writeBytes(typeof content === "string" ? Buffer.from(content) : content);
    await file.commit();
  } catch (thrown) {
    await file.abort();
    throw thrown;
  }
}

function isMissingFolder(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
}
