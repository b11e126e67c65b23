import fc from "fast-check";
import { expect, test } from "vitest";
import { dropSmallParts } from "../../src/evaluate/truth.js";
import { rleFromBitmap, rleToBitmap } from "../../src/geometry/rle.js";

const HEIGHT = 7;
const WIDTH = 9;
const anyBitmap = fc.uint8Array({ minLength: HEIGHT * WIDTH, maxLength: HEIGHT * WIDTH, max: 1 });

/** Sizes of parts by joining pixel after pixel: slow, and simple enough to be believed. */
function partSizes(bitmap: Uint8Array): number[] {
  const part = Array.from(bitmap, (value, at) => (value === 1 ? at : -1));
  for (let changed = true; changed;) {
    changed = false;
    for (let a = 0; a < part.length; a++) {
      for (let b = 0; b < part.length; b++) {
        if (part[a]! < 0 || part[b]! < 0 || part[a] === part[b]) continue;
        const apart = Math.max(
          Math.abs(Math.floor(a / HEIGHT) - Math.floor(b / HEIGHT)),
          Math.abs((a % HEIGHT) - (b % HEIGHT)),
        );
        if (apart > 1) continue;
        part[a] = part[b] = Math.min(part[a]!, part[b]!);
        changed = true;
      }
    }
  }
  return part.map((of) => (of < 0 ? 0 : part.filter((other) => other === of).length));
}

test("exactly the pixels of parts that are large enough stay", () => {
  fc.assert(
    fc.property(anyBitmap, fc.integer({ min: 0, max: 20 }), (bitmap, minArea) => {
      const kept = rleToBitmap(dropSmallParts(rleFromBitmap(bitmap, HEIGHT, WIDTH), minArea));
      expect([...kept]).toEqual(partSizes(bitmap).map((size) => (size > 0 && size >= minArea ? 1 : 0)));
    }),
    { numRuns: 40 },
  );
});

test("a mask without small parts comes back as it is", () => {
  const mask = rleFromBitmap(new Uint8Array(HEIGHT * WIDTH).fill(1), HEIGHT, WIDTH);
  expect(dropSmallParts(mask, HEIGHT * WIDTH)).toBe(mask);
});
