/**
 * Files that are either there and whole, or not there: write beside, fsync, rename.
 *
 * One implementation for a file written at once and for one written as a stream. The npm package write-file-atomic is
 * not used: it asks the system once to write everything and ignores how much was taken, so that on a full disk a cut
 * file replaces the good one without an error (7.0.1; a test here holds the opposite).
 */
import type { FileHandle } from "node:fs/promises";
import { constants, copyFile, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { cannotWrite, PolyrnnError, reasonOf } from "../errors.js";

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
   * Text that waits for the disk, encoded. One buffer for the life of the file: a fresh one per piece lies outside V8's
   * heap, where garbage is noticed only after 64 MB of it.
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
      return await create().catch(async (error: unknown) => {
        if (!isMissingFolder(error)) throw error;
        await makeFolder(dirname(path));
        return create();
      });
    } catch (error) {
      throw toWriteError(path, error);
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

  /**
   * Makes the file appear under its name, in place of an older one. @throws E_WRITE; the older one is untouched then
   */
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
    } catch (error) {
      throw toWriteError(this.path, error);
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
    } catch (error) {
      throw toWriteError(this.path, error);
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
  } catch (error) {
    await file.abort();
    throw error;
  }
}

/**
 * Copies a whole file; the folder is there.
 * @throws E_WRITE; an older file of that name is untouched then
 */
export async function copyAtomic(from: string, path: string): Promise<void> {
  const partial = path + PARTIAL_SUFFIX;
  try {
    await rm(partial, { force: true });
    await copyFile(from, partial, constants.COPYFILE_EXCL);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw toWriteError(path, error);
  }
}

/**
 * Removes what a killed process left of files that it was writing.
 * @param names of the files that this program writes there; others are left alone @throws E_WRITE
 */
export async function removeLeftovers(folder: string, names: readonly string[]): Promise<void> {
  try {
    for (const name of names) await rm(join(folder, name + PARTIAL_SUFFIX), { force: true });
  } catch (error) {
    throw toWriteError(folder, error);
  }
}

function isMissingFolder(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/*
 * Makes a folder and those on the way to it.
 *
 * Not with Node's `recursive`: where a file system says ENOENT to a new entry of a folder that is there (/proc, some
 * network mounts), that tries for ever on one core (seen with Node 20 and 22).
 */

/** @throws E_WRITE when something else has the name, or the folder it belongs in takes none */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = resolve(path); !(await isFolder(folder)); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    try {
      await mkdir(folder);
    } catch (error) {
      if (await isFolder(folder)) continue; // another process was faster
      if (systemCode(error) !== "ENOENT") throw toWriteError(folder, error);
      throw cannotWrite(
        `${folder}: expected to make a folder here, but ${dirname(folder)} takes none (ENOENT)`,
        "Choose another folder with --out.",
        error,
      );
    }
  }
}

/** A path that cannot be looked at counts as no folder: making it says why. The root is one. */
async function isFolder(path: string): Promise<boolean> {
  if (dirname(path) === path) return true;
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function systemCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/* How files in the output point at photographs. */

/**
 * Path from a folder of the output to a file, with "/" between its parts. Symbolic links on the way are followed first:
 * ".." leads out of the folder a link points to, not out of the one it stands in.
 * @param folder is made when it does not exist
 * @param file   taken as it is named when it does not exist
 * @throws E_WRITE
 */
export async function relativePath(folder: string, file: string): Promise<string> {
  try {
    await makeFolder(folder);
    const from = await realpath(folder);
    const to = await realpath(file).catch(() => resolve(file));
    return relative(from, to).replaceAll("\\", "/");
  } catch (error) {
    throw toWriteError(folder, error);
  }
}

/* Turns what the file system throws into a sentence: which path, what failed, what to do next. */

/** What each code of the file system means for someone who writes, and the next step. */
const MEANINGS: Readonly<Record<string, { readonly what: string; readonly hint: string }>> = {
  ENOSPC: { what: "the disk is full", hint: "Free some space or choose a folder on another disk with --out." },
  EDQUOT: { what: "the disk quota is used up", hint: "Free some space or choose a folder on another disk with --out." },
  EFBIG: {
    what: "the file is larger than this system allows",
    hint: "Raise the file size limit (ulimit -f) or choose another disk with --out.",
  },
  EACCES: { what: "permission is denied", hint: "Change the folder's permissions or choose another one with --out." },
  EPERM: {
    what: "the operation is not permitted",
    hint: "Change the folder's permissions or choose another one with --out.",
  },
  EROFS: { what: "the disk is read-only", hint: "Choose a folder on a writable disk with --out." },
  ENOTDIR: {
    what: "a part of the path is a file, not a folder",
    hint: "Remove that file or choose another folder with --out.",
  },
  EEXIST: { what: "a file is where a folder has to be", hint: "Remove that file or choose another folder with --out." },
  ENOENT: {
    what: "the folder does not exist any more",
    hint: "Leave the output folder in place while a run writes to it, then run again with --resume.",
  },
  EISDIR: { what: "there is a folder of that name", hint: "Remove that folder or choose another one with --out." },
  ENAMETOOLONG: {
    what: "the name is too long for this disk",
    hint: "Choose an output folder with a shorter path with --out.",
  },
  ELOOP: {
    what: "symbolic links on the path lead in a circle",
    hint: "Repair the links or choose another folder with --out.",
  },
  EMFILE: {
    what: "too many files are open",
    hint: "Raise the limit of open files (ulimit -n) and run again with --resume.",
  },
};

/**
 * @param path   what was being written
 * @param thrown what the file system threw; a `PolyrnnError` comes back as it is
 */
export function toWriteError(path: string, error: unknown): PolyrnnError {
  if (error instanceof PolyrnnError) return error;
  const code = codeOf(error);
  const meaning = code === undefined ? undefined : MEANINGS[code];
  if (meaning === undefined) {
    return cannotWrite(
      `${path}: expected to write here, received ${reasonOf(error)}`,
      "Check the disk and the folder, or choose another one with --out.",
      error,
    );
  }
  return cannotWrite(`${path}: expected to write here, but ${meaning.what} (${code ?? ""})`, meaning.hint, error);
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" && Object.hasOwn(MEANINGS, error.code) ? error.code : undefined;
}
