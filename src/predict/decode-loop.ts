/**
 * The decode loop: a batch of polygons grows vertex by vertex, from the first vertex by one cell per step to
 * end-of-sequence. Follows Castrejon et al., CVPR 2017, section on inference: greedy, no beam. With an annotator in the
 * loop, a corrected vertex is fed back as y(t-1), and earlier vertices stay. Prediction mode is the same loop with a
 * rule that never corrects.
 *
 * The network sees an image and the vertices so far, nothing else. Polygons of one image with the same vertices
 * therefore share a row of the batch, and part where their rules decide differently. Rows never see each other, so
 * neither the size of a batch nor its order nor what else is in it changes a polygon.
 *
 * Rows whose polygons have all ended leave when they are a quarter of the batch. A smaller step is cheaper, but copying
 * the state at every single ending is not.
 */
import type { Decoding, StepInput } from "../engine/engine.js";
import { CELL_COUNT, EOS } from "../geometry/grid.js";
import type { Chooser } from "./choose-vertex.js";
import { chooseBest, indexOfLargest } from "./choose-vertex.js";

/** Share of idle rows from which on a batch is compacted. */
export const COMPACT_AT = 0.25;
/** Rows to which parting may grow a batch before it is split: about 75 MB of state in the widest decoder. */
const MAX_ROWS = 128;

/** What is taken of the network's proposals: one rule per polygon, asked once per vertex, in order. */
export interface DecodingRule<R> {
  /**
   * @param cells    the polygon so far, 0..783; empty when the first vertex is proposed
   * @param proposed the network's choice: a cell 0..783, or 784 for end-of-sequence (never as the first vertex)
   */
  decide(cells: readonly number[], proposed: number): Decision<R>;
}

export interface Decision<R> {
  /** Class that is taken, 0..784; 784 ends the polygon and is no first vertex. */
  readonly taken: number;
  /** Rule of a second polygon that parts from this one here: it takes what the network proposed. */
  readonly fork?: R;
}

/** One decoded sequence. */
export interface Sequence {
  /** Cell indices 0..783, the first vertex first, end-of-sequence not included. */
  readonly cells: readonly number[];
  /** Sum of the log-probabilities of what the network proposed at each step, end-of-sequence included. */
  readonly logProbability: number;
  /** Decoder steps taken. */
  readonly steps: number;
  /** False when the step limit came before end-of-sequence. */
  readonly ended: boolean;
}

/** A finished polygon: which crop, by which rule. */
export interface DecodedPolygon<R> {
  readonly crop: number;
  readonly rule: R;
  readonly sequence: Sequence;
}

/** Polygons of one crop with the same vertices so far. */
interface Row<R> extends Sequence {
  readonly crop: number;
  readonly rules: readonly R[];
}

/** slots[i] grows by row i of the decoding; undefined where everything has ended. */
interface Batch<R> {
  readonly decoding: Decoding;
  readonly slots: readonly (Row<R> | undefined)[];
}

