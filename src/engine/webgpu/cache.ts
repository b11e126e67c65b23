/**
 * The tiles that a trial chose, in the user's cache folder: a file per adapter, which another driver or other kernels
 * make worthless. Nobody depends on it. A file that is damaged, foreign or out of date is as good as none, and is
 * replaced by the next trial. Several processes may write it: one of them wins.
 */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { isAbsent, PolyrnnError, reasonOf } from "../../errors.js";
import { writeAtomic } from "../../files/atomic-file.js";
import { readRegularFile } from "../../files/regular-file.js";
import { describeValue, parseForeignJson } from "../../foreign.js";
import type { Tiles } from "./tiles.js";
import { TILE_CANDIDATES } from "./tiles.js";

/** What a trial holds for. */
export interface TrialKey {
  readonly adapter: string;
  readonly driver: string;
  /** Fingerprint of the kernels that were tried. */
  readonly kernels: string;
}

const VERSION = 1;
/** Of a file; ours have some 300. */
const MOST_BYTES = 4096;
const MOST_LEVELS = 4;

/**
 * The user's folder for what can be made again, by the platform's convention.
 * @returns undefined where the system knows no home of this user
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform = process.platform): string | undefined {
  const named = platform === "win32" ? env["LOCALAPPDATA"] : env["XDG_CACHE_HOME"];
  if (named !== undefined && isAbsolute(named)) return join(named, "polyrnn");
  const home = homeFolder();
  if (home === undefined) return undefined;
  if (platform === "win32") return join(home, "AppData", "Local", "polyrnn");
  return platform === "darwin" ? join(home, "Library", "Caches", "polyrnn") : join(home, ".cache", "polyrnn");
}

function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined; // a user without an entry in the system's list, as in containers
  }
}

export function cacheFile(folder: string, { adapter }: TrialKey): string {
  return join(folder, `webgpu-tiles-${createHash("sha256").update(adapter).digest("hex").slice(0, 16)}.json`);
}

/** @returns the tiles, or why there are none; undefined where no trial was kept */
export async function readTiles(
  folder: string,
  key: TrialKey,
): Promise<{ readonly tiles: Tiles } | { readonly problem: string } | undefined> {
  const path = cacheFile(folder, key);
  try {
    const kept = parseForeignJson((await readRegularFile(path, MOST_BYTES)).toString("utf8"), MOST_LEVELS);
    if (typeof kept !== "object" || kept === null) return { problem: `${path}: ${describeValue(kept)} is no trial` };
    const fields = kept as Readonly<Record<string, unknown>>;
    for (const [name, expected] of Object.entries({ version: VERSION, ...key })) {
      if (fields[name] !== expected) return { problem: `${path}: ${name} was ${describeValue(fields[name])}` };
    }
    const tiles = TILE_CANDIDATES.find((candidate) => isSame(candidate, fields["tiles"]));
    return tiles === undefined
      ? { problem: `${path}: tiles ${describeValue(fields["tiles"])} are none that are tried` }
      : { tiles };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    return { problem: `${path}: ${reasonOf(error)}` };
  }
}

function isSame(candidate: Tiles, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  return Object.entries(candidate).every(([name, number]) => fields[name] === number);
}

/** @returns why it was not kept; undefined where it was */
export async function keepTiles(folder: string, key: TrialKey, tiles: Tiles): Promise<string | undefined> {
  try {
    await writeAtomic(cacheFile(folder, key), `${JSON.stringify({ version: VERSION, ...key, tiles })}\n`);
    return undefined;
  } catch (error) {
    if (error instanceof PolyrnnError) return error.message;
    throw error;
  }
}
