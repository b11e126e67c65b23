/**
 * Why an image cannot be read, told from its file alone.
 *
 * The image library's own words are never quoted: it keeps them in one place for the whole process. With several images
 * in work they can be those of another image, or gone, so that two runs over the same files would give two messages.
 */
import { lstat, open, stat } from "node:fs/promises";
import { count } from "../count.js";
import { reasonOf, receivedOf } from "../errors.js";
import { imageInput, isPacked } from "./archive.js";
import type { Recognized } from "./recognize.js";
import { recognize, RECOGNIZED_BYTES } from "./recognize.js";
import type { FailReason } from "../types.js";

export type Unreadable = readonly [reason: FailReason, message: string];

/** What could not be read: the header, or, where that was read, the pixels. */
export type UnreadPart = "header" | "pixels";

/** The format's mark of an end lies in the last bytes of a whole file. */
const END_BYTES = 4096;
const SHOWN_BYTES = 64;

interface Seen {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  /** Bytes. */
  readonly size: number;
}

/** @param path of an image that the library refused; a member of a zip file as well */
export async function whyUnreadable(path: string, part: UnreadPart): Promise<Unreadable> {
  try {
    if (await isPacked(path)) return await whyMemberUnreadable(path, part);
    const found = await stat(path);
    if (found.isDirectory())
      return ["image-unreadable", `${path}: expected an image file, received a folder. Name the image itself.`];
    if (!found.isFile())
      return ["image-unreadable", `${path}: expected an image file, received a device or pipe. Name a regular file.`];
    return whyNotDecoded(path, await readEnds(path), part);
  } catch (error) {
    return isMissing(error)
      ? ["image-missing", await whatIsMissing(path)]
      : ["image-unreadable", `${path}: expected a readable file, received ${firstLine(error)}. Check its permissions.`];
  }
}

/** @param name stands for the path in messages */
export function whyBytesUnreadable(name: string, bytes: Uint8Array, part: UnreadPart): Unreadable {
  return whyNotDecoded(name, endsOf(bytes), part);
}

async function whyMemberUnreadable(path: string, part: UnreadPart): Promise<Unreadable> {
  let input: string | Buffer;
  try {
    input = await imageInput(path);
  } catch (error) {
    return [
      "image-unreadable",
      `${path}: expected an image that can be unpacked, received ${firstLine(error)}. Pack or fetch the zip file again, or unpack it and pass the folder.`,
    ];
  }
  // Unpacked by somebody in the meantime, into a folder of the zip file's name.
  const seen = typeof input === "string" ? await readEnds(input) : endsOf(input);
  return whyNotDecoded(path, seen, part);
}

function whyNotDecoded(path: string, seen: Seen, part: UnreadPart): Unreadable {
  const { start, size } = seen;
  if (size === 0)
    return ["image-unreadable", `${path}: expected an image, received an empty file (0 bytes). Fetch it again.`];
  const known = recognize(start);
  if (known !== undefined && !isReadHere(known)) {
    const isNotRead = known.kind === "image" ? ", which is not read here" : "";
    const advice = known.kind === "data" ? "Name the image itself." : known.advice;
    const expected = "expected an image (JPEG, PNG, WebP, TIFF, ...)";
    return ["image-unreadable", `${path}: ${expected}, received ${known.what}${isNotRead}. ${advice}`];
  }
  const text = known === undefined ? asText(start.subarray(0, SHOWN_BYTES)) : undefined;
  if (text !== undefined || (known === undefined && part === "header")) {
    const what =
      text === undefined
        ? `${count(size, "byte")} that no image format begins with`
        : `a text file that begins with ${receivedOf(text)}`;
    return [
      "image-unreadable",
      `${path}: expected an image, received ${what}. Fetch it again or convert it to JPEG or PNG.`,
    ];
  }
  const damage = isCutOff(seen)
    ? "that is cut off: the mark of its end is missing"
    : part === "header"
      ? "whose header cannot be read"
      : "whose pixels cannot all be decoded";
  const what = `${known?.what ?? "an image"} of ${count(size, "byte")} ${damage}`;
  return [
    "image-unreadable",
    `${path}: expected a whole image, received a damaged one: ${what}. Save it again, or fetch it again.`,
  ];
}

/** Formats that sharp reads: a file of these is damaged, not foreign. */
function isReadHere({ what }: Recognized): boolean {
  return /JPEG image|PNG|GIF|WebP|TIFF|AVIF/.test(what);
}

/**
 * Whether a download or a copy ended early. Sources: ITU T.81 (marker EOI), the PNG specification (chunk IEND), GIF89a
 * (trailer), the WebP container specification (size of the RIFF chunk).
 */
function isCutOff({ start, end, size }: Seen): boolean {
  const first = Buffer.from(start).toString("latin1");
  const last = Buffer.from(end).toString("latin1");
  if (first.startsWith("\xff\xd8\xff")) return !last.includes("\xff\xd9");
  if (first.startsWith("\x89PNG")) return !last.includes("IEND");
  if (first.startsWith("GIF8")) return !last.includes("\x3b");
  if (first.startsWith("RIFF") && start.length >= 8) return Buffer.from(start).readUInt32LE(4) + 8 > size;
  return false;
}

function endsOf(bytes: Uint8Array): Seen {
  return { start: bytes.subarray(0, RECOGNIZED_BYTES), end: bytes.subarray(-END_BYTES), size: bytes.length };
}

async function readEnds(path: string): Promise<Seen> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const read = async (from: number, length: number): Promise<Uint8Array> => {
      const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, from);
      return buffer.subarray(0, bytesRead);
    };
    return { start: await read(0, RECOGNIZED_BYTES), end: await read(Math.max(0, size - END_BYTES), END_BYTES), size };
  } finally {
    await file.close();
  }
}

/** The bytes as text if every one of them is printable ASCII or white space. */
function asText(bytes: Uint8Array): string | undefined {
  const isPrintable = bytes.every(
    (byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a || byte === 0x0d,
  );
  return isPrintable ? new TextDecoder().decode(bytes) : undefined;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

async function whatIsMissing(path: string): Promise<string> {
  const isDangling = await lstat(path).then(
    (entry) => entry.isSymbolicLink(),
    () => false,
  );
  const what = isDangling ? "a symbolic link to nothing" : "no file";
  return `${path}: expected an image file, received ${what}. Check the name and the image folder.`;
}

function firstLine(error: unknown): string {
  return (reasonOf(error).split("\n")[0] ?? "").trim();
}
