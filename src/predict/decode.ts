/**
 * From a batch of crops to sequences: encodes once, then decodes. Prediction mode takes whatever the network proposes.
 * Nobody has to look between the steps then. An engine may take several in one call, with the same cells as the loop of
 * predict/decode-loop.ts.
 */
import type { Decoding, EncodedBatch, Engine, StepDecoded, StepInput } from "../engine/engine.js";
import { EOS } from "../geometry/grid.js";
import { chosenClass } from "./choose-vertex.js";
import type { Decision, DecodingRule, Sequence } from "./decode-loop.js";
import { bestFirstVertices, COMPACT_AT, decodeLoop, stepInput } from "./decode-loop.js";
import { flipCrops } from "./flip.js";

export interface DecodeTimes {
  readonly encodeMs: number;
  readonly stepsMs: number;
}

/** Prediction mode: whatever the network proposes is taken. */
class Accept implements DecodingRule<Accept> {
  decide(_cells: readonly number[], proposed: number): Decision<Accept> {
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
  const { decoded, times } = await encodeAndDecode(engine, pixels, count, (encoded) =>
    decodeFrom(encoded, bestFirstVertices(encoded), maxSteps),
  );
  return { sequences: decoded, times };
}

/**
 * @param encoded one row per polygon; disposed here, also after an error
 * @param firsts  first vertex of each row, 0..783
 * @returns       one sequence per row, in order
 */
export async function decodeFrom(encoded: Decoding, firsts: readonly number[], maxSteps: number): Promise<Sequence[]> {
  if (encoded.decode !== undefined) return decodeRows(encoded, firsts, maxSteps);
  if (encoded.steps !== undefined) return decodeGreedySteps(encoded, firsts, maxSteps);
  const sequences = Array<Sequence>(firsts.length);
  const rules = firsts.map(() => ACCEPT);
  const polygons = await decodeLoop(encoded, rules, { maxSteps, firsts });
  for (const { crop, sequence } of polygons) sequences[crop] = sequence;
  return sequences;
}

/** Encodes crops of a batch that is not disposed yet, each flipped; the same bits, wherever the flip is made. */
export type EncodeFlipped = (crops: readonly number[]) => Promise<EncodedBatch>;

/**
 * @param decode gets the batch, which it disposes, and may have crops of it encoded flipped
 * @returns      also the time that went into encoding and into everything else
 */
export async function encodeAndDecode<D>(
  engine: Engine,
  pixels: Uint8Array,
  count: number,
  decode: (encoded: EncodedBatch, encodeFlipped: EncodeFlipped) => Promise<D>,
): Promise<{ decoded: D; times: DecodeTimes }> {
  const started = performance.now();
  let encodeMs = 0;
  const timed = async (encode: () => Promise<EncodedBatch>): Promise<EncodedBatch> => {
    const began = performance.now();
    const encoded = await encode();
    encodeMs += performance.now() - began;
    return encoded;
  };
  const encoded = await timed(() => engine.encode(pixels, count));
  const encodeFlipped: EncodeFlipped = (crops) =>
    timed(() => encoded.flipped?.(crops) ?? engine.encode(flipCrops(pixels, crops), crops.length));
  const decoded = await decode(encoded, encodeFlipped);
  return { decoded, times: { encodeMs, stepsMs: performance.now() - started - encodeMs } };
}

/** The same on an engine that chooses by itself. */
async function decodeRows(encoded: Decoding, firsts: readonly number[], maxSteps: number): Promise<Sequence[]> {
  try {
    const rows = await encoded.decode!(firsts, maxSteps);
    return rows.map(({ chosen, logProbability }, at): Sequence => {
      const ended = chosen.at(-1) === EOS;
      const cells = [firsts[at]!, ...(ended ? chosen.slice(0, -1) : chosen)];
      return { cells, logProbability, steps: chosen.length, ended };
    });
  } finally {
    encoded.dispose();
  }
}

/** A polygon that grows. */
interface Row extends Sequence {
  readonly cells: number[];
  logProbability: number;
  steps: number;
  ended: boolean;
}

/**
 * The same on an engine that takes several steps in one call. Steps after a polygon's end, within a call, are wasted;
 * the batch is compacted between calls.
 */
async function decodeGreedySteps(encoded: Decoding, firsts: readonly number[], maxSteps: number): Promise<Sequence[]> {
  const rows = firsts.map((first): Row => ({ cells: [first], logProbability: 0, steps: 0, ended: false }));
  const isOver = (row: Row): boolean => row.ended || row.steps >= maxSteps;
  let decoding = encoded;
  let slots: readonly Row[] = rows; // slots[i] grows by row i of the decoding
  try {
    while (slots.length > 0) {
      const input = stepInput(slots.map((row) => (isOver(row) ? undefined : row)));
      for (const step of await takeSteps(decoding, input)) {
        for (const [at, row] of slots.entries()) if (!isOver(row)) grow(row, step, at);
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
