import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { areaRule } from "../../src/clicks/area-rule.js";
import type { GridCell } from "../../src/types.js";
import { anyCell, anyTruth, cells, follow } from "./arbitraries.js";

/** A square of 20 cells, clockwise from its top left corner. */
const SQUARE = cells([2, 2], [22, 2], [22, 22], [2, 22]);
const [A, B, C, D] = SQUARE as [GridCell, GridCell, GridCell, GridCell];
const END = undefined;

describe("area, limit 8 cells", () => {
  const rule = areaRule(SQUARE, 8, "chessboard");
  test.each<{ why: string; drawn: GridCell[]; proposed: GridCell | undefined; taken: GridCell | undefined }>([
    {
      why: "a vertex in the middle of a side is right: it changes no area",
      drawn: [A],
      proposed: { col: 12, row: 2 },
      taken: { col: 12, row: 2 },
    },
    {
      why: "one cell off in the middle of a side of 20 is a triangle of 10 cells, a click",
      drawn: [A],
      proposed: { col: 12, row: 3 },
      taken: B,
    },
    {
      why: "one cell past the corner is as much after so long a side",
      drawn: [A],
      proposed: { col: 22, row: 3 },
      taken: B,
    },
    {
      why: "but a single cell of area after a short one",
      drawn: [A, { col: 20, row: 2 }],
      proposed: { col: 22, row: 3 },
      taken: { col: 22, row: 3 },
    },
    {
      why: "cutting a corner off by 2 x 2 cells is 2 cells of area",
      drawn: [A, { col: 20, row: 2 }],
      proposed: { col: 22, row: 4 },
      taken: { col: 22, row: 4 },
    },
    {
      why: "cutting it off by 5 x 5 is 12.5, a click: the corner is drawn",
      drawn: [A, { col: 17, row: 2 }],
      proposed: { col: 22, row: 7 },
      taken: B,
    },
    { why: "passing over a corner is a large area", drawn: [A], proposed: C, taken: B },
    {
      why: "a spike out of the truth is seen before it comes back",
      drawn: [A],
      proposed: { col: 12, row: 0 },
      taken: B,
    },
    { why: "ending with a corner left cuts off half the square", drawn: [A, B, C], proposed: END, taken: D },
    { why: "ending after all of them is right", drawn: [A, B, C, D], proposed: END, taken: END },
    { why: "a second lap costs a click and ends", drawn: [A, B, C, D], proposed: { col: 12, row: 12 }, taken: END },
    {
      why: "a first vertex on the outline is right wherever it lies",
      drawn: [],
      proposed: { col: 12, row: 2 },
      taken: { col: 12, row: 2 },
    },
    {
      why: "a first vertex inside is replaced by the closest truth vertex",
      drawn: [],
      proposed: { col: 8, row: 7 },
      taken: A,
    },
  ])("$why", ({ drawn, proposed, taken }) => {
    expect(rule(drawn, proposed)).toEqual(taken);
  });

  test("an end draws the furthest truth vertex that keeps the limit", () => {
    const dented = cells([2, 2], [12, 3], [22, 2], [22, 22], [2, 22]); // the dent is 10 cells of area
    expect(areaRule(dented, 12, "chessboard")([A], END)).toEqual(B);
    expect(areaRule(dented, 8, "chessboard")([A], END)).toEqual({ col: 12, row: 3 });
  });
});

test("the truth itself costs nothing, whatever the limit", () => {
  fc.assert(
    fc.property(anyTruth, fc.integer({ min: 0, max: 20 }), (truth, limit) => {
      expect(follow(areaRule(truth, limit, "chessboard"), truth)).toEqual({ drawn: truth, clicks: 0, ended: true });
    }),
    { numRuns: 50 },
  );
});

test("corrections go forward along the truth, so that there are never more than its vertices and an end", () => {
  fc.assert(
    fc.property(
      anyTruth,
      fc.array(fc.oneof(anyCell, fc.constant(END)), { maxLength: 30 }),
      anyCell,
      fc.integer({ min: 0, max: 20 }),
      (truth, proposals, first, limit) => {
        expect(follow(areaRule(truth, limit, "chessboard"), [first, ...proposals], 40).clicks).toBeLessThanOrEqual(
          truth.length + 2,
        );
      },
    ),
    { numRuns: 60 },
  );
});