export interface LoopOptions {
  /** Decoder steps at most, at least 1. */
  readonly maxSteps: number;
  /** What the network proposes, given a step's logits; `chooseBest` when absent. */
  readonly choose?: Chooser;
  /** First vertex that is proposed for each crop, 0..783; the best one when absent. */
  readonly firsts?: readonly number[];
  /** Ends the loop before its next step, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * @param encoded one row per crop; disposed here, also after an error
 * @param rules   for each crop, the rules of its polygons
 * @returns       one polygon per rule, those of forks included, in the order in which they ended
 */
export async function decodeLoop<R extends DecodingRule<R>>(
  encoded: Decoding,
  rules: readonly (readonly R[])[],
  { maxSteps, choose = chooseBest, firsts = bestFirstVertices(encoded), signal }: LoopOptions,
): Promise<DecodedPolygon<R>[]> {
  const finished: DecodedPolygon<R>[] = [];
  const grow = (row: Row<R>, proposed: number): Row<R>[] => {
    const rows = part(row, proposed).map((next) => ({ ...next, ended: next.cells.length === row.cells.length }));
    const isOver = (next: Row<R>): boolean => next.ended || next.steps >= maxSteps;
    for (const next of rows.filter(isOver)) {
      for (const rule of next.rules) finished.push({ crop: next.crop, rule, sequence: sequenceOf(next) });
    }
    return rows.filter((next) => !isOver(next));
  };
  // The last batch is decoded to its end before the one below it goes on, so that few wait with their state.
  const open: Batch<R>[] = [{ decoding: encoded, slots: [] }];
  try {
    const firstRows = rules.map((ofCrop, crop) => {
      if (ofCrop.length === 0) return [];
      return grow({ crop, rules: ofCrop, cells: [], logProbability: 0, steps: 0, ended: false }, firsts[crop]!);
    });
    open.pop();
    regroup(encoded, firstRows, open);
    for (let batch = open.at(-1); batch !== undefined; batch = open.at(-1)) {
      signal?.throwIfAborted();
      const { decoding, slots } = batch;
      const logits = await decoding.step(stepInput(slots));
      const next = slots.map((row, at) => {
        if (row === undefined) return [];
        const { index, logProbability } = choose(logits, at);
        return grow({ ...row, steps: row.steps + 1, logProbability: row.logProbability + logProbability }, index);
      });
      open.pop();
      regroup(decoding, next, open);
    }
  } finally {
    for (const { decoding } of open) decoding.dispose();
  }
  return finished;
}

/** The best first vertex of each row, 0..783. */
export function bestFirstVertices({ size, firstVertexLogits }: Decoding): number[] {
  return Array.from({ length: size }, (_, row) => indexOfLargest(firstVertexLogits, row * CELL_COUNT, CELL_COUNT));
}

/** Asks each rule and puts those that take the same class into one row. A row whose cells did not grow has ended. */
function part<R extends DecodingRule<R>>(row: Row<R>, proposed: number): Row<R>[] {
  const byClass = new Map<number, R[]>();
  const add = (taken: number, rule: R): void => {
    const rules = byClass.get(taken);
    if (rules === undefined) byClass.set(taken, [rule]);
    else rules.push(rule);
  };
  for (const rule of row.rules) {
    const { taken, fork } = rule.decide(row.cells, proposed);
    add(taken, rule);
    if (fork !== undefined) add(proposed, fork);
  }
  return Array.from(byClass, ([taken, rules]) => ({
    ...row,
    rules,
    cells: taken === EOS ? row.cells : [...row.cells, taken],
  }));
}

/**
 * Opens the next batch: the same decoding while nothing parted and most rows are alive, else a selection of its rows,
 * split if too large. Disposes the decoding if it does not go on.
 * @param next for each row of the decoding, the rows that go on from it
 */
function regroup<R>(decoding: Decoding, next: readonly (readonly Row<R>[])[], open: Batch<R>[]): void {
  const live = next.flatMap((rows, from) => rows.map((row) => ({ row, from })));
  const hasParted = next.some((rows) => rows.length > 1);
  if (live.length > 0 && !hasParted && live.length > next.length * (1 - COMPACT_AT)) {
    open.push({ decoding, slots: next.map(([row]) => row) });
    return;
  }
  try {
    const parts = live.length > Math.max(MAX_ROWS, next.length) ? Math.ceil(live.length / MAX_ROWS) : 1;
    const size = Math.ceil(live.length / parts);
    for (let start = 0; start < live.length; start += size) {
      const taken = live.slice(start, start + size);
      open.push({ decoding: decoding.select(taken.map(({ from }) => from)), slots: taken.map(({ row }) => row) });
    }
  } finally {
    decoding.dispose();
  }
}

function sequenceOf({ cells, logProbability, steps, ended }: Sequence): Sequence {
  return { cells, logProbability, steps, ended };
}

/** y(1), y(t-1) and y(t-2) per row; at the first step y(t-1) is the first vertex and there is no y(t-2). */
export function stepInput(slots: readonly (Pick<Sequence, "cells"> | undefined)[]): StepInput {
  const pick = (cellOf: (cells: readonly number[]) => number | undefined): Int32Array =>
    Int32Array.from(slots, (row) => (row === undefined ? EOS : (cellOf(row.cells) ?? EOS)));
  return {
    first: pick((c) => c[0]),
    previous: pick((c) => c.at(-1)),
    beforePrevious: pick((c) => (c.length > 1 ? c.at(-2) : undefined)),
  };
}
