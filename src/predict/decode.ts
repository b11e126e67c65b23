/**
 * The decode loop in prediction mode: first vertex, then the best cell at each step until end-of-sequence.
 * Follows Castrejon et al., CVPR 2017, section on inference: greedy, no beam.
 *
 * A batch is stepped together. Instances that said end-of-sequence leave it; the batch is compacted when a quarter of its rows are
 * idle, because a smaller step is cheaper and copying state at every single ending is not. Rows never see each other, so neither
 * batch size nor order changes a polygon.
 */
import { CELL_COUNT, EOS } from "../geometry/grid.js";
import type { Decoding, Engine } from "../runtime/engine.js";
import { chooseBest, indexOfLargest } from "./score.js";

/** Decoder steps at most, as in the authors' released code. */
export const MAX_STEPS = 71;
/** Share of idle rows from which on a batch is compacted. */
const COMPACT_AT = 0.25;

/** One drawn sequence. */
export interface Sequence {
  /** Cell indices 0..783, the first vertex first, end-of-sequence not included. */
  readonly cells: readonly number[];
  /** Sum of the log-probabilities of the steps, end-of-sequence included. */
  readonly logProbability: number;
  /** Decoder steps taken. */
  readonly steps: number;
  /** False when the step limit came before end-of-sequence. */
  readonly ended: boolean;
}

export interface DecodeTimes { readonly encodeMs: number; readonly stepsMs: number }

/**
 * @param pixels   [count, 224, 224, 3] uint8 RGB
 * @param maxSteps decoder steps at most, at least 1
 * @returns        one sequence per crop, in the order of the crops
 */
export async function decodeGreedy(
  engine: Engine, pixels: Uint8Array, count: number, maxSteps: number,
): Promise<{ sequences: Sequence[]; times: DecodeTimes }> {
  const started = performance.now();
  const decoding = await engine.encode(pixels, count);
  const encoded = performance.now();
  const sequences = await drawAll(decoding, maxSteps);
  return { sequences, times: { encodeMs: encoded - started, stepsMs: performance.now() - encoded } };
}

/** A sequence while it is being drawn. */
interface Drawing { readonly cells: number[]; logProbability: number; steps: number; ended: boolean }

async function drawAll(encoded: Decoding, maxSteps: number): Promise<Sequence[]> {
  const drawings = Array.from({ length: encoded.size }, (_, row): Drawing => ({
    cells: [indexOfLargest(encoded.firstVertexLogits, row * CELL_COUNT, CELL_COUNT)], logProbability: 0, steps: 0, ended: false,
  }));
  let decoding = encoded;
  let rows = drawings; // rows[i] is drawn by row i of `decoding`; ended ones stay until the next compaction
  try {
    for (let step = 0; step < maxSteps; step++) {
      const logits = await decoding.step(stepInput(rows));
      rows.forEach((drawing, row) => { if (!drawing.ended) advance(drawing, logits, row); });
      const live = rows.flatMap((drawing, row) => (drawing.ended ? [] : [row]));
      if (live.length === 0) break;
      if (live.length <= rows.length * (1 - COMPACT_AT)) {
        const compacted = decoding.select(live);
        decoding.dispose();
        decoding = compacted;
        rows = live.map((row) => rows[row]!);
      }
    }
  } finally {
    decoding.dispose();
  }
  return drawings;
}

function advance(drawing: Drawing, logits: Float32Array, row: number): void {
  const { index, logProbability } = chooseBest(logits, row);
  drawing.steps++;
  drawing.logProbability += logProbability;
  if (index === EOS) drawing.ended = true;
  else drawing.cells.push(index);
}

/** y(1), y(t-1) and y(t-2) per row; at the first step y(t-1) is the first vertex and there is no y(t-2). */
function stepInput(rows: readonly Drawing[]): { first: Int32Array; previous: Int32Array; beforePrevious: Int32Array } {
  const pick = (cellOf: (cells: readonly number[]) => number | undefined): Int32Array =>
    Int32Array.from(rows, ({ cells }) => cellOf(cells) ?? EOS);
  return { first: pick((c) => c[0]), previous: pick((c) => c.at(-1)), beforePrevious: pick((c) => (c.length > 1 ? c.at(-2) : undefined)) };
}
