import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import {
  decodeRle,
  emptyRle,
  encodeRleString,
  intersectionArea,
  rleArea,
  rleBounds,
  rleFromBitmap,
  rleToBitmap,
  unionRle,
} from "../../src/geometry/rle.js";
import type { Rle } from "../../src/types.js";
import { anyBitmap, anyMasks } from "./arbitraries.js";
import { iouPairs } from "./iou-pairs.js";

describe("reading masks", () => {
  test("the compressed text of pycocotools survives the trip to counts and back, and its areas agree", () => {
    for (const pair of iouPairs) {
      for (const side of [pair.a, pair.b]) {
        const rle = decodeRle({ size: [pair.height, pair.width], counts: side.fill }, pair.why);
        expect(encodeRleString(rle)).toBe(side.fill);
        expect(rleArea(rle)).toBe(side.area);
      }
    }
  });

  test("any mask survives the trips through text, through a list and through a bitmap", () => {
    fc.assert(
      fc.property(anyBitmap, ({ height, width, pixels }) => {
        const rle = rleFromBitmap(pixels, height, width);
        const size = [height, width];
        expect(decodeRle({ size, counts: encodeRleString(rle) }, "text")).toEqual(rle);
        expect(decodeRle({ size, counts: Array.from(rle.counts) }, "list")).toEqual(rle);
        expect(rleToBitmap(rle)).toEqual(pixels);
      }),
    );
  });

  test("runs as long as the largest mask survive the trip through text", () => {
    const runs = fc.tuple(...Array.from({ length: 6 }, () => fc.integer({ min: 0, max: 2 ** 25 })));
    fc.assert(
      fc.property(runs, (counts) => {
        const rest = 2 ** 28 - counts.reduce((sum, count) => sum + count, 0);
        const rle: Rle = { height: 2 ** 14, width: 2 ** 14, counts: Uint32Array.from([...counts, rest]) };
        expect(decodeRle({ size: [2 ** 14, 2 ** 14], counts: encodeRleString(rle) }, "text")).toEqual(rle);
      }),
    );
  });

  test.each([
    { value: null, says: "expected a mask { size, counts }, received null", why: "null" },
    { value: [[1, 2]], says: "received a list of 1", why: "a list, as of polygons" },
    { value: "abc", says: 'received "abc"', why: "text" },
    { value: { counts: [4] }, says: "expected the mask's size as [height, width], received nothing", why: "no size" },
    { value: { size: [2, 2, 1], counts: [4] }, says: "received a list of 3", why: "three sizes" },
    {
      value: { size: [2, 2.5], counts: [5] },
      says: "positive integers for the mask's size, received 2.5",
      why: "a fractional size",
    },
    { value: { size: [0, 2], counts: [0] }, says: "received 0", why: "an empty size" },
    { value: { size: ["2", 2], counts: [4] }, says: 'received "2"', why: "a size as text" },
    {
      value: { size: [2 ** 15, 2 ** 15], counts: [2 ** 30] },
      says: "at most 268435456 pixels, received 1073741824",
      why: "a promised size no image has",
    },
    { value: { size: [1e200, 1e200], counts: [1] }, says: "received Infinity", why: "a size beyond numbers" },
    { value: { size: [2, 2] }, says: "counts as a list or as text, received nothing", why: "no counts" },
    { value: { size: [2, 2], counts: {} }, says: "received an object", why: "counts as an object" },
    { value: { size: [2, 2], counts: [] }, says: "sum to height * width = 4, received 0", why: "no runs" },
    { value: { size: [2, 2], counts: [1, 2] }, says: "sum to height * width = 4, received 3", why: "too short" },
    { value: { size: [2, 2], counts: [1, 2, 2] }, says: "received more", why: "too long" },
    { value: { size: [2, 2], counts: [5, -1] }, says: "received more", why: "too long before a negative run" },
    {
      value: { size: [2, 2], counts: [1, -1, 4] },
      says: "non-negative integer for run 2 of the mask, received -1",
      why: "a negative run",
    },
    { value: { size: [2, 2], counts: [1.5, 2.5] }, says: "run 1 of the mask, received 1.5", why: "a fractional run" },
    { value: { size: [2, 2], counts: ["4"] }, says: 'run 1 of the mask, received "4"', why: "a run as text" },
    { value: { size: [2, 2], counts: [NaN] }, says: "run 1 of the mask, received NaN", why: "NaN" },
    {
      value: { size: [2, 2], counts: "4!" },
      says: 'text in which character 2 is "!"',
      why: "a character below the alphabet",
    },
    { value: { size: [2, 2], counts: "4é" }, says: 'character 2 is "é"', why: "a character above the alphabet" },
    { value: { size: [2, 2], counts: "T" }, says: "it ends in the middle of a count", why: "text cut short" },
    {
      value: { size: [2, 2], counts: "ooooooooooo0" },
      says: "count that ends after character 8 is too large",
      why: "a count that never ends",
    },
    { value: { size: [2, 2], counts: "O" }, says: "run 1 of the mask, received -1", why: "a negative run in text" },
    { value: { size: [2, 2], counts: "" }, says: "received 0", why: "empty text" },
  ])("$why: refused with where, expected and received", ({ value, says }) => {
    const error = thrownBy(() => decodeRle(value, "a.json, annotation 3"));
    expect(error).toBeInstanceOf(PolyrnnError);
    expect(error).toMatchObject({ code: "E_DATA", exitCode: 65 });
    expect((error as PolyrnnError).message).toMatch(/^a\.json, annotation 3: expected /);
    expect((error as PolyrnnError).message).toContain(says);
  });

  test("a huge size with one run allocates next to nothing", () => {
    const before = process.memoryUsage().arrayBuffers;
    const rle = decodeRle({ size: [2 ** 14, 2 ** 14], counts: [2 ** 28] }, "x");
    expect(rleArea(rle)).toBe(0);
    expect(intersectionArea(rle, rle)).toBe(0);
    expect(unionRle([rle, rle])).toEqual(rle);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });
});

