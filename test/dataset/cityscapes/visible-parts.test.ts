/** What can be seen of overlapping outlines, against painting each mask on its own and subtracting what comes later. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { findVisibleParts } from "../../../src/dataset/cityscapes/visible-parts.js";
import { rasterizePolygonPil } from "../../../src/geometry/rasterize-pil.js";
import { rleBounds, rleToBitmap } from "../../../src/geometry/rle.js";

const WIDTH = 24,
  HEIGHT = 17;
const point = fc.record({ x: fc.integer({ min: -6, max: WIDTH + 6 }), y: fc.integer({ min: -6, max: HEIGHT + 6 }) });
const outline = fc.record({ ring: fc.array(point, { minLength: 3, maxLength: 6 }), isWanted: fc.boolean() });

test("a visible part is the outline's mask without the masks of all later ones", () => {
  fc.assert(
    fc.property(fc.array(outline, { maxLength: 6 }), (outlines) => {
      const parts = findVisibleParts(outlines, WIDTH, HEIGHT);
      const masks = outlines.map(({ ring }) => rleToBitmap(rasterizePolygonPil([ring], HEIGHT, WIDTH)));
      outlines.forEach(({ isWanted }, i) => {
        const expected = masks[i]!.map((inside, at) =>
          inside === 1 && !masks.slice(i + 1).some((later) => later[at] === 1) ? 1 : 0,
        );
        const part = parts[i];
        if (!isWanted || !expected.includes(1)) {
          expect(part).toBeUndefined();
          return;
        }
        expect(rleToBitmap(part!.mask)).toEqual(expected);
        expect(part!.box).toEqual(rleBounds(part!.mask));
      });
    }),
    { numRuns: 60 },
  );
});
