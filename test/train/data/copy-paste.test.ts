import fc from "fast-check";
import { expect, test } from "vitest";
import { CROP_SIZE } from "../../../src/geometry/grid.js";
import { rasterizePolygon } from "../../../src/geometry/rasterize.js";
import { rleArea, rleToBitmap } from "../../../src/geometry/rle.js";
import { createRandom } from "../../../src/random.js";
import { sampleBackground, pasteOver } from "../../../src/train/data/copy-paste.js";
import type { Ring } from "../../../src/types.js";
import { anyFramedRing } from "../arbitraries.js";

const PIXELS = CROP_SIZE * CROP_SIZE;
const plain = (red: number, blue: number): Uint8Array =>
  Uint8Array.from({ length: PIXELS * 3 }, (_, i) => [red, 0, blue][i % 3]!);
const RED = plain(255, 0),
  BLUE = plain(0, 255);

/** The ring in crop pixels. */
function inCrop(ring: Ring, { left, top, side }: { left: number; top: number; side: number }): Ring {
  return ring.map(({ x, y }) => ({ x: ((x - left) * CROP_SIZE) / side, y: ((y - top) * CROP_SIZE) / side }));
}

test("with a hard seam the pixels inside the polygon are the instance's, all others the background's", () => {
  fc.assert(
    fc.property(anyFramedRing, ({ window, ring }) => {
      const crop = RED.slice();
      pasteOver(crop, BLUE, { ring, window, softness: 0 });
      const inside = rleToBitmap(rasterizePolygon([inCrop(ring, window)], CROP_SIZE, CROP_SIZE));
      let wrong = 0;
      for (let y = 0; y < CROP_SIZE; y++) {
        for (let x = 0; x < CROP_SIZE; x++) {
          const at = (y * CROP_SIZE + x) * 3,
            isOwn = inside[x * CROP_SIZE + y] === 1;
          if (crop[at] !== (isOwn ? 255 : 0) || crop[at + 2] !== (isOwn ? 0 : 255)) wrong++;
        }
      }
      expect(wrong).toBe(0);
    }),
    { numRuns: 25 },
  );
});

/** Whether some pixel up to `reach` away (chessboard distance) differs from this one. */
function isNearSeam(hard: Uint8Array, pixel: number, reach: number): boolean {
  const x = pixel % CROP_SIZE,
    y = Math.floor(pixel / CROP_SIZE);
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      if (x + dx < 0 || y + dy < 0 || x + dx >= CROP_SIZE || y + dy >= CROP_SIZE) continue;
      if (hard[(pixel + dy * CROP_SIZE + dx) * 3] !== hard[pixel * 3]) return true;
    }
  }
  return false;
}

test("a soft seam mixes the two pictures near the outline and nowhere else, and keeps the area", () => {
  fc.assert(
    fc.property(anyFramedRing, fc.integer({ min: 1, max: 2 }), ({ window, ring }, softness) => {
      const hard = RED.slice(),
        soft = RED.slice();
      pasteOver(hard, BLUE, { ring, window, softness: 0 });
      pasteOver(soft, BLUE, { ring, window, softness });
      let red = 0,
        far = 0,
        unmixed = 0;
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        red += soft[pixel * 3]!;
        if (Math.abs(soft[pixel * 3]! + soft[pixel * 3 + 2]! - 255) > 1) unmixed++;
        if (soft[pixel * 3] !== hard[pixel * 3] && !isNearSeam(hard, pixel, softness)) far++;
      }
      expect({ unmixed, far }).toEqual({ unmixed: 0, far: 0 });
      const area = rleArea(rasterizePolygon([inCrop(ring, window)], CROP_SIZE, CROP_SIZE));
      expect(Math.abs(red / 255 - area)).toBeLessThan(0.01 * area + 10);
    }),
    { numRuns: 15 },
  );
});

test("a background's window is about the instance's size and lies on its image wherever that is large enough", () => {
  const anySize = fc.record({ width: fc.integer({ min: 1, max: 3000 }), height: fc.integer({ min: 1, max: 3000 }) });
  fc.assert(
    fc.property(anySize, fc.integer({ min: 1, max: 2000 }), fc.string(), (size, side, seed) => {
      const { window } = sampleBackground(3, size, side, createRandom(seed));
      expect(window.side).toBeLessThanOrEqual(
        Math.max(1, Math.min(Math.round(side * 1.5), Math.max(size.width, size.height))),
      );
      for (const [start, length] of [
        [window.left, size.width],
        [window.top, size.height],
      ] as const) {
        if (length >= window.side) {
          expect(start).toBeGreaterThanOrEqual(0);
          expect(start + window.side).toBeLessThanOrEqual(length);
        } else {
          expect(start).toBeLessThanOrEqual(0);
          expect(start + window.side).toBeGreaterThanOrEqual(length);
        }
      }
    }),
  );
});
