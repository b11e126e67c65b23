import fc from "fast-check";
import { expect, test } from "vitest";
import { rleFromBitmap, rleToBitmap } from "../../src/geometry/rle.js";
import { rleFromWindow, windowFromRle } from "../../src/geometry/rle-window.js";
import { anyBitmap } from "./arbitraries.js";

const anyWindowOf = (height: number, width: number) =>
  fc.tuple(fc.integer({ min: 0, max: width - 1 }), fc.integer({ min: 0, max: height - 1 })).chain(([left, top]) =>
    fc.record({
      left: fc.constant(left),
      top: fc.constant(top),
      columns: fc.integer({ min: 0, max: width - left }),
      rows: fc.integer({ min: 0, max: height - top }),
    }),
  );

const anyMaskAndWindow = anyBitmap.chain((mask) =>
  anyWindowOf(mask.height, mask.width).map((window) => ({ ...mask, window })),
);

test("a window of a mask holds the mask's pixels there, and comes back as a mask that is empty elsewhere", () => {
  fc.assert(
    fc.property(anyMaskAndWindow, ({ height, width, pixels, window }) => {
      const { left, top, columns, rows } = window;
      const bitmap = windowFromRle(rleFromBitmap(pixels, height, width), window);
      expect(bitmap.length).toBe(columns * rows);
      bitmap.forEach((value, i) => {
        expect(value).toBe(pixels[(left + Math.floor(i / rows)) * height + top + (i % rows)]);
      });

      const back = rleFromWindow(bitmap, window, height, width);
      const expected = pixels.map((value, i) => {
        const x = Math.floor(i / height),
          y = i % height;
        return x >= left && x < left + columns && y >= top && y < top + rows ? value : 0;
      });
      expect(back).toEqual(rleFromBitmap(expected, height, width));
    }),
  );
});

test("runs of no length are no pixels of a window", () => {
  const rle = { height: 2, width: 2, counts: Uint32Array.of(0, 0, 1, 0, 1, 1, 1) };
  expect(windowFromRle(rle, { left: 0, top: 0, columns: 2, rows: 2 })).toEqual(rleToBitmap(rle));
});
