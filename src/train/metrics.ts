/**
 * metrics.ndjson: one line per report and per validation, appended. A resumed run cuts it back to its checkpoint and
 * goes on. A report holds means over the steps since the line before; the sums behind them are part of the checkpoint,
 * so that a resumed run writes the same lines.
 */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { StepReport } from "../engine/trainer.js";
import { invalidData, reasonOf } from "../errors.js";
import { toWriteError } from "../files/atomic-file.js";
import type { LossParts, MetricsLine, StepLine } from "./events.js";

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
   * @throws E_WRITE; E_DATA when the file is shorter, or the kept part is not lines of JSON
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
    } catch (error) {
      await handle?.close();
      throw toWriteError(path, error);
    }
  }

  /** Appends a whole line, which is on the disk before a checkpoint counts it. @throws E_WRITE */
  async add(line: MetricsLine): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      for (let done = 0; done < bytes.length;)
        done += (await this.handle.write(bytes, done, bytes.length - done, this.length + done)).bytesWritten;
      await this.handle.datasync();
    } catch (error) {
      throw toWriteError(this.path, error);
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
  } catch (error) {
    throw invalidData(
      `${path}: expected lines of JSON (${reasonOf(error)})`,
      "The file was changed since the run was stopped.",
      error,
    );
  }
}

/** Sums over `count` steps. `mask`, `fineMask` and `maskIou` are absent where the network has no such map. */
export interface Sums {
  readonly count: number;
  readonly total: number;
  readonly steps: number;
  readonly edge: number;
  readonly vertex: number;
  readonly mask?: number;
  readonly fineMask?: number;
  readonly accuracy: number;
  readonly maskIou?: number;
  readonly gradientNorm: number;
}

export const NO_SUMS: Sums = { count: 0, total: 0, steps: 0, edge: 0, vertex: 0, accuracy: 0, gradientNorm: 0 };

export function addStep(sums: Sums, { losses, accuracy, maskIou, gradientNorm }: StepReport): Sums {
  return {
    count: sums.count + 1,
    total: sums.total + losses.total,
    steps: sums.steps + losses.steps,
    edge: sums.edge + losses.edge,
    vertex: sums.vertex + losses.vertex,
    ...(losses.mask !== undefined && { mask: (sums.mask ?? 0) + losses.mask }),
    ...(losses.fineMask !== undefined && { fineMask: (sums.fineMask ?? 0) + losses.fineMask }),
    accuracy: sums.accuracy + accuracy,
    ...(maskIou !== undefined && { maskIou: (sums.maskIou ?? 0) + maskIou }),
    gradientNorm: sums.gradientNorm + gradientNorm,
  };
}

/** @param sums of at least one step */
export function meansOf(sums: Sums): { losses: LossParts } & Pick<StepLine, "accuracy" | "maskIou" | "gradientNorm"> {
  const mean = (sum: number): number => sum / sums.count;
  return {
    losses: {
      total: mean(sums.total),
      steps: mean(sums.steps),
      edge: mean(sums.edge),
      vertex: mean(sums.vertex),
      ...(sums.mask !== undefined && { mask: mean(sums.mask) }),
      ...(sums.fineMask !== undefined && { fineMask: mean(sums.fineMask) }),
    },
    accuracy: mean(sums.accuracy),
    ...(sums.maskIou !== undefined && { maskIou: mean(sums.maskIou) }),
    gradientNorm: mean(sums.gradientNorm),
  };
}
