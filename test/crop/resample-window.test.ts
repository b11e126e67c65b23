import fc from "fast-check";
import { expect, test } from "vitest";
import { resampleWindow } from "../../src/crop/resample-window.js";
import { decode, mapImage, psnr, rampImage, scene } from "./images.js";

const SIZE = 224;

/** The plain way: for each output pixel the mean of the source over its footprint, at 8 x 8 points; zero outside. */
function slowCrop(
  { pixels, width, height }: { pixels: Uint8Array; width: number; height: number },
  { left, top, side }: { left: number; top: number; side: number },
  size: number,
): Uint8Array {
  const out = new Uint8Array(size * size * 3);
  const points = side > size ? 8 : 1;
  const at = (x: number, y: number, channel: number): number =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : pixels[(y * width + x) * 3 + channel]!;
  const inWindow = (i: number, origin: number): number => Math.min(origin + side - 1, Math.max(origin, i));
  for (let row = 0, o = 0; row < size; row++) {
    for (let col = 0; col < size; col++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let j = 0; j < points; j++) {
          for (let i = 0; i < points; i++) {
            const x = left + ((col + (i + 0.5) / points) * side) / size - 0.5,
              y = top + ((row + (j + 0.5) / points) * side) / size - 0.5;
            const x0 = Math.floor(x),
              y0 = Math.floor(y),
              u = x - x0,
              v = y - y0;
            const value = (dx: number, dy: number): number =>
              at(inWindow(x0 + dx, left), inWindow(y0 + dy, top), channel);
            sum += (value(0, 0) * (1 - u) + value(1, 0) * u) * (1 - v) + (value(0, 1) * (1 - u) + value(1, 1) * u) * v;
          }
        }
        out[o++] = Math.round(sum / points ** 2);
      }
    }
  }
  return out;
}

test("a window of the crop's own size is copied pixel for pixel", async () => {
  const image = mapImage(400, 300);
  const crop = await resampleWindow(image, { left: 30, top: 40, side: SIZE }, SIZE);
  expect([...crop.subarray(0, 6)]).toEqual([30, 40, 200, 31, 40, 200]);
  const last = (SIZE * SIZE - 1) * 3;
  expect([...crop.subarray(last)]).toEqual([(30 + 223) % 251, (40 + 223) % 251, 200]);
});

test.each([
  { side: 3, least: 50, why: "19 times enlarged" },
  { side: 14, least: 50, why: "enlarged" },
  { side: 55, least: 50, why: "enlarged by one pixel" },
  { side: 57, least: 33, why: "reduced by one pixel" },
  { side: 75, least: 33, why: "reduced" },
  { side: 112, least: 33, why: "reduced by half" },
  { side: 300, least: 33, why: "much reduced" },
])("a photograph's window of $side pixels ($why) is what the plain way gives", async ({ side, least }) => {
  const image = await decode(scene("street"));
  const size = 56; // the plain way is slow
  for (const window of [
    { left: 150, top: 120, side },
    { left: -Math.floor(side / 3), top: 480 - Math.ceil(side / 2), side },
  ]) {
    const crop = await resampleWindow(image, window, size);
    expect(psnr(crop, slowCrop(image, window, size))).toBeGreaterThan(least);
  }
});

test("a window that does not touch the image is zero", async () => {
  for (const side of [10, 500, 3000]) {
    expect(
      (await resampleWindow(mapImage(20, 20), { left: -side, top: 5, side }, 32)).every((value) => value === 0),
    ).toBe(true);
  }
});

test.each([40, 100, 223, 224, 225, 300, 511, 700, 1000, 2048, 2049, 3000])(
  "a window of %i pixels is not shifted: a ramp keeps its values",
  async (side) => {
    const image = rampImage(side, side);
    const crop = await resampleWindow(image, { left: 0, top: 0, side }, SIZE);
    let horizontal = 0,
      vertical = 0,
      count = 0;
    for (let row = 8; row < SIZE - 8; row++) {
      for (let col = 8; col < SIZE - 8; col++, count++) {
        horizontal += crop[(row * SIZE + col) * 3]! - ((col + 0.5) / SIZE) * 250;
        vertical += crop[(row * SIZE + col) * 3 + 1]! - ((row + 0.5) / SIZE) * 250;
      }
    }
    // One crop pixel is 1.1 levels; a quarter of a crop pixel is a thirtieth of a grid cell.
    expect(Math.abs(horizontal / count)).toBeLessThan(0.28);
    expect(Math.abs(vertical / count)).toBeLessThan(0.28);
  },
);

test("outside the image the crop is zero, inside it is not, for windows anywhere", async () => {
  const image = mapImage(90, 60);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: -150, max: 120 }),
      fc.integer({ min: -150, max: 120 }),
      fc.integer({ min: 1, max: 400 }),
      async (left, top, side) => {
        fc.pre(left < 90 && top < 60 && left + side > 0 && top + side > 0);
        const size = 32;
        const crop = await resampleWindow(image, { left, top, side }, size);
        expect(crop).toHaveLength(size * size * 3);
        const reach = Math.max(1, side / size); // how far the filter reaches, image pixels
        for (let i = 0; i < size * size; i++) {
          const x = left + (((i % size) + 0.5) * side) / size,
            y = top + ((Math.floor(i / size) + 0.5) * side) / size;
          const outside = Math.max(-x, -y, x - 90, y - 60);
          if (outside > 1.5 * reach) expect(crop[i * 3 + 2]).toBe(0);
          if (outside < -1.5 * reach) expect(crop[i * 3 + 2]).toBeGreaterThanOrEqual(199);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a window too large to be copied gives the picture that copying gives", async () => {
  // Just below the limit the window is copied, just above it is not.
  const image = await decode(scene("facade"));
  for (const [left, top] of [
    [-900, -700],
    [-100, -1500],
    [-1400, -40],
  ] as const) {
    const copied = await resampleWindow(image, { left, top, side: 2048 }, SIZE);
    const placed = await resampleWindow(image, { left, top, side: 2049 }, SIZE);
    expect(psnr(placed, copied)).toBeGreaterThan(24);
  }
});

test("a window far larger than its image allocates neither the window nor more than the crop", async () => {
  const image = mapImage(3, 3);
  const side = 1_000_000; // copied, this would be 3 TB
  const crop = await resampleWindow(image, { left: -500_000, top: -500_000, side }, SIZE);
  expect(crop.filter((value) => value !== 0).length).toBeLessThanOrEqual(3);
});

test.each([
  { left: -2_999, top: 0, why: "one column at the left border" },
  { left: 2_999, top: 2_999, why: "one pixel at the lower right corner" },
])("a huge window that catches $why has no pixel out of place", async ({ left, top }) => {
  const crop = await resampleWindow(mapImage(3000, 3000), { left, top, side: 3000 }, SIZE);
  expect(crop).toHaveLength(SIZE * SIZE * 3);
  expect(crop.some((value) => value !== 0)).toBe(true);
});
