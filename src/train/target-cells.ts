/**
 * Outline to the sequence the decoder is taught: simplified to what the grid can show, then brought to cells.
 * Source: Castrejon et al., CVPR 2017 (28 x 28 grid, constant orientation, mirrored crops); without simplification outlines traced by
 * hand or from masks have a vertex in almost every cell they pass, which makes sequences twice as long and says nothing more.
 */
import { GRID_SIZE, type CropWindow } from "../geometry/grid.js";
import { ringToCells } from "../geometry/quantize.js";
import { signedArea } from "../geometry/ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import type { GridCell, Ring } from "../types.js";

export interface SequenceLimits {
  /** Douglas-Peucker tolerance in grid cells; 0 keeps every vertex. */
  readonly simplifyCells: number;
  /** Vertices of the longest ring that is taught. */
  readonly maxVertices: number;
}

/** 71 is the authors' limit of steps, end-of-sequence included. */
export const DEFAULT_SEQUENCE_LIMITS: SequenceLimits = { simplifyCells: 0.45, maxVertices: 70 };

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
