/** Box files as UTF-8 text: small ones, one per image, read whole within limits, and large ones in pieces. */
import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path/posix";
import { setImmediate } from "node:timers/promises";
import { count } from "../../count.js";
import { invalidData, missingInput, PolyrnnError, reasonOf } from "../../errors.js";
import { recognize } from "../../files/recognize.js";
import type { ForeignImage, ForeignReader } from "./dataset.js";
import type { FolderInput } from "./format.js";

/** Bytes; a file per image with more than this is something else. */
const LARGEST_FILE = 64 * 1024 * 1024;

/** Drops a mark at the beginning. */
const decoder = new TextDecoder("utf-8", { fatal: true });

/** What was recognized as text has only a byte somewhere that is none: its kind would say nothing. */
const IS_TEXT = /CSV|TSV|XML|YAML|JSON|rows/u;

export interface TextFile {
  readonly text: string;
  readonly sha256: string;
}

/** @throws E_MISSING, or E_DATA for what is no file, too large or no UTF-8 */
export function readTextFile(path: string, largest = LARGEST_FILE): TextFile {
  const bytes = readBytes(path, largest);
  try {
    return { text: withoutZeros(decoder.decode(bytes)), sha256: hash("sha256", bytes) };
  } catch (error) {
    throw notUtf8(path, bytes, error);
  }
}

const ZEROS = "zeros, as binary files have them";

/** @throws TypeError for a text that no tool writes */
function withoutZeros(text: string): string {
  if (text.includes("\0")) throw new TypeError(ZEROS);
  return text;
}

function notUtf8(path: string, bytes: Uint8Array, cause?: unknown): PolyrnnError {
  const found = cause !== undefined && reasonOf(cause) === ZEROS ? ZEROS : "other bytes";
  const what = recognize(bytes)?.what;
  const received = what === undefined || IS_TEXT.test(what) ? found : what;
  return invalidData(`${path}: expected text in UTF-8, received ${received}`, "Save the file as UTF-8.", cause);
}

/** Opening a named pipe would wait until somebody writes to it; systems without the flag have no such pipes. */
const WITHOUT_WAITING = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * In the calling thread: four calls through the thread pool take ten times as long as reading a small file does.
 * @returns bytes that the next call may overwrite
 */
function readBytes(path: string, largest: number): Uint8Array {
  let received: string;
  try {
    const handle = openSync(path, WITHOUT_WAITING);
    try {
      const found = fstatSync(handle);
      if (found.isFile() && found.size <= largest) return readOpened(handle, found.size);
      received = found.isFile() ? count(found.size, "byte") : "something else";
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw missingInput(
      `${path}: expected a file that can be read, received ${reasonOf(error)}`,
      "Check its permissions.",
      error,
    );
  }
  throw invalidData(
    `${path}: expected a file of at most ${count(largest, "byte")}, received ${received}`,
    "A box file holds the boxes of one image. Leave the file out, or export it again.",
  );
}

/** Takes small files one after the other, so that reading a folder of them makes no garbage. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);

function readOpened(handle: number, size: number): Uint8Array {
  const bytes = size <= shared.length ? shared : Buffer.allocUnsafeSlow(size);
  let filled = 0;
  for (let read = -1; read !== 0 && filled < size; filled += read)
    read = readSync(handle, bytes, filled, size - filled, filled);
  return bytes.subarray(0, filled);
}

/** What a format makes of the text of one file. @throws E_DATA when nothing in it can be read */
export type ReadText = (text: string, path: string, name: string) => Omit<ForeignImage, "sha256" | "path">;

/** A reader of files that each say everything about their own image. */
export function openPerImage(format: ForeignReader["format"], read: ReadText) {
  return ({ boxes, folder, names }: FolderInput): ForeignReader => ({
    format,
    source: boxes,
    isRelative: false,
    walk: () => walkTextFiles(folder, names, read),
    close: () => Promise.resolve(),
  });
}

/** Files after which signals, timers and locks get their turn. */
const FILES_PER_TURN = 64;

/** @param names below the folder, "/" between parts, in the order they are walked */
export async function* walkTextFiles(
  folder: string,
  names: readonly string[],
  read: ReadText,
): AsyncGenerator<ForeignImage> {
  for (let at = 0; at < names.length; at++) {
    if (at % FILES_PER_TURN === 0) await setImmediate();
    const name = names[at]!;
    const path = join(folder, name);
    yield toImage(tryToRead(path), path, name, read);
  }
}

function tryToRead(path: string): TextFile | PolyrnnError {
  try {
    return readTextFile(path);
  } catch (error) {
    if (error instanceof PolyrnnError) return error;
    throw error;
  }
}

const UNREADABLE = hash("sha256", "unreadable");

function toImage(file: TextFile | PolyrnnError, path: string, name: string, read: ReadText): ForeignImage {
  const sha256 = file instanceof PolyrnnError ? UNREADABLE : file.sha256;
  try {
    if (file instanceof PolyrnnError) throw file;
    return { ...read(file.text, path, name), path, sha256 };
  } catch (error) {
    if (!(error instanceof PolyrnnError)) throw error;
    const failure = `${error.message}. ${error.hint}`;
    return { name: { stem: stemOf(name) }, path, fields: {}, objects: [], failure, sha256 };
  }
}

/** "labels/train/a.txt" -> "train/a": folders that only name the kind of file are not part of an image's name. */
export function stemOf(name: string): string {
  const end = name.lastIndexOf(".");
  const whole = end > name.lastIndexOf("/") ? name.slice(0, end) : name;
  if (!whole.includes("/")) return whole;
  const parts = whole.split("/");
  const last = parts.pop()!;
  return [...parts.filter((part) => !KINDS.has(part.toLowerCase())), last].join("/");
}

const KINDS: ReadonlySet<string> = new Set([
  "labels",
  "label_2",
  "annotations",
  "annotation",
  "labels_txt",
  "json",
  "xml",
]);

/** Takes the bytes of a file in pieces. */
export class Utf8Reader {
  private readonly decoder = new TextDecoder("utf-8", { fatal: true });
  private isFirst = true;

  /** @param path opens messages */
  constructor(private readonly path: string) {}

  /** @param bytes the next ones; none at the end. @throws E_DATA for what is no UTF-8 */
  decode(bytes: Uint8Array): string {
    // Letters in UTF-16 without a mark are UTF-8, with a zero after each.
    if (this.isFirst && recognize(bytes)?.what === "text in UTF-16") throw notUtf8(this.path, bytes);
    this.isFirst = false;
    try {
      return withoutZeros(this.decoder.decode(bytes, { stream: bytes.length > 0 }));
    } catch (error) {
      throw notUtf8(this.path, bytes, error);
    }
  }
}
