/**
 * What the decoder is taught for one outline: a sequence of grid cells, and two maps beside it. Source: Castrejon et
 * al., CVPR 2017 (28 x 28 grid, constant orientation, flipped crops).
 *
 * The outline is first simplified to what the grid can show. Without that, one traced by hand or from a mask has a
 * vertex in almost every cell it passes: sequences would be twice as long and say no more.
 *
 * The maps say which cells the outline passes, and how much of each cell it covers. They are made from the cells of the
 * sequence, not from the finer truth, so that every output of the network is taught the same ring. The mask is the
 * share of a cell inside the ring through the cell centers. Prediction places vertices on the border of the mask map
 * (predict/place-vertices.ts); a mask of all cells touched would lead them half a cell too far.
 */
import type { CropWindow } from "../../geometry/grid.js";
import { CELL_COUNT, cellToIndex, FINE_SIZE, GRID_SIZE } from "../../geometry/grid.js";
import { ringToCells } from "../../geometry/quantize.js";
import { signedArea } from "../../geometry/ring.js";
import { simplifyRing } from "../../geometry/simplify.js";
import type { GridCell, Ring } from "../../types.js";
import type { SequenceLimits } from "../options.js";

export type SequenceReason = "fewer-than-three-cells" | "flat-on-grid" | "longer-than-limit";

/** @returns cells of the ring in the window, clockwise on screen, or why they cannot be taught */
export function targetCells(ring: Ring, window: CropWindow, limits: SequenceLimits): GridCell[] | SequenceReason {
  const tolerancePx = (limits.simplifyCells * window.side) / GRID_SIZE;
  const cells = ringToCells(simplifyRing(ring, tolerancePx), window);
  if (cells.length < 3) return "fewer-than-three-cells";
  if (signedArea(cells.map(({ col, row }) => ({ x: col, y: row }))) === 0) return "flat-on-grid";
  return cells.length > limits.maxVertices ? "longer-than-limit" : cells;
}

/** The same ring from another first vertex. @param start 0..length - 1 */
export function startAt(cells: readonly GridCell[], start: number): GridCell[] {
  return [...cells.slice(start), ...cells.slice(0, start)];
}

export interface TargetMaps {
  /** [28, 28] 0 or 1, row by row. */
  readonly edge: Uint8Array;
  /** [28, 28] 0..1, row by row. */
  readonly mask: Float32Array;
}

/** Lines per row of cells along which the mask is measured. Vertices lie between two lines, which keeps areas exact. */
const LINES = 8;

/** @param cells a closed ring of at least one cell */
export function targetMaps(cells: readonly GridCell[]): TargetMaps {
  const edge = new Uint8Array(CELL_COUNT);
  cells.forEach((cell, i) => {
    drawLine(edge, cells.at(i - 1)!, cell);
  });
  return { edge, mask: coverage(cells) };
}

/** Bresenham 1965: the cells nearest to the line between two centers, one per step along its longer direction. */
function drawLine(map: Uint8Array, from: GridCell, to: GridCell): void {
  // Always from the same end: a side of the flipped or reversed ring must pass the same cells.
  const isForward = from.row < to.row || (from.row === to.row && from.col <= to.col);
  const [start, end] = isForward ? [from, to] : [to, from];
  const columns = end.col - start.col;
  const rows = end.row - start.row;
  const steps = Math.max(Math.abs(columns), rows);
  for (let i = 0; i <= steps; i++) {
    const along = steps === 0 ? 0 : i / steps;
    map[cellToIndex({ col: start.col + roundHalfIn(columns * along), row: start.row + Math.round(rows * along) })] = 1;
  }
}

/** Halves go toward zero on both sides, so that a flipped line passes the flipped cells. */
function roundHalfIn(value: number): number {
  return Math.sign(value) * Math.ceil(Math.abs(value) - 0.5) + 0;
}

/** Share of each cell inside the ring of centers. */
function coverage(cells: readonly GridCell[]): Float32Array {
  const centers = cells.map(({ col, row }) => ({ x: col + 0.5, y: row + 0.5 }));
  return sharesInside(centers, GRID_SIZE, LINES);
}

/** The same in a fine cell, a quarter as high: finer differences than a crop's pixels show are not needed. */
const FINE_LINES = 4;

/**
 * What the refined mask is taught: the share of each fine cell inside the outline itself, which is as fine as the truth.
 * Prediction judges and places by this map; with the ring of cells it would learn the stairs of the grid.
 * @param outline in the crop as it will be, 0..1 both ways; may reach outside it
 * @returns [112, 112] 0..1, row by row
 */
export function targetFineMask(outline: Ring): Float32Array {
  const onMap = outline.map(({ x, y }) => ({ x: x * FINE_SIZE, y: y * FINE_SIZE }));
  return sharesInside(onMap, FINE_SIZE, FINE_LINES);
}

/**
 * Share of each cell of a map inside a ring; even-odd rule.
 * @param ring  in cells of the map
 * @param size  cells along a side
 * @param lines per row of cells, along which the ring is measured
 */
function sharesInside(ring: Ring, size: number, lines: number): Float32Array {
  const mask = new Float64Array(size * size);
  const within = (x: number): number => Math.min(size, Math.max(0, x));
  for (let line = 0; line < size * lines; line++) {
    const row = Math.floor(line / lines);
    const crossings = crossingsOf(ring, (line + 0.5) / lines).sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const [left, right] = [within(crossings[i]!), within(crossings[i + 1]!)];
      for (let col = Math.floor(left); col < right; col++) {
        mask[row * size + col]! += (Math.min(col + 1, right) - Math.max(col, left)) / lines;
      }
    }
  }
  return Float32Array.from(mask);
}

/** Where the ring crosses a horizontal line. */
function crossingsOf(ring: Ring, y: number): number[] {
  const crossings: number[] = [];
  ring.forEach((b, i) => {
    const a = ring.at(i - 1)!;
    if (a.y <= y === b.y <= y) return;
    crossings.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
  });
  return crossings;
}
