/** A part of the instances for learning curves: seeded, and nested, so that more data means the same data and more. */
import { usageError } from "../errors.js";
import { createRandom } from "../random.js";
import type { TruthSet } from "./truth-instance.js";

/**
 * @param most instances to keep; a whole number of 1 or more
 * @returns the set with the first `most` of its instances in shuffled order, in input order again; images and sources keep their numbers
 * @throws E_USAGE when `most` is no such number
 */
export function selectSubset(set: TruthSet, most: number, seed: number | string): TruthSet {
  if (!Number.isSafeInteger(most) || most < 1)
    throw usageError(
      `instances: expected a whole number of 1 or more, received ${most}`,
      "Leave it out to train on all.",
    );
  if (most >= set.instances.length) return set;
  const chosen = createRandom(seed)
    .fork("subset")
    .shuffle([...set.instances.keys()])
    .slice(0, most)
    .sort((a, b) => a - b);
  return { ...set, instances: chosen.map((i) => set.instances[i]!) };
}
