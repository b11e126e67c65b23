/**
 * The known name a mistyped one was probably meant to be, for hints in error messages; nothing is ever replaced by it.
 */

/** What was typed may be of any length, and the distance takes time proportional to the product of both. */
const MAX_LENGTH = 40;

/** Fewer typed letters are not taken for the beginning of a name. */
const MIN_BEGINNING = 2;

/**
 * @returns the closest candidate by Levenshtein distance within a third of the typed name's length; else the only one
 *   that begins with what was typed ("batch", "cat"), or the one with which all such begin; else undefined
 */
export function nearestName(typed: string, candidates: Iterable<string>): string | undefined {
  const name = typed.slice(0, MAX_LENGTH).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  const all = [...candidates];
  for (const candidate of all) {
    const distance = editDistance(name, candidate.slice(0, MAX_LENGTH).toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  if (best !== undefined || name.length < MIN_BEGINNING) return best;
  const begun = all.filter((candidate) => candidate.toLowerCase().startsWith(name));
  const shortest = begun.reduce((short, one) => (one.length < short.length ? one : short), begun[0] ?? "");
  // "box" is the beginning of "boxes", and the names that go on from there do not make it doubtful.
  return begun.length > 0 && begun.every((candidate) => candidate.startsWith(shortest)) ? shortest : undefined;
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
