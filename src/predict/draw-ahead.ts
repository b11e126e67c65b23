/**
 * The decode loop of prediction mode on an engine that takes several steps in one call: whatever the network proposes is drawn, so that
 * nobody has to look between the steps. Draws the same cells as draw-rows.ts.
 *
 * A polygon that ends in the middle of a call is stepped to the call's end in vain; its batch is compacted between calls.
 */
import { EOS } from "../geometry/grid.js";
import type { Decoding, StepDrawn, StepInput } from "../runtime/engine.js";
import { COMPACT_AT, type Sequence, stepInput } from "./draw-rows.js";
import { chosenClass } from "./score.js";

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
export async function drawAhead(encoded: Decoding, firsts: readonly number[], maxSteps: number): Promise<Sequence[]> {
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
function grow(row: Row, { chosen, logits }: StepDrawn, at: number): void {
  const { index, logProbability } = chosenClass(logits, at, chosen[at]!);
  row.steps++;
  row.logProbability += logProbability;
  if (index === EOS) row.ended = true;
  else row.cells.push(index);
}

function takeSteps(decoding: Decoding, input: StepInput): Promise<readonly StepDrawn[]> {
  if (decoding.steps === undefined) throw new Error("this batch takes one step at a time: see draw-rows.ts");
  return decoding.steps(input);
}
