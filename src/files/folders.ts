/** What is asked of paths and folders before anything is read or written there. */
import { realpath, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { EXIT, PolyrnnError } from "../errors.js";

/** Symbolic links are followed; what cannot be looked at counts as absent. */
export function pathExists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Absolute, with symbolic links followed as far as the path exists, so that two names of one place become equal. */
export async function realPathOf(path: string): Promise<string> {
  const full = resolve(path);
  if (await pathExists(full)) return realpath(full);
  const parent = dirname(full);
  return parent === full ? full : join(await realPathOf(parent), basename(full));
}

/** True for the folder itself and for what lies in it at any depth. Both paths are real ones. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/**
 * What a failed command does with a folder that was empty before: the same command can run again. Whatever another
 * program put there meanwhile stays.
 * @param made  folders that makeFolder made on the way to it, outermost first
 * @param names what the command may have written in it
 */
export async function takeBackFolder(folder: string, made: readonly string[], names: readonly string[]): Promise<void> {
  try {
    for (const name of names) await rm(join(folder, name), { force: true });
    for (const empty of [...made].reverse()) await rmdir(empty);
  } catch {
    // What cannot be removed stays; the error that led here is the one to report.
  }
}

/**
 * Refuses an output folder that holds something.
 * @param hint the ways on: another folder, or the option that allows this one
 */
export function folderNotEmpty(message: string, hint: string): PolyrnnError {
  return new PolyrnnError(message, "E_OUT_NOT_EMPTY", EXIT.cannotWrite, hint);
}
