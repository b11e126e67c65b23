/**
 * metrics.ndjson: one line per report and per validation, appended. A resumed run cuts it back to its checkpoint and
 * goes on. A report holds means over the steps since the line before; the sums behind them are part of the checkpoint,
 * so that a resumed run writes the same lines.
 */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { count } from "../count.js";
import type { StepReport } from "../engine/trainer.js";
import { invalidData } from "../errors.js";
import { toWriteError } from "../files/atomic-file.js";
import { parseForeignJson } from "../foreign.js";
import { compileSchema, lazily } from "../validate.js";
import type { LossParts, MetricsLine, StepLine } from "./events.js";

export const METRICS_FILE = "metrics.ndjson";

export class MetricsFile {
  /** Numbers of kept lines that cannot be read. */
  damagedLines: readonly number[] = [];

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
   * @throws E_WRITE; E_DATA when the file is shorter
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
          `${path}: expected at least ${count(keep, "byte")}, those of the checkpoint, but received ${bytesRead}`,
          "The file was changed since the run was stopped.",
        );
      await handle.truncate(keep);
      const damaged: number[] = [];
      const lines = parseLines(kept.toString("utf8"), damaged);
      const file = new MetricsFile(path, handle, lines, keep);
      file.damagedLines = damaged;
      return file;
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

/** Characters of a line: a validation of many sources with eight pictures stays far below. */
const LONGEST_LINE = 1 << 20;

const number = { type: "number" };
const score = {
  type: "object",
  required: ["iou", "boxIou", "instances"],
  properties: { iou: number, boxIou: number, instances: number },
};
const losses = { total: number, steps: number, edge: number, vertex: number, mask: number };

/** What the training page shows of a line; further fields pass. */
const checkLine = lazily(() =>
  compileSchema({
    type: "object",
    discriminator: { propertyName: "type" },
    required: ["type"],
    oneOf: [
      {
        properties: {
          type: { const: "step" },
          step: number,
          losses: { type: "object", required: ["total", "steps", "edge", "vertex"], properties: losses },
          accuracy: number,
        },
        required: ["step", "losses", "accuracy"],
      },
      {
        properties: {
          type: { const: "validation" },
          step: number,
          all: score,
          bySource: { type: "object", additionalProperties: score },
          failed: number,
          drawn: {
            type: "array",
            items: {
              type: "object",
              required: ["source", "ring", "iou"],
              properties: {
                source: { type: "string" },
                iou: number,
                ring: {
                  type: "array",
                  items: { type: "object", required: ["x", "y"], properties: { x: number, y: number } },
                },
              },
            },
          },
        },
        required: ["step", "all", "bySource", "failed", "drawn"],
      },
    ],
  }),
);

/** @param damaged receives the numbers of lines that are not ours; each costs its own point of the curves */
function parseLines(text: string, damaged: number[]): MetricsLine[] {
  return text.split("\n").flatMap((line, i) => {
    if (line === "") return [];
    const parsed = parseLine(line);
    if (parsed === undefined) damaged.push(i + 1);
    return parsed ?? [];
  });
}

function parseLine(line: string): MetricsLine | undefined {
  if (line.length > LONGEST_LINE) return undefined;
  try {
    const value = parseForeignJson(line);
    return checkLine(value) === undefined ? (value as MetricsLine) : undefined;
  } catch {
    return undefined;
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
