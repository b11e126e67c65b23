/** The words of `--threshold` and `--simulate-clicks` to numbers. */
import { usageError } from "../errors.js";

/** More than anybody compares; each costs rows of the decoder. */
const MOST_THRESHOLDS = 16;

/**
 * @param place the option as typed, opens the message
 * @throws E_USAGE unless they are different numbers of 0 or more, at most 16
 */
export function parseThresholds(words: readonly string[], place: string): number[] {
  const hint = "Give distances in grid cells, for example 1,2,3,4.";
  const thresholds = words.map((word) => {
    // Number() alone would take "", "0x10" and "Infinity".
    const value = /^(\d+\.?\d*|\.\d+)$/.test(word) ? Number(word) : NaN;
    if (!Number.isFinite(value))
      throw usageError(`${place}: expected numbers of 0 or more but received ${JSON.stringify(word)}`, hint);
    return value;
  });
  const twice = thresholds.find((threshold, at) => thresholds.indexOf(threshold) !== at);
  if (twice !== undefined)
    throw usageError(`${place}: expected every threshold once but received ${twice} twice`, hint);
  if (thresholds.length === 0 || thresholds.length > MOST_THRESHOLDS) {
    throw usageError(`${place}: expected 1 to ${MOST_THRESHOLDS} thresholds but received ${thresholds.length}`, hint);
  }
  return thresholds;
}
