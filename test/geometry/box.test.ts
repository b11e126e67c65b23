import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkBox, clipBox, squareWindow } from "../../src/geometry/box.js";
import { anyBox } from "./arbitraries.js";

describe("checking a box from a file", () => {
  test("four finite numbers with a size of a pixel or more are a box", () => {
    expect(checkBox([1.5, -2, 3, 1], "x")).toEqual({
      kind: "box",
      box: { left: 1.5, top: -2, width: 3, height: 1 },
    });
  });

  test.each([
    { value: [0, 0, 0, 5], reason: "box-empty", says: "box width of at least 1 pixel, received 0", why: "no width" },
    { value: [0, 0, 5, 0], reason: "box-empty", says: "box height of at least 1 pixel, received 0", why: "no height" },
    {
      value: [0, 0, 0.99, 5],
      reason: "box-empty",
      says: "width of at least 1 pixel, received 0.99",
      why: "below a pixel",
    },
    {
      value: [0, 0, -3, 5],
      reason: "box-empty",
      says: "box width of at least 1 pixel, received -3",
      why: "negative width",
    },
    {
      value: [NaN, 0, 5, 5],
      reason: "box-invalid",
      says: "finite number for the box's left, received NaN",
      why: "NaN",
    },
    {
      value: [0, "7", 5, 5],
      reason: "box-invalid",
      says: 'finite number for the box\'s top, received "7"',
      why: "a number as text",
    },
    {
      value: [0, 0, Infinity, 5],
      reason: "box-invalid",
      says: "finite number for the box's width, received Infinity",
      why: "infinite width",
    },
    {
      value: [0, 0, 5, null],
      reason: "box-invalid",
      says: "finite number for the box's height, received null",
      why: "null, which JSON has for NaN",
    },
    {
      value: [1e308, 0, 1e308, 5],
      reason: "box-invalid",
      says: "finite number for the box's right edge",
      why: "finite parts with an infinite sum",
    },
    {
      value: [0, 1e308, 5, 1e308],
      reason: "box-invalid",
      says: "finite number for the box's bottom edge",
      why: "likewise downward",
    },
    {
      value: [0, 0, 5],
      reason: "box-invalid",
      says: "4 numbers [left, top, width, height], received 3",
      why: "one number short",
    },
    { value: { x: 1 }, reason: "box-invalid", says: "received an object", why: "an object" },
    { value: undefined, reason: "box-invalid", says: "received nothing", why: "no box" },
    {
      value: "1,2,3,4".repeat(1000),
      reason: "box-invalid",
      says: 'received "1,2,3,41,2,3,4',
      why: "long text, cut short in the message",
    },
  ])("$why: $reason", ({ value, reason, says }) => {
    const checked = checkBox(value, "boxes.json, annotation 7");
    if (checked.kind !== "failed") throw new Error("expected a failure");
    expect(checked.failure.reason).toBe(reason);
    expect(checked.failure.message).toMatch(/^boxes\.json, annotation 7: expected /);
    expect(checked.failure.message).toContain(says);
    expect(checked.failure.message.length).toBeLessThan(200);
  });
});

