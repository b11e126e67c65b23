/** Turns what the file system throws into a sentence: which path, what failed, what to do next. */
import { PolyrnnError, cannotWrite, reasonOf } from "../errors.js";

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
export function toWriteError(path: string, thrown: unknown): PolyrnnError {
  if (thrown instanceof PolyrnnError) return thrown;
  const code = codeOf(thrown);
  const meaning = code === undefined ? undefined : MEANINGS[code];
  if (meaning === undefined) {
    return cannotWrite(
      `${path}: expected to write here, received ${reasonOf(thrown)}`,
      "Check the disk and the folder, or choose another one with --out.",
      thrown,
    );
  }
  return cannotWrite(`${path}: expected to write here, but ${meaning.what} (${code ?? ""})`, meaning.hint, thrown);
}

function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" && Object.hasOwn(MEANINGS, thrown.code) ? thrown.code : undefined;
}
