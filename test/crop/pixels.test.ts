import { expect, test } from "vitest";
import { flipPixels, erasePixels, grayPixels, tonePixels, flipPixelsVertically } from "../../src/crop/pixels.js";
import { CROP_SIZE } from "../../src/geometry/grid.js";
import { createRandom } from "../../src/random.js";

const random = createRandom("alter-pixels");
const NOISE = Uint8Array.from({ length: CROP_SIZE * CROP_SIZE * 3 }, () => random.integer(256));
const pixel = (crop: Uint8Array, x: number, y: number): number[] => [
  ...crop.subarray((y * CROP_SIZE + x) * 3, (y * CROP_SIZE + x) * 3 + 3),
];
/** Corners, the middle on both sides, and a few others. */
const PLACES = [
  [0, 0],
  [223, 0],
  [0, 223],
  [223, 223],
  [111, 112],
  [112, 111],
  [5, 77],
  [200, 13],
] as const;

test.each([
  { alter: flipPixels, to: (x: number, y: number) => [223 - x, y] as const, name: "left and right" },
  { alter: flipPixelsVertically, to: (x: number, y: number) => [x, 223 - y] as const, name: "top and bottom" },
])("exchanging $name moves every pixel to its mirror place, and twice is nothing", ({ alter, to }) => {
  const crop = NOISE.slice();
  alter(crop);
  for (const [x, y] of PLACES) expect(pixel(crop, ...to(x, y))).toEqual(pixel(NOISE, x, y));
  alter(crop);
  expect(Buffer.compare(crop, NOISE)).toBe(0);
});

test("tone: contrast around 128, then brightness, then a factor per channel, clamped", () => {
  const crop = Uint8Array.of(128, 128, 128, 0, 100, 255);
  tonePixels(crop, { contrast: 1.5, brightness: 10, gains: [1, 0.5, 2] });
  expect([...crop]).toEqual([138, 69, 255, 0, 48, 255]);
});

test("a tone of nothing changes nothing", () => {
  const crop = NOISE.slice();
  tonePixels(crop, { contrast: 1, brightness: 0, gains: [1, 1, 1] });
  expect(Buffer.compare(crop, NOISE)).toBe(0);
});

test("gray is the mean of the channels in each", () => {
  const crop = Uint8Array.of(0, 10, 21, 255, 255, 255);
  grayPixels(crop);
  expect([...crop]).toEqual([10, 10, 10, 255, 255, 255]);
});

test("a painted square at the corner stays on the crop", () => {
  const crop = NOISE.slice();
  erasePixels(crop, { left: 220, top: 222, side: 50, value: 7 });
  let changed = 0;
  for (let at = 0; at < crop.length; at += 3) if (crop[at] === 7 && crop[at + 1] === 7 && crop[at + 2] === 7) changed++;
  expect(changed).toBe(4 * 2);
  expect(pixel(crop, 0, 223)).toEqual(pixel(NOISE, 0, 223));
  expect(pixel(crop, 219, 222)).toEqual(pixel(NOISE, 219, 222));
});