describe("clipping a box to its image", () => {
  test.each([
    { box: [0, 0, 20, 10], kind: "inside", cut: [0, 0, 20, 10], why: "the whole image" },
    { box: [-2, 3, 5, 4], kind: "clipped", cut: [0, 3, 3, 4], why: "over the left border" },
    { box: [15, -1, 10, 20], kind: "clipped", cut: [15, 0, 5, 10], why: "over three borders" },
    { box: [-9, -9, 99, 99], kind: "clipped", cut: [0, 0, 20, 10], why: "around the image" },
  ])("$why: $kind", ({ box, kind, cut }) => {
    const [left, top, width, height] = cut as [number, number, number, number];
    expect(clipBox(toBox(box), 20, 10)).toEqual({ kind, box: { left, top, width, height } });
  });

  test.each([
    { box: [20, 0, 5, 5], why: "touching the right border from outside" },
    { box: [0, -5, 5, 5], why: "touching the top from outside" },
    { box: [19.5, 0, 5, 5], why: "less than a pixel of it on the image" },
    { box: [500, 500, 5, 5], why: "far away" },
    { box: [1e300, 0, 1, 5], why: "so far that its width is lost in rounding" },
  ])("$why: outside", ({ box }) => {
    expect(clipBox(toBox(box), 20, 10)).toEqual({ kind: "outside" });
  });

  test("a border missed by rounding alone is not reported as clipped", () => {
    const box = { left: 0.1, top: 0, width: 1.1, height: 1 };
    expect(box.left + box.width).toBeGreaterThan(1.2);
    const result = clipBox(box, 1.2, 1);
    expect(result.kind).toBe("inside");
  });

  test("what comes back lies in the image and in the box", () => {
    fc.assert(
      fc.property(anyBox, fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 400 }), (box, width, height) => {
        const result = clipBox(box, width, height);
        if (result.kind === "outside") {
          const left = Math.min(width, box.left + box.width) - Math.max(0, box.left);
          const below = Math.min(height, box.top + box.height) - Math.max(0, box.top);
          expect(Math.min(left, below)).toBeLessThan(1);
          return;
        }
        const cut = result.box;
        expect(cut.width).toBeGreaterThan(0);
        expect(cut.height).toBeGreaterThan(0);
        expect(cut.left + 0).toBe(Math.max(0, box.left));
        expect(cut.top + 0).toBe(Math.max(0, box.top));
        expect(cut.left + cut.width).toBeCloseTo(Math.min(width, box.left + box.width), 9);
        expect(cut.top + cut.height).toBeCloseTo(Math.min(height, box.top + box.height), 9);
      }),
    );
  });
});

describe("the square window around a box", () => {
  const anyContext = fc.double({ min: 0, max: 1, noNaN: true });

  test("has whole numbers, its side, and the box's center within half a pixel", () => {
    fc.assert(
      fc.property(anyBox, anyContext, (box, context) => {
        const { left, top, side } = squareWindow(box, context);
        for (const value of [left, top, side]) expect(Number.isInteger(value) && !Object.is(value, -0)).toBe(true);
        expect(side).toBe(Math.max(1, Math.round(Math.max(box.width, box.height) * (1 + context))));
        expect(Math.abs(left + side / 2 - (box.left + box.width / 2))).toBeLessThanOrEqual(0.5 + 1e-9);
        expect(Math.abs(top + side / 2 - (box.top + box.height / 2))).toBeLessThanOrEqual(0.5 + 1e-9);
      }),
    );
  });

  test("contains its box, up to 0.75 pixel for a box with little context", () => {
    fc.assert(
      fc.property(anyBox, anyContext, (box, context) => {
        const { left, top, side } = squareWindow(box, context);
        const allowed = Math.max(box.width, box.height) * context >= 1.5 ? 1e-9 : 0.75 + 1e-9;
        expect(left - box.left).toBeLessThanOrEqual(allowed);
        expect(top - box.top).toBeLessThanOrEqual(allowed);
        expect(box.left + box.width - (left + side)).toBeLessThanOrEqual(allowed);
        expect(box.top + box.height - (top + side)).toBeLessThanOrEqual(allowed);
      }),
      { numRuns: 1000 },
    );
  });

  test("moves with its box by whole pixels", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: -99, max: 99 }),
        (left, size, shift) => {
          const at = squareWindow({ left, top: 3, width: size, height: 2 }, 0.15);
          const moved = squareWindow({ left: left + shift, top: 3, width: size, height: 2 }, 0.15);
          expect(moved).toEqual({ ...at, left: at.left + shift });
        },
      ),
    );
  });

  test("is one pixel for a box far smaller than a pixel", () => {
    expect(squareWindow({ left: 4.2, top: 7.9, width: 0.01, height: 0.02 }, 0.15)).toEqual({
      left: 4,
      top: 7,
      side: 1,
    });
  });
});

function toBox([left, top, width, height]: number[]) {
  return { left: left!, top: top!, width: width!, height: height! };
}
