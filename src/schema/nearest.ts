/** The known name a mistyped one was probably meant to be, for hints in error messages; nothing is ever replaced by it. */

/** What was typed may be anything, and the distance takes time by the product of both lengths. */
const MAX_LENGTH = 40;

/** @returns the closest candidate by Levenshtein distance, or undefined when none is within a third of the typed name's length */
export function nearestName(typed: string, candidates: Iterable<string>): string | undefined {
  const name = typed.slice(0, MAX_LENGTH).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate.slice(0, MAX_LENGTH).toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Insertions, deletions and replacements between two strings. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
