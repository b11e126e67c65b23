/**
 * Batches of equal ring lengths: six batches are drawn together, sorted by the length of their rings, cut, and dealt in shuffled order.
 * A batch costs as many decoder steps as its longest ring has, so that this alone about halves the time of training.
 */
import { createRandom, type Random } from "../random.js";
import type { PlannedSample } from "./plan-sample.js";

/** Batches that are drawn together. */
export const BATCHES_PER_GROUP = 6;
/** Groups remembered: the one in use and the one that is begun while it ends. */
const GROUPS_HELD = 2;

/** Draws samples that are worth having together, at least one. */
export type DrawSamples = (random: Random) => readonly PlannedSample[];

/** @returns the samples of a step (0-based), the same whenever and in whatever order steps are asked for */
export function batchPlanner(
  draw: DrawSamples,
  batchSize: number,
  seed: number | string,
): (step: number) => readonly PlannedSample[] {
  const held = new Map<number, readonly (readonly PlannedSample[])[]>();
  return (step) => {
    const number = Math.floor(step / BATCHES_PER_GROUP);
    let group = held.get(number);
    if (group === undefined) {
      group = drawGroup(draw, batchSize, createRandom(seed).fork(`batches ${number}`));
      held.set(number, group);
      if (held.size > GROUPS_HELD) held.delete(held.keys().next().value!);
    }
    return group[step % BATCHES_PER_GROUP]!;
  };
}

function drawGroup(draw: DrawSamples, batchSize: number, random: Random): (readonly PlannedSample[])[] {
  const samples: PlannedSample[] = [];
  for (let i = 0; samples.length < batchSize * BATCHES_PER_GROUP; i++) samples.push(...draw(random.fork(i)));
  samples.length = batchSize * BATCHES_PER_GROUP;
  samples.sort((a, b) => a.cells.length - b.cells.length);
  const batches = Array.from({ length: BATCHES_PER_GROUP }, (_, i) =>
    samples.slice(i * batchSize, (i + 1) * batchSize),
  );
  return random.shuffle(batches);
}
