/**
 * Makes a folder and those on the way to it.
 *
 * Not with Node's `recursive`: where a file system says ENOENT to a new entry of a folder that is there (/proc, some network mounts),
 * that tries for ever on one core (seen with Node 20 and 22).
 */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { cannotWrite } from "../errors.js";
import { toWriteError } from "./write-error.js";

/** @throws E_WRITE when something else has the name, or the folder it belongs in takes none */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = resolve(path); !(await isFolder(folder)); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    try {
      await mkdir(folder);
    } catch (thrown) {
      if (await isFolder(folder)) continue; // another process was faster
      if (codeOf(thrown) !== "ENOENT") throw toWriteError(folder, thrown);
      throw cannotWrite(
        `${folder}: expected to make a folder here, but ${dirname(folder)} takes none (ENOENT)`,
        "Choose another folder with --out.",
        thrown,
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

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
}
