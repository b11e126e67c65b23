/**
 * Seeded random numbers, the same on every machine: fixtures, training and bootstrap intervals are repeatable by their
 * seed. Source: sfc32 ("small fast counting") by Chris Doty-Humphrey, PractRand (public domain), 128 bits of state;
 * string seeds and labels enter through FNV-1a. Not for secrets.
 */

export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  next(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Uniform whole number in 0..count-1. @throws RangeError when count is not a whole number in 1..2^32 */
  integer(count: number): number;
  /** Normal distribution, mean 0, standard deviation 1. */
  normal(): number;
  /** One of the items. @throws RangeError when there are none */
  pick<T>(items: readonly T[]): T;
  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[];
  /** An independent stream that depends only on this stream's seed and the label, not on how far this one has run. */
  fork(label: number | string): Random;
}

/** @param seed any number or text; 7 and "7" are the same seed */
export function createRandom(seed: number | string): Random {
  const key = String(seed);
  const next = sfc32(key);

  function integer(count: number): number {
    if (!Number.isInteger(count) || count < 1 || count > 2 ** 32) {
      throw new RangeError(`random.integer: expected a whole number from 1 to 2^32 but received ${count}`);
    }
    return Math.floor(next() * count);
  }

  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    integer,
    // Box and Muller 1958; 1 - next() keeps the logarithm away from zero.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    pick: <T>(items: readonly T[]): T => items[integer(items.length)] as T,
    shuffle: <T>(items: readonly T[]): T[] => {
      const shuffled = [...items];
      for (let last = shuffled.length - 1; last > 0; last--) {
        // Fisher and Yates
        const other = integer(last + 1);
        [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
      }
      return shuffled;
    },
    fork: (label) => createRandom(`${key}/${label}`),
  };
}

function sfc32(key: string): () => number {
  let a = hashText(key, 0);
  let b = hashText(key, 1);
  let c = hashText(key, 2);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // Neighbouring seeds differ in few bits; the author's own seeding runs the generator 15 times to spread them.
  for (let round = 0; round < 15; round++) next();
  return next;
}

/** FNV-1a over UTF-16 code units, 32 bits. */
function hashText(text: string, salt: number): number {
  let hash = 0x811c9dc5 ^ salt;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash | 0;
}
