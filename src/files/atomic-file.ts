/**
 * Writing files and folders. A file is either there and whole, or not there: write beside, fsync, rename. What the file
 * system throws becomes a sentence: which path, what failed, what to do next.
 *
 * One implementation for a file written at once and for one written as a stream. The npm package write-file-atomic
 * (7.0.1) is not used: it ignores how much of one write the system accepted, so that on a full disk a cut file replaces
 * the good one without an error.
 */
import type { FileHandle } from "node:fs/promises";
import { constants, copyFile, lstat, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { cannotWrite, PolyrnnError, reasonOf } from "../errors.js";

/** Ending of a file that is still being written; the next run replaces what a killed one left. */
export const PARTIAL_SUFFIX = ".partial";
/** Text goes to the disk in pieces of this many bytes. */
const PIECE_BYTES = 1 << 16;
const encoder = new TextEncoder();

/** A file being written. Nothing is visible under its name before `commit`. Calls must not overlap. */
export class AtomicFile {
  readonly #partial: string;
  #handle: FileHandle | undefined;
  #isWritten = false;
  /**
   * Encoded text that waits for the disk. One buffer for the life of the file: buffers lie outside V8's heap, where 64
   * MB of garbage can gather before it is collected.
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

  /** Makes missing folders. @throws E_WRITE */
  static async open(path: string): Promise<AtomicFile> {
    const create = async (): Promise<AtomicFile> => {
      // Removed first, and opened only if new: nothing is written through a link of this name.
      await rm(path + PARTIAL_SUFFIX, { force: true });
      return new AtomicFile(path, await open(path + PARTIAL_SUFFIX, "wx"));
    };
    try {
      return await create().catch(async (error: unknown) => {
        if (codeOf(error) !== "ENOENT") throw error;
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

  /** Appends what another file holds so far, in pieces; the other one stays open. @throws E_WRITE */
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
      if (!(await this.#isOurs(handle))) throw takenOver(this.path);
      await handle.close();
      this.#handle = undefined;
      await rename(this.#partial, this.path);
      this.#isWritten = true;
    });
  }

  /** Removes what was written so far. Does nothing after `commit`. @throws E_WRITE */
  async abort(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#pieceLength = 0;
    try {
      if (this.#isWritten) return;
      const isOurs = handle === undefined || (await this.#isOurs(handle).finally(() => handle.close()));
      if (isOurs) await rm(this.#partial, { force: true });
    } catch (error) {
      throw toWriteError(this.path, error);
    }
  }

  /** False when another process has begun to write the same file: what has the name now is its, and half of a file. */
  async #isOurs(handle: FileHandle): Promise<boolean> {
    const [ours, named] = await Promise.all([
      handle.stat({ bigint: true }),
      lstat(this.#partial, { bigint: true }).catch(() => undefined), // renaming says what is wrong
    ]);
    return named === undefined || (named.ino === ours.ino && named.dev === ours.dev);
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

/** Ends all of them, also where one cannot be ended. @throws the first error */
export async function abortAll(writers: readonly { readonly abort: () => Promise<void> }[]): Promise<void> {
  const endings = await Promise.allSettled(writers.map((writer) => writer.abort()));
  const failed = endings.find((ending) => ending.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function takenOver(path: string): PolyrnnError {
  return cannotWrite(
    `${path}: expected to be the only one to write this file, but another process has begun to write it as well`,
    "Let that one end, then run the command again; or name another place.",
  );
}

/**
 * Writes a whole file; makes missing folders.
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

/**
 * Makes a folder and those above it. Not with Node's `recursive`: some file systems (/proc, network mounts) say ENOENT
 * to a new entry of an existing folder, and Node 20 and 22 then try for ever.
 * @returns the folders that were missing, outermost first
 * @throws E_WRITE when something else has the name, or the folder above takes no entry
 */
export async function makeFolder(path: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let folder = resolve(path); !(await isFolder(folder)); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    try {
      await mkdir(folder);
    } catch (error) {
      if (await isFolder(folder)) continue; // another process was faster
      if (codeOf(error) !== "ENOENT") throw toWriteError(folder, error);
      throw cannotWrite(
        `${folder}: expected to make a folder here, but ${dirname(folder)} takes none (ENOENT)`,
        "Choose another folder with --out.",
        error,
      );
    }
  }
  return missing;
}

/** False for a path that cannot be examined: making the folder says why. The root is one. */
async function isFolder(path: string): Promise<boolean> {
  if (dirname(path) === path) return true;
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * Path from a folder of the output to a photograph, with "/" between its parts. Symbolic links are resolved first: ".."
 * leads out of the folder that a link points to, not out of the one that holds the link.
 * @param folder is made when it does not exist
 * @param file   its path as given when it does not exist
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

/** What each code of the file system means when writing, and the next step. */
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
 * @param path  what was being written
 * @param error what the file system threw; a `PolyrnnError` comes back as it is
 */
export function toWriteError(path: string, error: unknown): PolyrnnError {
  if (error instanceof PolyrnnError) return error;
  const code = codeOf(error);
  const meaning = code !== undefined && Object.hasOwn(MEANINGS, code) ? MEANINGS[code] : undefined;
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
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
