/** metrics.ndjson: one line per report and per validation, appended. A resumed run cuts it back to its checkpoint and goes on. */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { invalidData, reasonOf } from "../errors.js";
import { toWriteError } from "../write/write-error.js";
import type { MetricsLine } from "./events.js";

export const METRICS_FILE = "metrics.ndjson";

export class MetricsFile {
  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    readonly lines: MetricsLine[],
    private length: number,
  ) {}

  /** Bytes written so far. */
  get bytes(): number {
    return this.length;
  }

  /**
   * @param keep bytes of an earlier process to keep: 0 for a new run
   * @throws E_WRITE; E_DATA when the file is shorter than that, or what is kept is not lines of JSON
   */
  static async open(folder: string, keep: number): Promise<MetricsFile> {
    const path = join(folder, METRICS_FILE);
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, keep === 0 ? "w+" : "r+");
      const kept = Buffer.alloc(keep);
      const { bytesRead } = await handle.read(kept, 0, keep, 0);
      if (bytesRead < keep)
        throw invalidData(
          `${path}: expected at least ${keep} bytes, those of the checkpoint, but received ${bytesRead}`,
          "The file was changed since the run was stopped.",
        );
      await handle.truncate(keep);
      return new MetricsFile(path, handle, parseLines(kept.toString("utf8"), path), keep);
    } catch (thrown) {
      await handle?.close();
      throw toWriteError(path, thrown);
    }
  }

  /** Appended whole, and on the disk before a checkpoint that counts it. @throws E_WRITE */
  async add(line: MetricsLine): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      for (let done = 0; done < bytes.length;)
        done += (await this.handle.write(bytes, done, bytes.length - done, this.length + done)).bytesWritten;
      await this.handle.datasync();
    } catch (thrown) {
      throw toWriteError(this.path, thrown);
    }
    this.length += bytes.length;
    this.lines.push(line);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

function parseLines(text: string, path: string): MetricsLine[] {
  try {
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as MetricsLine);
  } catch (thrown) {
    throw invalidData(
      `${path}: expected lines of JSON (${reasonOf(thrown)})`,
      "The file was changed since the run was stopped.",
      thrown,
    );
  }
}
