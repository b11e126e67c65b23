/** What the property tests of geometry draw from: small images, and rings that lie in, around and far from them. */
import fc from "fast-check";
import { rleFromBitmap } from "../../src/geometry/rle.js";
import type { Box, ImagePoint, Polygon, Ring, Rle } from "../../src/types.js";

export const anySide = fc.integer({ min: 1, max: 24 });

/** Fractions of 1/20 pixel hit every lattice point of the COCO rule and its halves; other floats come too. */
const anyCoordinate = fc.oneof(
  fc.integer({ min: -8, max: 32 }),
  fc.integer({ min: -160, max: 640 }).map((v) => v / 20),
  fc.double({ min: -200, max: 200, noNaN: true }),
);
export const anyPoint: fc.Arbitrary<ImagePoint> = fc.record({ x: anyCoordinate, y: anyCoordinate });
export const anyRing: fc.Arbitrary<Ring> = fc.array(anyPoint, { maxLength: 10 });
export const anyPolygon: fc.Arbitrary<Polygon> = fc.array(anyRing, { maxLength: 4 });

/** Whole coordinates: sums and products are exact, so that properties hold without a tolerance. */
export const anyWholeRing: fc.Arbitrary<Ring> = fc.array(
  fc.record({ x: fc.integer({ min: -50, max: 50 }), y: fc.integer({ min: -50, max: 50 }) }),
  { maxLength: 30 },
);

export const anyBitmap = fc.tuple(anySide, anySide).chain(([height, width]) =>
  fc.record({
    height: fc.constant(height),
    width: fc.constant(width),
    pixels: fc.uint8Array({ min: 0, max: 1, minLength: height * width, maxLength: height * width }),
  }),
);

const bitmapOf = (pixels: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ min: 0, max: 1, minLength: pixels, maxLength: pixels });
/** Two to five masks of one size. */
export const anyMasks: fc.Arbitrary<Rle[]> = fc.tuple(anySide, anySide).chain(([height, width]) =>
  fc.array(
    bitmapOf(height * width).map((pixels) => rleFromBitmap(pixels, height, width)),
    { minLength: 2, maxLength: 5 },
  ),
);

export const anyBox: fc.Arbitrary<Box> = fc.record({
  left: fc.double({ min: -500, max: 500, noNaN: true }),
  top: fc.double({ min: -500, max: 500, noNaN: true }),
  width: fc.double({ min: 0.01, max: 800, noNaN: true }),
  height: fc.double({ min: 0.01, max: 800, noNaN: true }),
});

export function toRing(numbers: readonly number[]): Ring {
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({ x: numbers[2 * i]!, y: numbers[2 * i + 1]! }));
}
