import { expect, test } from "vitest";
import { ImageCache } from "../../src/crop/image-cache.js";
import type { OpenedImage } from "../../src/crop/open-image.js";
import { openImage } from "../../src/crop/open-image.js";
import { hostile, scene } from "./images.js";

async function opened(path: string): Promise<OpenedImage> {
  const result = await openImage(path, {});
  if (result.kind === "failed") throw new Error(result.failure.message);
  return result.image;
}

// Compared with ===: the test library would print megabytes of pixels to itself.
const bytesOf = ({ width, height }: OpenedImage): number => width * height * 3;
const [one, two, three] = [await opened(scene("pond")), await opened(scene("lake")), await opened(scene("park"))];

test("an image is decoded once while it is held, also when it is asked for twice at once", async () => {
  const cache = new ImageCache(2 ** 30);
  const [first, second] = await Promise.all([cache.get(one), cache.get(one)]);
  expect(second === first).toBe(true);
  expect((await cache.get(one)) === first).toBe(true);
  expect(cache.bytes).toBe(bytesOf(one));
});

test("never holds more than its limit, and lets go of what was used longest ago", async () => {
  const limit = bytesOf(one) + bytesOf(two) + bytesOf(three) - 1;
  const cache = new ImageCache(limit);
  const first = await cache.get(one);
  const second = await cache.get(two);
  await cache.get(one);
  await cache.get(three);
  expect(cache.bytes).toBeLessThanOrEqual(limit);
  expect((await cache.get(one)) === first).toBe(true);
  expect((await cache.get(two)) === second).toBe(false);
  expect(cache.bytes).toBeLessThanOrEqual(limit);
});

test("never holds more images than it may", async () => {
  const cache = new ImageCache(2 ** 30, 2);
  const first = await cache.get(one);
  await cache.get(two);
  await cache.get(three);
  expect(cache.bytes).toBe(bytesOf(two) + bytesOf(three));
  expect((await cache.get(one)) === first).toBe(false);
});

test("an image above the limit is decoded and not held", async () => {
  const cache = new ImageCache(1000);
  expect((await cache.get(one)).kind).toBe("decoded");
  expect(cache.bytes).toBe(0);
});

test("a damaged image is a failure each time", async () => {
  const cache = new ImageCache(2 ** 30);
  const damaged = { ...one, path: hostile("truncated.jpg") };
  for (const time of [1, 2]) expect((await cache.get(damaged)).kind, String(time)).toBe("failed");
});

test("emptied, it holds nothing", async () => {
  const cache = new ImageCache(2 ** 30);
  await cache.get(one);
  cache.clear();
  expect(cache.bytes).toBe(0);
});
