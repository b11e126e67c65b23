/**
 * The image folder of a worker: a path in a job to a file in it, and nothing outside. The job's path is how the
 * coordinator's disk spells it; another disk may have the same names with accents decomposed, in another case, or the
 * job may come from a system with other slashes. What counts as the same name is judged by dataset/image-names.ts.
 */
import { readdir, realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import type { CropSource } from "../crop/read-crops.js";
import { foldedKey, nameKey, readingsOf, reasonOutside } from "../dataset/image-names.js";
import { reasonOf, receivedOf } from "../errors.js";
import { isInside } from "../files/folders.js";
import type { FailReason } from "../types.js";

type Location = CropSource["location"];

/** Folders whose lists of names are kept. */
const MOST_LISTS = 256;
/** A folder that changed so recently may change again without another time of change. */
const SETTLED_MS = 5_000;

export class WorkerImages {
  private readonly lists = new Map<string, NameList>();

  constructor(private readonly folder: string) {}

  /** Never throws: what is wrong with a path costs its image. */
  async locate(path: string): Promise<Location> {
    const outside = reasonOutside(path);
    if (outside !== undefined) return failOutside(path, outside);
    try {
      const root = await realpath(this.folder);
      for (const reading of readingsOf(path)) {
        const place = await realpath(join(root, reading)).catch(absent);
        if (place !== undefined) return await this.take(root, { wanted: path, found: reading });
      }
      const same = await this.findSame(root, path);
      if (same.length > 1) return failAmbiguous(path, same);
      if (same[0] !== undefined) return await this.take(root, { wanted: path, found: same[0] });
      return failMissing(join(this.folder, path));
    } catch (error) {
      if (isAbsent(error)) return failMissing(join(this.folder, path));
      return failed(
        "image-unreadable",
        `image ${receivedOf(path)}: expected a file that can be read, received ${reasonOf(error)}. Check its permissions.`,
      );
    }
  }

  private async take(
    root: string,
    { wanted, found }: { readonly wanted: string; readonly found: string },
  ): Promise<Location> {
    if (!isInside(root, await realpath(join(root, found)))) return failOutside(wanted, "a link that leads out of it");
    return { kind: "file", path: join(this.folder, found) };
  }

  /** Files of the same name in another spelling, relative to the folder; those in the same case where there are any. */
  private async findSame(root: string, path: string): Promise<readonly string[]> {
    let places: readonly string[] = [root];
    for (const part of nameKey(path).split("/")) {
      const key = foldedKey(part);
      const next = await Promise.all(
        places.map(async (place) => (await this.namesIn(root, place)).get(key)?.map((name) => join(place, name)) ?? []),
      );
      places = next.flat();
    }
    const found = places.map((place) => relative(root, place));
    const inSameCase = found.filter((name) => nameKey(name) === nameKey(path));
    return inSameCase.length > 0 ? inSameCase : found;
  }

  /** Empty for what is no folder, and for a link that leads out. */
  private async namesIn(root: string, folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
    const found = await stat(folder).catch(absent);
    if (found?.isDirectory() !== true || !isInside(root, await realpath(folder))) return new Map();
    const known = this.lists.get(folder);
    if (known?.changedMs === found.mtimeMs) return known.names;
    const names = new Map<string, string[]>();
    for (const name of await readdir(folder)) {
      const key = foldedKey(name);
      const others = names.get(key);
      if (others === undefined) names.set(key, [name]);
      else others.push(name);
    }
    this.lists.delete(folder);
    if (Date.now() - found.mtimeMs > SETTLED_MS) {
      const [oldest] = this.lists.keys();
      if (this.lists.size >= MOST_LISTS && oldest !== undefined) this.lists.delete(oldest);
      this.lists.set(folder, { changedMs: found.mtimeMs, names });
    }
    return names;
  }
}

/** Names in a folder by their common spelling, as they were at a time. */
interface NameList {
  readonly changedMs: number;
  readonly names: ReadonlyMap<string, readonly string[]>;
}

/** For a `catch`. @throws what is no absence */
function absent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
}

function isAbsent(error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  return ["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(code);
}

function failMissing(full: string): Location {
  return failed(
    "image-missing",
    `${full}: expected an image file, received no file. ` +
      "Check that the worker's --images is the folder the run was started with.",
  );
}

function failAmbiguous(path: string, names: readonly string[]): Location {
  const shown = names.slice(0, 3).map(receivedOf).join(", ");
  return failed(
    "image-ambiguous",
    `image ${receivedOf(path)}: expected one such file in the worker's image folder, received ${shown}. ` +
      "Name the files as on the machine that started the run.",
  );
}

function failOutside(path: string, received: string): Location {
  return failed(
    "image-outside",
    `image ${receivedOf(path)}: expected a path inside the worker's image folder, received ${received}. ` +
      "It was not opened.",
  );
}

function failed(reason: FailReason, message: string): Location {
  return { kind: "failed", failure: { reason, message } };
}
