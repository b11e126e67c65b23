/**
 * Files that somebody else hands over, to be read whole or by position. Asked what they are before they are opened:
 * opening a named pipe waits until somebody writes to it, and a device such as /dev/zero never ends.
 */
import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import { count } from "../count.js";

/** @throws Error of the file system; one that says so for a folder, a pipe or a device */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const found = await stat(path);
  if (!found.isFile()) throw new Error(found.isDirectory() ? "it is a folder" : "it is a pipe or device");
  return open(path, "r");
}

/**
 * @param mostBytes of a file that is read; what is longer is none of ours
 * @throws Error as openRegularFile, and for a file that is longer
 */
export async function readRegularFile(path: string, mostBytes: number): Promise<Buffer> {
  const file = await openRegularFile(path);
  try {
    const { size } = await file.stat();
    if (size > mostBytes) throw new Error(`it has ${count(size, "byte")}, more than ${mostBytes}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
