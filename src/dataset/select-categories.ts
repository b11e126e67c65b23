/** Which categories the user means: names or ids as typed. */
import { usageError } from "../errors.js";
import { nearestName } from "../schema/nearest.js";
import type { Category, Id } from "../types.js";

/** @param wanted names or ids as typed; empty: all (undefined) @throws usageError naming the closest category */
export function selectCategories(categories: readonly Category[], wanted: readonly string[]): ReadonlySet<Id> | undefined {
  if (wanted.length === 0) return undefined;
  const ids = new Set<Id>();
  for (const word of wanted) {
    const matches = categories.filter(({ id, name }) => name === word || String(id) === word);
    if (matches.length === 0) {
      const names = categories.map(({ name }) => name);
      const close = nearestName(word, names);
      throw usageError(`--categories: expected a name or an id of the data set, received ${JSON.stringify(word)}`,
        close === undefined ? `The data set has: ${names.slice(0, 20).join(", ")}.` : `Did you mean ${JSON.stringify(close)}?`);
    }
    for (const { id } of matches) ids.add(id);
  }
  return ids;
}
