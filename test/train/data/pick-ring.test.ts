import { expect, test } from "vitest";
import { rasterizePolygon } from "../../../src/geometry/rasterize.js";
import { signedArea } from "../../../src/geometry/ring.js";
import { rleFromBitmap, unionRle } from "../../../src/geometry/rle.js";
import { pickRing } from "../../../src/train/data/truth.js";
import { DEFAULT_RING_FILTER } from "../../../src/train/options.js";
import { packRing, unpackRing } from "../../../src/train/data/truth.js";
import type { Instance, Ring, Truth } from "../../../src/types.js";

const square = (left: number, top: number, side: number): Ring => [
  { x: left, y: top },
  { x: left + side, y: top },
  { x: left + side, y: top + side },
  { x: left, y: top + side },
];
const instanceWith = (more: Partial<Instance>): Instance => ({
  ordinal: 0,
  annotationId: 1,
  imageId: 1,
  categoryId: 1,
  box: { left: 0, top: 0, width: 100, height: 100 },
  raw: {},
  ...more,
});
const polygon = (...rings: Ring[]): Truth => ({ kind: "polygon", polygon: rings });
const mask = (...rings: Ring[]): Truth => ({
  kind: "rle",
  rle: unionRle(rings.map((ring) => rasterizePolygon([ring], 120, 120))),
});

test.each([
  { given: {}, reason: "no-polygon", why: "an annotation without segmentation" },
  { given: { truth: polygon() }, reason: "no-polygon", why: "an empty polygon" },
  {
    given: {
      truth: polygon([
        { x: 0, y: 0 },
        { x: 90, y: 90 },
        { x: 40, y: 40 },
      ]),
    },
    reason: "no-polygon",
    why: "a ring without area",
  },
  { given: { truthProblem: "where: what" }, reason: "truth-invalid", why: "a segmentation the reader could not use" },
  {
    given: {
      truth: polygon([
        { x: 0, y: 0 },
        { x: 1e300, y: 0 },
        { x: 1e300, y: 1e300 },
      ]),
    },
    reason: "truth-invalid",
    why: "coordinates that are no pixels",
  },
  { given: { truth: polygon(square(0, 0, 31)) }, reason: "too-small", why: "961 px" },
  {
    given: { truth: polygon(square(0, 0, 50), square(60, 60, 25)) },
    reason: "several-parts",
    why: "a second part of a fifth of the area",
  },
  { given: { truth: mask(square(0, 0, 50), square(60, 60, 25)) }, reason: "several-parts", why: "the same as a mask" },
] satisfies readonly { given: Partial<Instance>; reason: string; why: string }[])(
  "$why is left out: $reason",
  ({ given, reason }) => {
    expect(pickRing(instanceWith(given), DEFAULT_RING_FILTER)).toBe(reason);
  },
);

test.each([
  { truth: polygon(square(0, 0, 32)), area: 1024, why: "an area of exactly the least" },
  { truth: polygon(square(0, 0, 10), square(20, 20, 60)), area: 3600, why: "a small part comes first" },
  { truth: mask(square(10, 10, 40)), area: 1600, why: "a mask" },
])("$why: the largest ring is taken", ({ truth, area }) => {
  expect(Math.abs(signedArea(pickRing(instanceWith({ truth }), DEFAULT_RING_FILTER) as Ring))).toBe(area);
});

test("a hole counts as a part: one outline cannot show it", () => {
  const bitmap = new Uint8Array(120 * 120);
  for (let x = 0; x < 60; x++)
    for (let y = 0; y < 60; y++) bitmap[x * 120 + y] = x >= 10 && x < 50 && y >= 10 && y < 50 ? 0 : 1;
  expect(
    pickRing(instanceWith({ truth: { kind: "rle", rle: rleFromBitmap(bitmap, 120, 120) } }), DEFAULT_RING_FILTER),
  ).toBe("several-parts");
});

test("a packed ring comes back within a hundredth of a pixel", () => {
  const ring = [
    { x: 8191.37, y: 0.01 },
    { x: 12000.99, y: 4000.5 },
    { x: -3.25, y: 77.77 },
  ];
  unpackRing(packRing(ring)).forEach(({ x, y }, i) => {
    expect(Math.abs(x - ring[i]!.x)).toBeLessThan(0.01);
    expect(Math.abs(y - ring[i]!.y)).toBeLessThan(0.01);
  });
});
