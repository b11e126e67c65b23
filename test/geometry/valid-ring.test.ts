import fc from "fast-check";
import { expect, test } from "vitest";
import { isValidOutline, isValidRing } from "../../src/geometry/valid-ring.js";
import type { Ring } from "../../src/types.js";

const ringOf = (...flat: number[]): Ring =>
  Array.from({ length: flat.length / 2 }, (_, i) => ({ x: flat[2 * i]!, y: flat[2 * i + 1]! }));

test.each([
  { why: "a triangle", ring: ringOf(0, 0, 4, 0, 0, 4), valid: true },
  { why: "a square with a vertex in line", ring: ringOf(0, 0, 2, 0, 4, 0, 4, 4, 0, 4), valid: true },
  { why: "a notch", ring: ringOf(0, 0, 4, 0, 4, 4, 2, 1, 0, 4), valid: true },
  { why: "hundredths of a pixel", ring: ringOf(0, 0, 0.01, 0, 0, 0.01), valid: true },
  { why: "two vertices", ring: ringOf(0, 0, 4, 4), valid: false },
  { why: "a bow tie", ring: ringOf(0, 0, 4, 4, 4, 0, 0, 4), valid: false },
  { why: "a bow tie of unequal halves", ring: ringOf(0, 0, 4, 4, 4, 0, 0, 2), valid: false },
  { why: "a vertex twice", ring: ringOf(0, 0, 2, 2, 4, 0, 4, 4, 2, 2, 0, 4), valid: false },
  { why: "the first vertex again at the end", ring: ringOf(0, 0, 4, 0, 0, 4, 0, 0), valid: false },
  { why: "a vertex on another edge", ring: ringOf(0, 0, 4, 0, 4, 4, 2, 0, 0, 4), valid: false },
  { why: "a stretch walked there and back", ring: ringOf(0, 0, 4, 0, 4, 4, 6, 4, 4, 4.01, 0, 4), valid: true },
  { why: "a spike", ring: ringOf(0, 0, 4, 0, 8, 0, 4, 0.0, 0, 4), valid: false },
  { why: "a spike that ends elsewhere", ring: ringOf(0, 0, 8, 0, 4, 0, 0, 4), valid: false },
  { why: "all in line", ring: ringOf(0, 0, 4, 4, 2, 2), valid: false },
  { why: "vertices that become one in two decimals", ring: ringOf(0, 0, 0.001, 0, 0, 0.001), valid: false },
])("$why: $valid", ({ ring, valid }) => {
  expect(isValidRing(ring)).toBe(valid);
  expect(isValidRing([...ring].reverse())).toBe(valid);
  expect(isValidRing([...ring.slice(1), ring[0]!])).toBe(valid);
});

test("rings around a center are valid", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 10, max: 1000 }), { minLength: 5, maxLength: 40 }), (radii) => {
      const ring = radii.map((radius, i) => {
        const angle = (2 * Math.PI * i) / radii.length;
        return {
          x: Math.round(radius * 100 * Math.cos(angle)) / 100,
          y: Math.round(radius * 100 * Math.sin(angle)) / 100,
        };
      });
      expect(isValidRing(ring)).toBe(true);
    }),
  );
});

test("a thin ring between the middles of pixels is valid, and no outline of anything in an image", () => {
  const thin = [
    { x: 2.6, y: 1 },
    { x: 2.8, y: 1 },
    { x: 2.8, y: 9 },
    { x: 2.6, y: 9 },
  ];
  expect(isValidRing(thin)).toBe(true);
  expect(isValidOutline(thin, { width: 20, height: 20 })).toBe(false);
  expect(
    isValidOutline(
      thin.map(({ x, y }) => ({ x: 10 * x - 20, y })),
      { width: 20, height: 20 },
    ),
  ).toBe(true);
});
