import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { areaRule } from "../../src/clicks/area-rule.js";
import type { ClickRule } from "../../src/clicks/rules.js";
import { closestRule, ringRule } from "../../src/clicks/rules.js";
import { closestIndex, distanceToEdge } from "../../src/clicks/rules.js";
import type { GridCell } from "../../src/types.js";
import { anyCell, anyTruth, cells, follow } from "./arbitraries.js";

/** A square of 20 cells, clockwise from its top left corner. */
const SQUARE = cells([2, 2], [22, 2], [22, 22], [2, 22]);
const [A, B, C, D] = SQUARE as [GridCell, GridCell, GridCell, GridCell];
const END = undefined;
const near = ({ col, row }: GridCell, dcol: number, drow = 0): GridCell => ({ col: col + dcol, row: row + drow });
/** The truth from the vertex closest to a cell on. */
const turned = (truth: readonly GridCell[], first: GridCell, metric: "chessboard" | "manhattan"): GridCell[] => {
  const start = closestIndex(first, truth, metric);
  return [...truth.slice(start), ...truth.slice(0, start)];
};

describe("closest", () => {
  const rule = closestRule(SQUARE, 2, "chessboard");
  test.each<{ why: string; drawn: GridCell[]; proposed: GridCell | undefined; taken: GridCell | undefined }>([
    { why: "a first vertex at the threshold is accepted", drawn: [], proposed: near(A, 2, -2), taken: near(A, 2, -2) },
    {
      why: "a first vertex beyond it is replaced by the closest truth vertex",
      drawn: [],
      proposed: near(A, 3),
      taken: A,
    },
    { why: "a vertex at the threshold is accepted", drawn: [A], proposed: near(B, 2, 2), taken: near(B, 2, 2) },
    {
      why: "a vertex beyond it is replaced by the closest truth vertex",
      drawn: [A],
      proposed: near(B, 0, 3),
      taken: B,
    },
    {
      why: "a vertex in the middle of a side is far from every truth vertex",
      drawn: [A],
      proposed: near(A, 10),
      taken: B,
    },
    { why: "not by the one it stands at: that one is drawn already", drawn: [A], proposed: near(A, 4), taken: B },
    {
      why: "a vertex beside the one drawn last is accepted, it does no harm",
      drawn: [A],
      proposed: near(A, 1),
      taken: near(A, 1),
    },
    { why: "passing over a corner is corrected, because it cannot be drawn later", drawn: [A], proposed: C, taken: B },
    { why: "going back is corrected, even onto a truth vertex", drawn: [A, B, C], proposed: B, taken: D },
    { why: "ending with a corner left costs a click and draws it", drawn: [A, B, C], proposed: END, taken: D },
    { why: "ending with two corners left draws the one that comes first", drawn: [A, B], proposed: END, taken: C },
    { why: "ending after all of them is accepted", drawn: [A, B, C, near(D, 1, 1)], proposed: END, taken: END },
    {
      why: "a vertex beside the first one may close the ring",
      drawn: [A, B, C, D],
      proposed: near(A, 1),
      taken: near(A, 1),
    },
    { why: "going on after all of them costs a click and ends", drawn: [A, B, C, D], proposed: near(A, 3), taken: END },
    { why: "a second lap costs a click and ends", drawn: [A, B, C, D, A], proposed: B, taken: END },
  ])("$why", ({ drawn, proposed, taken }) => {
    expect(rule(drawn, proposed)).toEqual(taken);
  });

  test("by Manhattan distance a diagonal counts twice", () => {
    expect(closestRule(SQUARE, 2, "manhattan")([A], near(B, 1, 1))).toEqual(near(B, 1, 1));
    expect(closestRule(SQUARE, 2, "manhattan")([A], near(B, 2, 2))).toEqual(B);
  });

  test("corners that an edge passes within T may be left out, together", () => {
    const dented = cells([2, 2], [12, 4], [22, 2], [22, 22], [2, 22]); // a dent of two cells in the upper side
    expect(closestRule(dented, 2, "chessboard")([A], B)).toEqual(B);
    expect(closestRule(dented, 1, "chessboard")([A], B)).toEqual({ col: 12, row: 4 });
  });

  test("when it ends, every truth vertex lies within T of the outline", () => {
    let checked = 0;
    fc.assert(
      fc.property(
        anyTruth,
        fc.array(anyCell, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 6 }),
        fc.constantFrom("chessboard" as const, "manhattan" as const),
        (truth, proposals, threshold, metric) => {
          const { drawn, ended } = follow(closestRule(truth, threshold, metric), proposals);
          if (!ended) return; // hovering around one vertex is accepted; the decoder's step limit ends it
          checked++;
          for (const vertex of truth) {
            const distance = Math.min(
              ...drawn.map((cell, i) => distanceToEdge(vertex, cell, drawn[(i + 1) % drawn.length]!, metric)),
            );
            expect(distance).toBeLessThanOrEqual(threshold + 1e-9);
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(checked).toBeGreaterThan(250);
  });
});

describe("ring", () => {
  const rule = ringRule(SQUARE, 2, "manhattan");
  test.each<{ why: string; drawn: GridCell[]; proposed: GridCell | undefined; taken: GridCell | undefined }>([
    {
      why: "the truth begins at the vertex nearest the first prediction",
      drawn: [near(C, 1)],
      proposed: near(D, 2),
      taken: near(D, 2),
    },
    {
      why: "a first vertex beyond the threshold is replaced by that vertex",
      drawn: [],
      proposed: near(C, 2, 1),
      taken: C,
    },
    { why: "step t is compared with vertex t and with no other", drawn: [A], proposed: C, taken: B },
    { why: "a vertex more than the truth has there counts as wrong", drawn: [A, near(A, 1)], proposed: B, taken: C },
    { why: "the truth's end forces the end", drawn: [A, B, C, D], proposed: B, taken: END },
    {
      why: "but not on a vertex within T of the first",
      drawn: [A, B, C, D],
      proposed: near(A, 1, 1),
      taken: near(A, 1, 1),
    },
    { why: "ending early costs a click and draws the vertex that is due", drawn: [A, B], proposed: END, taken: C },
    {
      why: "ending early is accepted where the rest lies within T of the closing edge",
      drawn: [A, B, near(C, -20)],
      proposed: END,
      taken: END,
    },
  ])("$why", ({ drawn, proposed, taken }) => {
    expect(rule(drawn, proposed)).toEqual(taken);
  });

  test("clicks never grow with the threshold where the engine ignores corrections", () => {
    fc.assert(
      fc.property(
        anyTruth,
        fc.array(anyCell, { minLength: 40, maxLength: 40 }),
        fc.integer({ min: 0, max: 27 }),
        (truth, proposals, threshold) => {
          const clicksAt = (t: number): number => follow(ringRule(truth, t, "chessboard"), proposals, 40).clicks;
          expect(clicksAt(threshold + 1)).toBeLessThanOrEqual(clicksAt(threshold));
        },
      ),
    );
  });
});

const EXACT = { closest: closestRule, ring: ringRule } as const;
describe.each(Object.entries(EXACT))("%s with T = 0", (_, make) => {
  test("leaves nothing but the truth on the grid, whatever is proposed", () => {
    fc.assert(
      fc.property(
        anyTruth,
        fc.array(fc.oneof(anyCell, fc.constant(END)), { maxLength: 40 }),
        anyCell,
        fc.constantFrom("chessboard" as const, "manhattan" as const),
        (truth, proposals, first, metric) => {
          const { drawn, ended } = follow(make(truth, 0, metric), [first, ...proposals]);
          expect(ended).toBe(true);
          expect(drawn).toEqual(turned(truth, first, metric));
        },
      ),
    );
  });

  test("costs nothing where the truth itself is proposed", () => {
    fc.assert(
      fc.property(anyTruth, (truth) => {
        expect(follow(make(truth, 0, "chessboard"), truth)).toEqual({ drawn: truth, clicks: 0, ended: true });
      }),
    );
  });
});

const ALL: Readonly<Record<string, (truth: readonly GridCell[], threshold: number) => ClickRule>> = {
  closest: (truth, threshold) => closestRule(truth, threshold, "chessboard"),
  "closest by Manhattan distance": (truth, threshold) => closestRule(truth, threshold, "manhattan"),
  ring: (truth, threshold) => ringRule(truth, threshold, "manhattan"),
  area: (truth, threshold) => areaRule(truth, threshold, "chessboard"),
};
describe.each(Object.entries(ALL))("%s", (name, make) => {
  test("accepts everything with a threshold that nothing on the grid exceeds", () => {
    fc.assert(
      fc.property(anyTruth, fc.array(anyCell, { minLength: 1, maxLength: 12 }), (truth, proposals) => {
        expect(follow(make(truth, name === "area" ? 784 : 54), proposals)).toEqual({
          drawn: proposals,
          clicks: 0,
          ended: true,
        });
      }),
      { numRuns: 50 },
    );
  });

  test("answers from what it is told alone: asked in any order, by any number of annotators, it says the same", () => {
    fc.assert(
      fc.property(
        anyTruth,
        fc.array(anyCell, { minLength: 2, maxLength: 10 }),
        fc.integer({ min: 0, max: 5 }),
        (truth, proposals, threshold) => {
          const { drawn } = follow(make(truth, threshold), proposals);
          const shared = make(truth, threshold);
          for (let length = drawn.length; length >= 1; length--) {
            expect(shared(drawn.slice(0, length), proposals[0])).toEqual(
              make(truth, threshold)(drawn.slice(0, length), proposals[0]),
            );
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
