/** Which categories the user means: names or ids as typed. */
import type { PolyrnnError } from "../errors.js";
import { receivedOf, usageError } from "../errors.js";
import { nearestName } from "../nearest.js";
import type { Category, Id } from "../types.js";

/** @param wanted names or ids as typed; empty: all (undefined) @throws usageError naming the closest category */
export function selectCategories(
  categories: readonly Category[],
  wanted: readonly string[],
): ReadonlySet<Id> | undefined {
  if (wanted.length === 0) return undefined;
  const ids = new Set<Id>();
  const names = categories.map(({ name }) => name);
  for (const arg of wanted) {
    const matches = categories.filter(({ id, name }) => name === arg || String(id) === arg);
    if (matches.length === 0) throw unknown(arg, names);
    for (const { id } of matches) ids.add(id);
  }
  return ids;
}

function unknown(arg: string, names: readonly string[]): PolyrnnError {
  const close = nearestName(arg, names);
  const shown = names.slice(0, 20).map(receivedOf).join(", ");
  const more = names.length > 20 ? ` and ${names.length - 20} more` : "";
  return usageError(
    `--categories: expected a name or an id of the data set, received ${receivedOf(arg)}`,
    close !== undefined
      ? `Did you mean ${receivedOf(close)}?`
      : names.length === 0
        ? "The data set has no categories; leave --categories out."
        : `The data set has ${shown}${more}.`,
  );
}
