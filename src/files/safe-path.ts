/**
 * Names from the input become paths that can never leave the output folder, on Linux, macOS and Windows alike.
 *
 * A file name in a data set is a stranger's text: it may climb ("../"), start at the root, hold NUL or line breaks, be
 * a Windows device ("aux.jpg"), or be longer than a disk allows. Harmless names stay as they are.
 */
import { createHash } from "node:crypto";
import { PARTIAL_SUFFIX } from "./atomic-file.js";

/** Bytes of one part of a path; disks allow 255, and a number, a suffix and ".partial" follow. */
const MAX_PART_BYTES = 200;
/** Bytes of all folders together. */
const MAX_FOLDER_BYTES = 800;
/** Bytes of a file name's ending, dot included; a longer one belongs to the stem. */
const MAX_EXTENSION_BYTES = 16;
/**
 * Not allowed on Windows, control characters, halves of surrogate pairs, and marks that reverse the direction of text.
 */
// eslint-disable-next-line no-control-regex -- control characters are what is searched for
const FORBIDDEN = /[<>:"|?*\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]|\p{Cs}/gu;
/** Device names of Windows, with any ending. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\.|$)/iu;

/** A path in three parts, each safe as a name of its own. */
export interface SafePath {
  readonly folders: readonly string[];
  /** File name without its ending; never empty. */
  readonly stem: string;
  /** Ending with its dot; may be empty. */
  readonly extension: string;
}

/** @param name as the input gives it; both slashes separate folders; "", "." and ".." parts are dropped */
export function toSafePath(name: string): SafePath {
  const parts = name
    .split(/[/\\]/u)
    .filter((part) => part !== "" && part !== "." && part !== "..")
    .map(replaceForbidden);
  const fileName = parts.pop() ?? "image";
  const extension = extensionOf(fileName);
  const stem = extension === "" ? toWholeName(fileName) : toSafePart(fileName.slice(0, -extension.length));
  return { folders: shortenFolders(parts.map(toWholeName)), stem, extension };
}

function extensionOf(fileName: string): string {
  const [extension = ""] = /(?<=.)\.[^. ]+$/u.exec(fileName) ?? [];
  return Buffer.byteLength(extension) <= MAX_EXTENSION_BYTES ? extension : "";
}

/** Windows drops dots and spaces at the end of a name, which would join two names, or make ".." out of ".. ". */
function toWholeName(part: string): string {
  const safe = toSafePart(part);
  let end = safe.length;
  while (end > 0 && (safe[end - 1] === "." || safe[end - 1] === " ")) end--;
  return end === safe.length ? safe : `${safe.slice(0, end)}_`;
}

function toSafePart(part: string): string {
  return shorten(DEVICE.test(part) ? `_${part}` : part);
}

function replaceForbidden(text: string): string {
  return text.replace(FORBIDDEN, "_");
}

/** Cuts between characters; the hash keeps names apart that differ only after the cut. */
function shorten(part: string): string {
  if (Buffer.byteLength(part) <= MAX_PART_BYTES) return part;
  const tail = `~${hashOf(part)}`;
  let kept = "";
  let bytes = tail.length;
  for (const character of part) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_PART_BYTES) break;
    kept += character;
  }
  return kept + tail;
}

function shortenFolders(folders: readonly string[]): readonly string[] {
  const joined = folders.join("/");
  return Buffer.byteLength(joined) <= MAX_FOLDER_BYTES ? folders : [`long~${hashOf(joined)}`];
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 10);
}

/**
 * Gives relative paths that all differ, also on disks that ignore case or the composition of accents. The first one
 * keeps its name; later ones get "-2", "-3". The same names in the same order give the same paths.
 */
export class PathNames {
  readonly #taken = new Set<string>();
  /** Next number to try per name, so that many equal names cost no more than many different ones. */
  readonly #next = new Map<string, number>();

  /** @param suffix what every path ends with, such as ".json" */
  constructor(private readonly suffix: string) {}

  /** @returns path relative to the folder the names are for, with "/" between its parts */
  take(path: SafePath): string {
    const folders = path.folders.map((folder) => `${this.#keepFromFiles(folder)}/`).join("");
    const base = folders + path.stem;
    const baseKey = keyOf(base + this.suffix);
    for (let number = this.#next.get(baseKey) ?? 1; ; number++) {
      const candidate = (number === 1 ? base : `${base}-${number}`) + this.suffix;
      const key = keyOf(candidate);
      if (this.#taken.has(key)) continue;
      this.#taken.add(key);
      this.#next.set(baseKey, number + 1);
      return candidate;
    }
  }

  /** A folder never has a name a file could get: "a.json" and "a.json/b.json" cannot both exist. */
  #keepFromFiles(folder: string): string {
    const key = keyOf(folder);
    return key.endsWith(keyOf(this.suffix)) || key.endsWith(keyOf(PARTIAL_SUFFIX)) ? `${folder}_` : folder;
  }
}

function keyOf(path: string): string {
  return path.normalize("NFC").toUpperCase().normalize("NFC");
}
