/** A regular file that is read by byte ranges, and notices when it is changed meanwhile. */
import { open, stat } from "node:fs/promises";
import { invalidData, missingInput, reasonOf } from "../errors.js";

export interface ByteFile {
  /** As the user gave it. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Reads into `target` from `offset` of the file on. @returns bytes read, 0 at the end of the file */
  read(target: Uint8Array, offset: number): Promise<number>;
  /** @throws E_DATA when the file has become shorter */
  slice(offset: number, length: number): Promise<Buffer>;
  /** @throws E_DATA when the file was written to since it was opened: byte ranges noted then mean nothing now */
  checkUnchanged(): Promise<void>;
  /** Line of a byte, from 1; reads the file up to there, so it is for error messages. */
  lineOf(offset: number): Promise<number>;
  close(): Promise<void>;
}

const LINE_CHUNK_BYTES = 1 << 20;

/**
 * @param role what the file is to the program ("box file"), opens the message when it is missing
 * @throws E_MISSING when there is no such file or it may not be read, E_DATA when it is not a regular file
 */
export async function openByteFile(path: string, role: string): Promise<ByteFile> {
  const found = await stat(path).catch((thrown: unknown) => {
    throw unreadable(path, role, thrown);
  });
  // Asked before opening: opening a named pipe waits until somebody writes to it.
  if (!found.isFile()) {
    throw invalidData(
      `${path}: expected a regular file as the ${role}, received ${found.isDirectory() ? "a folder" : "a pipe or device"}`,
      "The file is read twice by position: save it to disk first, then pass its name.",
    );
  }
  const handle = await open(path, "r").catch((thrown: unknown) => {
    throw unreadable(path, role, thrown);
  });
  const opened = await handle.stat();
  const read = async (target: Uint8Array, offset: number): Promise<number> =>
    (await handle.read(target, 0, target.length, offset)).bytesRead;

  return {
    path,
    size: opened.size,
    read,
    async slice(offset, length) {
      const bytes = Buffer.allocUnsafe(length);
      for (let filled = 0; filled < length;) {
        const count = await read(bytes.subarray(filled), offset + filled);
        if (count === 0) throw changed(path);
        filled += count;
      }
      return bytes;
    },
    async checkUnchanged() {
      const now = await handle.stat();
      if (now.mtimeMs !== opened.mtimeMs || now.size !== opened.size) throw changed(path);
    },
    async lineOf(offset) {
      const chunk = Buffer.allocUnsafe(LINE_CHUNK_BYTES);
      let line = 1;
      for (let at = 0; at < offset;) {
        const count = await read(chunk.subarray(0, Math.min(chunk.length, offset - at)), at);
        if (count === 0) break;
        for (let i = 0; i < count; i++) if (chunk[i] === 0x0a) line++;
        at += count;
      }
      return line;
    },
    close: () => handle.close(),
  };
}

function changed(path: string): Error {
  return invalidData(
    `${path}: expected the file to stay as it was when it was opened, received other contents`,
    "Something writes to the file: let it finish, then run again.",
  );
}

function unreadable(path: string, role: string, thrown: unknown): Error {
  const absent = isAbsent(thrown);
  return missingInput(
    `${path}: expected a ${role} that can be read, received ${absent ? "no such file" : reasonOf(thrown)}`,
    absent
      ? "Check the spelling and the folder the command runs in."
      : "Check the permissions of the file and of its folders.",
    thrown,
  );
}

/** Whether the file system said that there is nothing of that name. */
export function isAbsent(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
}
