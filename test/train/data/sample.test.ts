import fc from "fast-check";
import { expect, test } from "vitest";
import { clipBox, squareWindow } from "../../../src/geometry/box.js";
import { GRID_SIZE } from "../../../src/geometry/grid.js";
import { ringBounds, signedArea } from "../../../src/geometry/ring.js";
import { createRandom } from "../../../src/random.js";
import { DEFAULT_AUGMENTATION } from "../../../src/train/data/augmentation.js";
import { planSample } from "../../../src/train/data/sample.js";
import { targetCells } from "../../../src/train/data/targets.js";
import { DEFAULT_SEQUENCE_LIMITS } from "../../../src/train/options.js";
import type { TruthSet } from "../../../src/train/data/truth.js";
import { packRing, unpackRing } from "../../../src/train/data/truth.js";
import { anyFramedRing } from "../arbitraries.js";

const CONTEXT = 0.15;
const WILD = {
  ...DEFAULT_AUGMENTATION,
  framed: 0.2,
  contextLow: 0,
  contextHigh: 2,
  jitter: 0.4,
  flipVertical: 0.5,
  paste: 0.5,
};

/**
 * Two images of 1000 x 800 pixels with the ring on the first; undefined where it cannot be taught in the plain window.
 */
function truthWith(ring: Parameters<typeof packRing>[0], maxVertices: number): TruthSet | undefined {
  const points = packRing(ring);
  const clipped = clipBox(ringBounds(ring)!, 1000, 800);
  if (clipped.kind === "outside") return undefined;
  const { box } = clipped;
  if (
    typeof targetCells(unpackRing(points), squareWindow(box, CONTEXT), { ...DEFAULT_SEQUENCE_LIMITS, maxVertices }) ===
    "string"
  )
    return undefined;
  const image = (path: string): TruthSet["images"][number] => ({
    fileName: path,
    opened: { path, width: 1000, height: 800, isRotated: false },
  });
  const instance = { annotationId: 1, categoryId: 1, source: 0, box, points };
  return {
    instances: [
      { ...instance, ordinal: 0, image: 0 },
      { ...instance, ordinal: 1, image: 1 },
    ],
    images: [image("a"), image("b")],
    sources: ["all"],
    dropped: new Map(),
  };
}

test("whatever is sampled, the ring stays clockwise, on the grid and within the limit, and the same stream samples the same", () => {
  fc.assert(
    fc.property(anyFramedRing, fc.integer({ min: 3, max: 30 }), fc.nat(), ({ ring }, maxVertices, seed) => {
      const truth = truthWith(ring, maxVertices);
      fc.pre(truth !== undefined);
      const rules = { limits: { ...DEFAULT_SEQUENCE_LIMITS, maxVertices }, augmentation: WILD, plainContext: CONTEXT };
      const sample = planSample(truth, 0, rules, createRandom(seed));
      expect(planSample(truth, 0, rules, createRandom(seed))).toEqual(sample);
      expect(sample.cells.length).toBeGreaterThanOrEqual(3);
      expect(sample.cells.length).toBeLessThanOrEqual(maxVertices);
      expect(signedArea(sample.cells.map(({ col, row }) => ({ x: col, y: row })))).toBeGreaterThan(0);
      expect(sample.cells.every(({ col, row }) => col >= 0 && row >= 0 && col < GRID_SIZE && row < GRID_SIZE)).toBe(
        true,
      );
      if (sample.background !== undefined) expect(sample.background.image).toBe(1);
    }),
  );
});

test.each([
  { framed: 1, plain: 200 },
  { framed: 0, plain: 0 },
])("with a share of $framed, $plain of 200 crops are framed as in prediction", ({ framed, plain }) => {
  const ring = [
    { x: 300, y: 200 },
    { x: 620, y: 260 },
    { x: 560, y: 500 },
    { x: 320, y: 480 },
  ];
  const truth = truthWith(ring, 30)!;
  const rules = { limits: DEFAULT_SEQUENCE_LIMITS, augmentation: { ...WILD, framed }, plainContext: CONTEXT };
  const window = squareWindow(truth.instances[0]!.box, CONTEXT);
  const windows = Array.from({ length: 200 }, (_, seed) => planSample(truth, 0, rules, createRandom(seed)).window);
  expect(
    windows.filter(({ left, top, side }) => left === window.left && top === window.top && side === window.side),
  ).toHaveLength(plain);
});
