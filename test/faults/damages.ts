/** Damage to the bytes of a file, from a seed, and which lines of it are hit. */
import type { Random } from "../../src/random.js";

/** What disks, programs and people do to a file. */
export const DAMAGES: Readonly<Record<string, (random: Random, bytes: Buffer) => Buffer>> = {
  cut: (random, bytes) => bytes.subarray(0, random.integer(bytes.length)),
  "bytes flipped": (random, bytes) => {
    const flipped = Buffer.from(bytes);
    for (let i = 0; i <= random.integer(3); i++) flipped[random.integer(flipped.length)]! ^= 1 << random.integer(8);
    return flipped;
  },
  "a piece gone": (random, bytes) => {
    const at = random.integer(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.integer(500))]);
  },
  "a piece doubled": (random, bytes) => {
    const at = random.integer(bytes.length);
    return Buffer.concat([bytes.subarray(0, at + random.integer(500)), bytes.subarray(at)]);
  },
  // What some file systems leave after a power loss: the length is there, the content is not.
  "zeros at the end": (random, bytes) => {
    const zeroed = Buffer.from(bytes);
    zeroed.fill(0, random.integer(bytes.length));
    return zeroed;
  },
  "digits exchanged": (random, bytes) => {
    const digits = [...bytes.keys()].filter((at) => bytes[at]! >= 0x30 && bytes[at]! <= 0x39);
    const changed = Buffer.from(bytes),
      [a, b] = [random.pick(digits), random.pick(digits)];
    [changed[a], changed[b]] = [changed[b]!, changed[a]!];
    return changed;
  },
};

/** Numbers of the whole lines that are not lines of the original: found without checksums. */
export function damagedLines(original: Buffer, damaged: Buffer): number[] {
  const whole = new Set(original.toString("latin1").split("\n"));
  return damaged
    .toString("latin1")
    .split("\n")
    .slice(0, -1)
    .flatMap((line, i) => (line !== "" && whole.has(line) ? [] : [i + 1]));
}
