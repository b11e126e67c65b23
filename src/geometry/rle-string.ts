/**
 * The compressed form of COCO run lengths: text with six bits per character.
 *
 * Each count is a little-endian sequence of groups of five bits; the sixth bit says that another group follows, and the
 * character is the group plus 48 ("0" to "o"). The highest bit of the last group is the sign. From the fourth count on,
 * the difference to the count two places back is stored. Source: the format as pycocotools reads and writes it; checked
 * against its answers.
 */

const FIRST_CHARACTER = 48;
const MORE = 0x20;
const SIGN = 0x10;
/** Groups that a count or difference of up to 2^28 needs, with one to spare. */
const MAX_GROUPS = 7;

/**
 * The counts, or what is wrong with the text. Counts are integers, possibly negative: the caller checks their range.
 */
export function parseCounts(text: string): number[] | string {
  const counts: number[] = [];
  let value = 0;
  let scale = 1;
  let groups = 0;
  for (let at = 0; at < text.length; at++) {
    const group = text.charCodeAt(at) - FIRST_CHARACTER;
    if (group < 0 || group > 0x3f) return `character ${at + 1} is ${JSON.stringify(text.charAt(at))}`;
    if (++groups > MAX_GROUPS) return `the count that ends after character ${at + 1} is too large`;
    value += (group & 0x1f) * scale;
    scale *= 32;
    if ((group & MORE) !== 0) continue;
    if ((group & SIGN) !== 0) value -= scale;
    counts.push(counts.length > 2 ? value + counts[counts.length - 2]! : value);
    value = 0;
    scale = 1;
    groups = 0;
  }
  return groups === 0 ? counts : "it ends in the middle of a count";
}

/** The inverse of `parseCounts`, in the fewest characters. */
export function formatCounts(counts: Uint32Array): string {
  let text = "";
  for (let i = 0; i < counts.length; i++) {
    let rest = i > 2 ? counts[i]! - counts[i - 2]! : counts[i]!;
    for (;;) {
      const group = rest & 0x1f;
      rest = Math.floor(rest / 32);
      const done = (group & SIGN) === 0 ? rest === 0 : rest === -1;
      text += String.fromCharCode(FIRST_CHARACTER + (done ? group : group | MORE));
      if (done) break;
    }
  }
  return text;
}
