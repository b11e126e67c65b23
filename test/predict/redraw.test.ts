import { describe, expect, test } from "vitest";
import type { GridCell, Ring } from "../../src/types.js";
import { cellToImagePoint, cellToIndex } from "../../src/geometry/grid.js";
import type { Redrawn, RedrawTask } from "../../src/predict/redraw.js";
import { redrawRing } from "../../src/predict/redraw.js";
import { recites } from "./reciting-engine.js";

const frame = { window: { left: 100, top: 50, side: 280 }, bounds: { left: 100, top: 50, width: 280, height: 280 } };
/** Around the crop, clockwise on the screen. */
const AROUND = [
  [4, 4],
  [12, 3],
  [20, 4],
  [22, 12],
  [20, 20],
  [12, 22],
  [4, 20],
  [2, 12],
] as const;
const around: readonly GridCell[] = AROUND.map(([col, row]) => ({ col, row }));
const ringOf = (cells: readonly GridCell[]): Ring => cells.map((cell) => cellToImagePoint(cell, frame.window));
const ring = ringOf(around);

/**
 * @param way what the network draws behind what it is shown
 * @param shown how many vertices it is shown
 */
async function redrawn(task: Partial<RedrawTask>, shown: number, way: readonly GridCell[]): Promise<Redrawn> {
  const cells = [...Array<number>(shown).fill(0), ...way.map(cellToIndex)];
  const encoded = await recites(cells).encode(new Uint8Array(1), 1);
  const rest = { ring, pins: [], moved: 0, give: "pin", candidate: 0, maxSteps: 20, ...task } as const;
  return redrawRing(encoded, frame, rest);
}

const corner: readonly GridCell[] = [
  { col: 14, row: 25 },
  { col: 3, row: 24 },
];

describe("the network goes on from a vertex", () => {
  test("what comes behind it is drawn anew, what comes before it stays where it was", async () => {
    const { ring: next, kept, moved } = await redrawn({ give: "tail", moved: 4 }, 5, corner);
    expect(next).toEqual([...ring.slice(0, 5), ...ringOf(corner)]);
    expect([kept, moved]).toEqual([[0, 1, 2, 3, 4], 4]);
  });

  test("up to the next pinned vertex only", async () => {
    const { ring: next, pins } = await redrawn({ moved: 4, pins: [7] }, 6, corner);
    expect(next).toEqual([...ring.slice(0, 5), ...ringOf(corner), ring[7]]);
    expect(pins).toEqual([4, 7]);
  });

  test("an outline that runs the other way keeps the same side of the vertex: what comes before it is redrawn", async () => {
    const back = ring.toReversed();
    // Vertex 3 of the ring is vertex 4 walked backwards; vertices 0 to 2 come behind it there.
    const { ring: next, kept, moved } = await redrawn({ ring: back, give: "tail", moved: 4 }, 5, corner);
    expect(kept).toEqual([0, 1, 2, 3, 4]);
    expect(moved).toBe(4);
    expect(next).toEqual([...back.slice(0, 5), ...ringOf(corner).toReversed()]);
    const pinned = await redrawn({ ring: back, moved: 4, pins: [7] }, 6, corner);
    expect(pinned.ring).toEqual([...back.slice(0, 5), ...ringOf(corner).toReversed(), back[7]]);
    expect(pinned.pins).toEqual([4, 7]);
  });

  test("one or two vertices that a person has placed are enough", async () => {
    for (const size of [1, 2]) {
      const begun = ring.slice(0, size);
      const pins = [...begun.keys()];
      const task = { ring: begun, pins, moved: size - 1, give: "tail" } as const;
      const drawn = await redrawn(task, size, around.slice(size));
      expect(drawn.ring).toEqual(ring);
      expect(drawn.pins).toEqual(pins);
    }
  });
});
