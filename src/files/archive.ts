/**
 * Images that stay in a zip file: a path that leads through one ("photos.zip/a/b.jpg") names a member of it. Nothing is
 * unpacked to disk; a member is read whole when its image is. The list of members is kept for as long as the zip file
 * stays as it is. Source of the format: PKWARE's APPNOTE.TXT, sections 4.3.7 and 4.3.12; yauzl reads the directory.
 */
import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { fromFd } from "yauzl";
import type { Entry, ZipFile } from "yauzl";
import { count } from "../count.js";
import { invalidData, missingInput, reasonOf, receivedOf } from "../errors.js";

/** Bytes of one member, unpacked: several images are in work at once, and each is held whole. */
export const LARGEST_MEMBER = 128 * 1024 * 1024;
/** Their names are kept in memory. */
const MOST_MEMBERS = 2_000_000;
const LOCAL_HEADER_BYTES = 30;
const LOCAL_HEADER = 0x04034b50;
const [STORED, DEFLATED] = [0, 8];

export interface Archive {
  /** Paths of the files in it, "/" between parts, in the order of its directory. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** @throws Error with the reason alone, where there is no such member */
  place(name: string): PackedPlace;
  /** @throws Error with the reason alone, where the member is too large, damaged or packed in another way */
  read(name: string): Promise<Buffer>;
}

/** Where a member lies in a zip file of a certain state; another thread can read it without the directory. */
export interface PackedPlace {
  readonly zip: string;
  readonly version: Version;
  readonly member: Member;
}

/** Where a member lies, and what its bytes have to be. */
interface Member {
  /** Of its local header, bytes. */
  readonly offset: number;
  readonly packed: number;
  readonly size: number;
  readonly crc: number;
  /** 0 stored, 8 deflated; -1: encrypted. */
  readonly method: number;
}

/** What tells that a zip file is still the same. */
interface Version {
  readonly size: number;
  readonly mtimeMs: number;
}

interface Kept extends Version {
  readonly archive: Promise<Archive>;
}

/** A directory is read once, not for every image. */
const kept = new Map<string, Kept>();
const MOST_KEPT = 4;

/** @throws E_MISSING, or E_DATA for a damaged zip file or one with a member whose path leads out of it */
export async function openArchive(path: string): Promise<Archive> {
  const key = resolve(path);
  const { size, mtimeMs } = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  const known = kept.get(key);
  if (known?.size === size && known.mtimeMs === mtimeMs) return known.archive;
  kept.delete(key);
  for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size - MOST_KEPT + 1))) kept.delete(oldest);
  const archive = readArchive(path, { size, mtimeMs });
  kept.set(key, { size, mtimeMs, archive });
  archive.catch(() => kept.delete(key));
  return archive;
}

function unreadable(path: string, error: unknown): Error {
  return missingInput(
    `${path}: expected a zip file that can be read, received ${reasonOf(error)}`,
    "Check the spelling and the permissions.",
    error,
  );
}

async function readArchive(path: string, version: Version): Promise<Archive> {
  const members = new Map<string, Member>();
  const file = await open(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    for await (const entry of entriesOf(await openZip(file))) {
      const { fileName } = entry;
      if (fileName.endsWith("/")) continue;
      if (members.size === MOST_MEMBERS) throw new Error(`more than ${MOST_MEMBERS} files`);
      if (members.has(fileName)) throw new Error(`two files named ${receivedOf(fileName)}`);
      members.set(fileName, {
        offset: entry.relativeOffsetOfLocalHeader,
        packed: entry.compressedSize,
        size: entry.uncompressedSize,
        crc: entry.crc32,
        method: entry.isEncrypted() ? -1 : entry.compressionMethod,
      });
    }
  } catch (error) {
    throw invalidData(
      `${path}: expected a zip file whose files stay inside it, received ${reasonOf(error)}`,
      "Pack or fetch it again, or unpack it and pass the folder.",
      error,
    );
  } finally {
    await file.close();
  }
  const place = (name: string): PackedPlace => {
    const member = members.get(name);
    if (member === undefined) throw new Error(`no file ${receivedOf(name)} in the zip file`);
    return { zip: path, version, member };
  };
  return {
    names: [...members.keys()],
    has: (name) => members.has(name),
    place,
    read: async (name) => readPlace(place(name)),
  };
}

/** @throws Error with the reason alone, where the member is too large, damaged or packed in another way */
export async function readPlace({ zip, version, member }: PackedPlace): Promise<Buffer> {
  const handle = await open(zip);
  try {
    const now = await handle.stat();
    if (now.size !== version.size || now.mtimeMs !== version.mtimeMs)
      throw new Error("a zip file that was changed since it was opened");
    return await readMember(handle, member);
  } finally {
    await handle.close();
  }
}

