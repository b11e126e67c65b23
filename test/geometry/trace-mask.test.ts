import fc from "fast-check";
import { expect, test } from "vitest";
import { rasterizePolygon } from "../../src/geometry/rasterize.js";
import { signedArea } from "../../src/geometry/ring.js";
import { rleArea, rleFromBitmap, rleToBitmap } from "../../src/geometry/rle.js";
import type { Ring, Rle } from "../../src/types.js";
import { traceMask } from "../../src/geometry/trace-mask.js";

/** A picture of a mask, one text per row. */
function maskOf(...rows: string[]): Rle {
  const height = rows.length;
  const width = rows[0]!.length;
  const bitmap = new Uint8Array(height * width);
  rows.forEach((row, y) => {
    for (let x = 0; x < width; x++) bitmap[x * height + y] = row[x] === "#" ? 1 : 0;
  });
  return rleFromBitmap(bitmap, height, width);
}

const corners = (ring: Ring): string => ring.map(({ x, y }) => `${x},${y}`).join(" ");

test.each([
  { why: "a pixel has four corners", rows: ["...", ".#.", "..."], rings: ["1,1 2,1 2,2 1,2"] },
  { why: "a mask at the border ends there", rows: ["##", "##"], rings: ["0,0 2,0 2,2 0,2"] },
  { why: "an L has six corners", rows: ["#.", "##"], rings: ["0,0 1,0 1,1 2,1 2,2 0,2"] },
  { why: "two parts are two rings", rows: ["#.#"], rings: ["0,0 1,0 1,1 0,1", "2,0 3,0 3,1 2,1"] },
  {
    why: "parts that touch at a corner are two rings",
    rows: ["#.", ".#"],
    rings: ["0,0 1,0 1,1 0,1", "1,1 2,1 2,2 1,2"],
  },
  { why: "nothing has no ring", rows: ["..", ".."], rings: [] },
])("$why", ({ rows, rings }) => {
  expect(traceMask(maskOf(...rows)).map(corners)).toEqual(rings);
});

test("a hole runs the other way round", () => {
  const areas = traceMask(maskOf("###", "#.#", "###")).map(signedArea);
  expect(areas).toEqual([9, -1]);
});

const anyMask = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
  .chain(([height, width]) =>
    fc
      .uint8Array({ min: 0, max: 1, minLength: height * width, maxLength: height * width })
      .map((bitmap) => rleFromBitmap(bitmap, height, width)),
  );

test("the rings enclose as much as the mask has pixels, and every corner is a turn", () => {
  fc.assert(
    fc.property(anyMask, (mask) => {
      const rings = traceMask(mask);
      expect(rings.reduce((sum, ring) => sum + signedArea(ring), 0)).toBe(rleArea(mask));
      for (const ring of rings) {
        ring.forEach(({ x, y }, i) => {
          const next = ring[(i + 1) % ring.length]!;
          const last = ring[(i + ring.length - 1) % ring.length]!;
          expect(Math.abs((next.x - x) * (x - last.x) + (next.y - y) * (y - last.y))).toBe(0);
        });
      }
    }),
  );
});

test("filled by the COCO rule, outlines less holes give the mask back", () => {
  fc.assert(
    fc.property(anyMask, (mask) => {
      const depth = new Int8Array(mask.height * mask.width);
      for (const ring of traceMask(mask)) {
        const inside = rleToBitmap(rasterizePolygon([ring], mask.height, mask.width));
        const sign = Math.sign(signedArea(ring));
        inside.forEach((value, at) => {
          depth[at]! += value * sign;
        });
      }
      expect([...depth]).toEqual([...rleToBitmap(mask)]);
    }),
  );
});
