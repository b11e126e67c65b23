import fc from "fast-check";
import { expect, test } from "vitest";
import { crossesItself } from "../../src/geometry/ring.js";
import type { Ring } from "../../src/types.js";

const ring = (...points: [number, number][]): Ring => points.map(([x, y]) => ({ x, y }));

test.each([
  { why: "a square", points: ring([0, 0], [9, 0], [9, 9], [0, 9]), crosses: false },
  { why: "a bow tie", points: ring([0, 0], [9, 9], [9, 0], [0, 9]), crosses: true },
  { why: "a star of five points", points: ring([50, 0], [79, 90], [2, 35], [98, 35], [21, 90]), crosses: true },
  {
    why: "two squares that touch at a corner",
    points: ring([0, 0], [4, 0], [4, 4], [8, 4], [8, 8], [4, 8], [4, 4], [0, 4]),
    crosses: false,
  },
  { why: "a spike walked there and back", points: ring([0, 0], [9, 0], [20, 0], [9, 0], [9, 9]), crosses: false },
  { why: "a triangle", points: ring([0, 0], [9, 0], [5, 5]), crosses: false },
])("$why crosses itself: $crosses", ({ points, crosses }) => {
  expect(crossesItself(points)).toBe(crosses);
});

test("points around a center, in order of their angle, never cross; with two of them swapped across, they do", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 6, max: 60 }),
      fc.array(fc.integer({ min: 10, max: 90 }), { minLength: 60, maxLength: 60 }),
      (count, radii) => {
        const star = Array.from({ length: count }, (_, i) => {
          const angle = (2 * Math.PI * i) / count;
          return { x: Math.cos(angle) * radii[i]!, y: Math.sin(angle) * radii[i]! };
        });
        expect(crossesItself(star)).toBe(false);
        const round = star.map((_, i) => ({
          x: Math.cos((2 * Math.PI * i) / count),
          y: Math.sin((2 * Math.PI * i) / count),
        }));
        [round[1], round[2]] = [round[2]!, round[1]!];
        expect(crossesItself(round)).toBe(true);
      },
    ),
  );
});

test("an outline of a hundred thousand points is not examined, so that it costs nothing", () => {
  const start = performance.now();
  expect(crossesItself(Array.from({ length: 100_000 }, (_, i) => ({ x: i % 2 === 0 ? 0 : 1000, y: i })))).toBe(false);
  expect(performance.now() - start).toBeLessThan(10_000);
});