/** yauzl refuses absolute paths, drives, ".." and names that are cut. The caller closes the file. */
const openZip = (file: FileHandle): Promise<ZipFile> =>
  promisify<number, object, ZipFile>(fromFd)(file.fd, { lazyEntries: true, autoClose: false });

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  for (let left = zip.entryCount; left > 0; left--)
    yield await new Promise<Entry>((taken, failed) => {
      zip.removeAllListeners();
      zip.once("entry", taken);
      zip.once("error", failed);
      zip.once("end", () => {
        failed(new Error("fewer files than its directory says"));
      });
      zip.readEntry();
    });
}

const inflate = promisify<Buffer, object, Buffer>(inflateRaw);

async function readMember(handle: FileHandle, { offset, packed, size, crc, method }: Member): Promise<Buffer> {
  if (method === -1) throw new Error("an encrypted file");
  if (method !== STORED && method !== DEFLATED) throw new Error(`a file packed by method ${method}`);
  const most = Math.max(size, packed);
  if (most > LARGEST_MEMBER)
    throw new Error(`a file of ${count(most, "byte")}, more than the ${LARGEST_MEMBER} that are unpacked here`);
  const header = await readAt(handle, offset, LOCAL_HEADER_BYTES);
  if (header.readUInt32LE(0) !== LOCAL_HEADER) throw new Error("no file where the directory says");
  const start = offset + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  const bytes = await readAt(handle, start, packed);
  const whole = method === STORED ? bytes : await unpacked(bytes, size);
  if (whole.length !== size || crc32(whole) !== crc) throw new Error("a damaged file (other bytes than were packed)");
  return whole;
}

/** Never more than the directory says: a few bytes may stand for gigabytes. */
async function unpacked(bytes: Buffer, size: number): Promise<Buffer> {
  try {
    return await inflate(bytes, { maxOutputLength: Math.max(1, size) });
  } catch (error) {
    if (error instanceof RangeError)
      throw new Error(`a file that unpacks to more than the ${count(size, "byte")} that the zip file says`, {
        cause: error,
      });
    throw new Error("a damaged file (it cannot be unpacked)", { cause: error });
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new Error("a zip file that ends too early");
    done += bytesRead;
  }
  return bytes;
}

/** The zip file on the way to a path, and the member's name; undefined where the path leads through none. */
async function splitPath(path: string): Promise<{ readonly zip: string; readonly name: string } | undefined> {
  for (let zip = dirname(path); zip !== dirname(zip); zip = dirname(zip)) {
    const found = await stat(zip).catch(() => undefined);
    if (found?.isFile() === true && isZipName(zip)) return { zip, name: relative(zip, path).replaceAll(sep, "/") };
    if (found !== undefined) return undefined;
  }
  return undefined;
}

export function isZipName(path: string): boolean {
  return /\.zip$/iu.test(basename(path));
}

/** Path of a member, as other functions take it. */
export function memberPath(zip: string, name: string): string {
  return join(zip, ...name.split("/"));
}

/**
 * What an image library reads: the path itself, or the bytes of a member of a zip file.
 * @throws Error for what is no regular file: a pipe would keep the library waiting for ever
 */
export async function imageInput(path: string): Promise<string | Buffer> {
  let found;
  try {
    found = await stat(path);
  } catch (error) {
    const packed = await readPacked(path);
    if (packed !== undefined) return packed;
    throw error;
  }
  if (!found.isFile()) throw new Error("it is no regular file");
  return path;
}

/** @returns undefined where the path leads through no zip file. @throws Error with the reason alone */
export async function readPacked(path: string): Promise<Buffer | undefined> {
  const place = await splitPath(path);
  if (place === undefined) return undefined;
  return (await openedBefore(place.zip)).read(place.name);
}

/** @returns undefined where the path leads through no zip file. @throws Error where it names no member of it */
export async function findPacked(path: string): Promise<PackedPlace | undefined> {
  const place = await splitPath(path);
  if (place === undefined) return undefined;
  return (await openedBefore(place.zip)).place(place.name);
}

/** A run has opened its zip files before it reads images of them. */
async function openedBefore(zip: string): Promise<Archive> {
  try {
    return await openArchive(zip);
  } catch (error) {
    const what = "a zip file that cannot be read: it is damaged, or was changed since the run began";
    throw new Error(what, { cause: error });
  }
}

/** Whether a path names a member of a zip file, whatever its state. */
export async function isPacked(path: string): Promise<boolean> {
  return (await splitPath(path)) !== undefined;
}