describe("measuring and joining masks", () => {
  test("area and bounds agree with the bitmap's", () => {
    fc.assert(
      fc.property(anyBitmap, ({ height, width, pixels }) => {
        const rle = rleFromBitmap(pixels, height, width);
        const set = Array.from(pixels.keys()).filter((i) => pixels[i] !== 0);
        expect(rleArea(rle)).toBe(set.length);
        const xs = set.map((i) => Math.floor(i / height));
        const ys = set.map((i) => i % height);
        const left = Math.min(...xs),
          top = Math.min(...ys);
        expect(rleBounds(rle)).toEqual(
          set.length === 0
            ? undefined
            : { left, top, width: Math.max(...xs) - left + 1, height: Math.max(...ys) - top + 1 },
        );
      }),
    );
  });

  test("union and intersection agree with the bitmaps'", () => {
    fc.assert(
      fc.property(anyMasks, (masks) => {
        const { height, width } = masks[0]!;
        const bitmaps = masks.map(rleToBitmap);
        const any = bitmaps[0]!.map((_, i) => (bitmaps.some((bitmap) => bitmap[i] === 1) ? 1 : 0));
        expect(unionRle(masks)).toEqual(rleFromBitmap(any, height, width));
        const both = bitmaps[0]!.filter((value, i) => value === 1 && bitmaps[1]![i] === 1).length;
        expect(intersectionArea(masks[0]!, masks[1]!)).toBe(both);
      }),
    );
  });

  test("runs of no length change nothing", () => {
    const plain: Rle = { height: 3, width: 3, counts: Uint32Array.of(2, 3, 4) };
    const split: Rle = { height: 3, width: 3, counts: Uint32Array.of(0, 0, 2, 1, 0, 2, 4, 0, 0, 0) };
    expect(rleArea(split)).toBe(3);
    expect(rleBounds(split)).toEqual(rleBounds(plain));
    expect(unionRle([split, split])).toEqual(plain);
    expect(intersectionArea(split, plain)).toBe(3);
    expect(rleToBitmap(split)).toEqual(rleToBitmap(plain));
  });

  test("one mask is its own union, and an empty mask has neither area nor bounds", () => {
    const empty = emptyRle(4, 5);
    expect(unionRle([empty])).toBe(empty);
    expect(rleArea(empty)).toBe(0);
    expect(rleBounds(empty)).toBeUndefined();
    expect(Array.from(empty.counts)).toEqual([20]);
  });

  test("masks of different sizes, or none, are a mistake of the program", () => {
    expect(() => unionRle([])).toThrow(RangeError);
    expect(() => unionRle([emptyRle(2, 3), emptyRle(3, 2)])).toThrow("2 x 3 and 3 x 2");
    expect(() => intersectionArea(emptyRle(2, 3), emptyRle(2, 4))).toThrow(RangeError);
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
