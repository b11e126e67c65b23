/**
 * From a batch of crops to sequences: encodes once, then runs the decode loop (predict/decode-loop.ts), in prediction
 * mode or with an annotator. Prediction mode takes several steps in one call where the engine offers that
 * (predict/decode.ts).
 */
import type { Decoding, EncodedBatch, Engine, StepDecoded, StepInput } from "../engine/engine.js";
import { EOS } from "../geometry/grid.js";
import { chooseBest, chosenClass } from "./choose-vertex.js";
import type { Decision, DecodingRule, Sequence } from "./decode-loop.js";
import { bestFirstVertices, COMPACT_AT, decodeLoop, stepInput } from "./decode-loop.js";

export type { Sequence } from "./decode-loop.js";

/** Decoder steps at most, as in the authors' released code. */
export const MAX_STEPS = 71;

export interface DecodeTimes {
  readonly encodeMs: number;
  readonly stepsMs: number;
}

/** Prediction mode: whatever the network proposes is drawn. */
class Accept implements DecodingRule<Accept> {
  decide(_drawn: readonly number[], proposed: number): Decision<Accept> {
    return { taken: proposed };
  }
}
const ACCEPT: readonly Accept[] = [new Accept()];

/**
 * Prediction mode with one polygon per crop, from the best first vertex on.
 * @param pixels   [count, 224, 224, 3] uint8 RGB
 * @param maxSteps decoder steps at most, at least 1
 * @returns        one sequence per crop, in the order of the crops
 */
export async function decodeGreedy(
  engine: Engine,
  pixels: Uint8Array,
  count: number,
  maxSteps: number,
): Promise<{ sequences: Sequence[]; times: DecodeTimes }> {
  const { drawn, times } = await encodeAndDecode(engine, pixels, count, (decoding) =>
    decodeFrom(decoding, bestFirstVertices(decoding), maxSteps),
  );
  return { sequences: drawn, times };
}

/**
 * @param encoded  one row per polygon; disposed here, also after an error
 * @param firsts   first vertex of each row, 0..783
 * @returns        one sequence per row, in order
 */
export async function decodeFrom(encoded: Decoding, firsts: readonly number[], maxSteps: number): Promise<Sequence[]> {
  if (encoded.steps !== undefined) return decodeGreedySteps(encoded, firsts, maxSteps);
  const sequences = Array<Sequence>(firsts.length);
  const polygons = await decodeLoop(
    encoded,
    firsts.map(() => ACCEPT),
    maxSteps,
    chooseBest,
    firsts,
  );
  for (const { crop, sequence } of polygons) sequences[crop] = sequence;
  return sequences;
}

/** Encodes crops, [count, 224, 224, 3] uint8. */
export type Encode = (pixels: Uint8Array, count: number) => Promise<EncodedBatch>;

/**
 * @param draw is given the batch, which it disposes, and may encode more
 * @returns    also the time that went into encoding and into everything else
 */
export async function encodeAndDecode<D>(
  engine: Engine,
  pixels: Uint8Array,
  count: number,
  draw: (encoded: EncodedBatch, encode: Encode) => Promise<D>,
): Promise<{ drawn: D; times: DecodeTimes }> {
  const started = performance.now();
  let encodeMs = 0;
  const encode: Encode = async (...crops) => {
    const began = performance.now();
    const encoded = await engine.encode(...crops);
    encodeMs += performance.now() - began;
    return encoded;
  };
  const drawn = await draw(await encode(pixels, count), encode);
  return { drawn, times: { encodeMs, stepsMs: performance.now() - started - encodeMs } };
}

/*
 * The decode loop of prediction mode on an engine that takes several steps in one call: whatever the network proposes
 * is drawn, so that nobody has to look between the steps. Draws the same cells as predict/decode-loop.ts.
 *
 * A polygon that ends in the middle of a call is stepped to the call's end in vain; its batch is compacted between
 * calls.
 */

/** A polygon that grows. */
interface Row extends Sequence {
  readonly cells: number[];
  logProbability: number;
  steps: number;
  ended: boolean;
}

/**
 * @param encoded  one row per polygon; disposed here, also after an error
 * @param firsts   first vertex of each row, 0..783
 * @param maxSteps decoder steps at most, at least 1
 * @returns        one sequence per row, in order
 */
export async function decodeGreedySteps(
  encoded: Decoding,
  firsts: readonly number[],
  maxSteps: number,
): Promise<Sequence[]> {
  const rows = firsts.map((first): Row => ({ cells: [first], logProbability: 0, steps: 0, ended: false }));
  const isOver = (row: Row): boolean => row.ended || row.steps >= maxSteps;
  let decoding = encoded;
  let slots: readonly Row[] = rows; // slots[i] is drawn by row i of the decoding
  try {
    while (slots.length > 0) {
      for (const drawn of await takeSteps(decoding, stepInput(slots.map((row) => (isOver(row) ? undefined : row))))) {
        for (const [at, row] of slots.entries()) if (!isOver(row)) grow(row, drawn, at);
      }
      const live = slots.flatMap((row, at) => (isOver(row) ? [] : [at]));
      if (live.length === 0) break;
      if (live.length > slots.length * (1 - COMPACT_AT)) continue;
      const smaller = decoding.select(live);
      decoding.dispose();
      decoding = smaller;
      slots = slots.filter((row) => !isOver(row));
    }
  } finally {
    decoding.dispose();
  }
  return rows.map(({ cells, logProbability, steps, ended }) => ({ cells, logProbability, steps, ended }));
}

/** @param at row of the batch */
function grow(row: Row, { chosen, logits }: StepDecoded, at: number): void {
  const { index, logProbability } = chosenClass(logits, at, chosen[at]!);
  row.steps++;
  row.logProbability += logProbability;
  if (index === EOS) row.ended = true;
  else row.cells.push(index);
}

function takeSteps(decoding: Decoding, input: StepInput): Promise<readonly StepDecoded[]> {
  if (decoding.steps === undefined) throw new Error("this batch takes one step at a time: see predict/decode-loop.ts");
  return decoding.steps(input);
}
