/** Lists of numbers with names, as `--loss-weight edge=0.5,mask=2` and `--source-weight coco=0.46,people=0.17` give them. */
import { receivedOf, usageError } from "../errors.js";

/**
 * @param place for example "--loss-weight"
 * @returns in the order given; ranges are for the caller to check
 * @throws E_USAGE for an item that is not NAME=N, and a name that is there twice
 */
export function parseNamedNumbers(items: readonly string[], place: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const item of items) {
    // The name may hold a = itself: it is a field of a file.
    const at = item.lastIndexOf("=");
    const [name, text] = [item.slice(0, Math.max(0, at)).trim(), item.slice(at + 1).trim()];
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
    if (at < 1 || !Number.isFinite(value))
      throw usageError(
        `${place}: expected NAME=NUMBER but received ${receivedOf(item)}`,
        `Write it as in ${place} ${at < 1 ? "name" : name}=0.5.`,
      );
    if (numbers.has(name))
      throw usageError(
        `${place}: expected every name once but received ${receivedOf(name)} twice`,
        "Leave one of them.",
      );
    numbers.set(name, value);
  }
  return numbers;
}
