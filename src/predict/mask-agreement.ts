/**
 * How well a predicted polygon fits what else is known of its object: the network's own mask map, and the box.
 *
 * The mask map gives the expected IoU: each cell counts with its probability of belonging to the object, and nothing
 * outside the box counts. It ranks polygons much as their true IoU does. The box: an outline reaches all four sides of
 * a box that was drawn around it, so one that covers less has missed a part. Figures: bench/README.md.
 *
 * A map is an array of logits, row-major: 28 x 28, or 112 x 112 where the network refines its mask.
 */
import type { CropFrame } from "../crop/crop.js";
import {
  CELL_COUNT,
  cellCenter,
  FINE_COUNT,
  FINE_PER_CELL,
  FINE_SIZE,
  GRID_SIZE,
  indexToCell,
} from "../geometry/grid.js";
import { rasterizePolygon } from "../geometry/rasterize.js";
import type { Ring } from "../types.js";

/** Fine pixels along a side of the crop: polygons are filled on these. */
const SIDE = FINE_SIZE;

/** Cells along a side of a map, 28 or 112. */
export function sideOfMap(map: Float32Array): number {
  if (map.length === CELL_COUNT) return GRID_SIZE;
  if (map.length === FINE_COUNT) return FINE_SIZE;
  throw new Error(`expected a mask map of ${CELL_COUNT} or ${FINE_COUNT} cells, received ${map.length}`);
}

/** Whether a map is a refined mask. */
export function isFineMap(map: Float32Array): boolean {
  return sideOfMap(map) === FINE_SIZE;
}

export interface Fit {
  /** Expected IoU with the mask map, 0..1; 0 for a polygon without area. */
  readonly expectedIoU: number;
  /** Area of the polygon's bounding box over that of the box it was predicted for, 0..1. */
  readonly boxCoverage: number;
  /** Their product, 0..1: what candidates are compared by. */
  readonly candidateScore: number;
}

/** The box in fine pixels of the crop. */
interface FineBox {
  readonly x0: number;
  readonly x1: number;
  readonly y0: number;
  readonly y1: number;
}

/**
 * @param cells a polygon through the centers of these cells, indices 0..783; moved into the box as in the ring that is
 *   written
 * @param map   logits, [784] or [12544]
 */
export function fitOf(cells: readonly number[], frame: CropFrame, map: Float32Array): Fit {
  const box = fineBox(frame);
  const points = cells.map((index) => {
    const { gridX, gridY } = cellCenter(indexToCell(index));
    return {
      x: clamp(gridX * FINE_PER_CELL, box.x0, box.x1),
      y: clamp(gridY * FINE_PER_CELL, box.y0, box.y1),
    };
  });
  const expectedIoU = expectedIoUOf(points, box, map);
  const boxCoverage = boxCoverageOf(points, box);
  return { expectedIoU, boxCoverage, candidateScore: expectedIoU * boxCoverage };
}

/** Expected IoU of a ring in image pixels with a map, [784] or [12544]. */
export function expectedIoUOfRing(ring: Ring, frame: CropFrame, map: Float32Array): number {
  const { left, top, side } = frame.window;
  const scale = SIDE / side;
  const points = ring.map(({ x, y }) => ({ x: (x - left) * scale, y: (y - top) * scale }));
  return expectedIoUOf(points, fineBox(frame), map);
}

/** Sum of the probabilities inside over (area inside + sum of all probabilities - sum inside), in fine pixels. */
function expectedIoUOf(points: readonly { x: number; y: number }[], box: FineBox, map: Float32Array): number {
  const sums = sumsDownColumns(map, box);
  const perCell = SIDE / sideOfMap(map);
  const shares = Float64Array.from({ length: SIDE }, (_, x) => shareOf(x, box.x0, box.x1));
  const { counts } = rasterizePolygon([points], SIDE, SIDE);
  let inside = 0;
  let area = 0;
  let at = 0; // column-major
  counts.forEach((count, run) => {
    const end = at + count;
    if (run % 2 === 1) {
      area += count;
      for (let from = at; from < end;) {
        const x = Math.floor(from / SIDE);
        const to = Math.min(end, (x + 1) * SIDE);
        const column = Math.floor(x / perCell) * (SIDE + 1);
        inside += shares[x]! * (sums[column + to - x * SIDE]! - sums[column + from - x * SIDE]!);
        from = to;
      }
    }
    at = end;
  });
  if (area === 0) return 0;
  const all = shares.reduce((sum, share, x) => sum + share * sums[Math.floor(x / perCell) * (SIDE + 1) + SIDE]!, 0);
  return inside / (area + all - inside);
}

function boxCoverageOf(points: readonly { x: number; y: number }[], { x0, x1, y0, y1 }: FineBox): number {
  const extent = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
  const whole = (x1 - x0) * (y1 - y0);
  return whole > 0 ? (extent(points.map(({ x }) => x)) * extent(points.map(({ y }) => y))) / whole : 0;
}

/** Sums of a map within a box: a map is asked for them at every candidate, and again when vertices are placed. */
const known = new WeakMap<Float32Array, { readonly box: FineBox; readonly sums: Float64Array }>();

/**
 * Probabilities summed from the top, so that a run of the filled polygon costs two look-ups however long it is.
 * @returns value col * (112 + 1) + y: the sum over the fine pixels above y, in a fine column of that column of the map.
 *   Each counts as far as it lies between the box's upper and lower border. Columns beside the box count nothing and
 *   stay zero: an exponential per cell is most of what judging costs
 */
function sumsDownColumns(map: Float32Array, box: FineBox): Float64Array {
  const { x0, x1, y0, y1 } = box;
  const before = known.get(map);
  if (before !== undefined && isSameBox(before.box, box)) return before.sums;
  const side = sideOfMap(map);
  const perCell = SIDE / side;
  const sums = new Float64Array(side * (SIDE + 1));
  const shares = Float64Array.from({ length: SIDE }, (_, y) => shareOf(y, y0, y1));
  const lastRow = Math.ceil(y1 / perCell);
  for (let col = Math.floor(x0 / perCell); col < Math.ceil(x1 / perCell); col++) {
    const column = col * (SIDE + 1);
    let sum = 0;
    for (let row = Math.floor(y0 / perCell); row < lastRow; row++) {
      const probability = sigmoid(map[row * side + col]!);
      for (let y = row * perCell; y < (row + 1) * perCell; y++) {
        sum += shares[y]! * probability;
        sums[column + y + 1] = sum;
      }
    }
    sums.fill(sum, column + lastRow * perCell + 1, column + SIDE + 1);
  }
  known.set(map, { box, sums });
  return sums;
}

function isSameBox(a: FineBox, b: FineBox): boolean {
  return a.x0 === b.x0 && a.x1 === b.x1 && a.y0 === b.y0 && a.y1 === b.y1;
}

function fineBox({ window, bounds }: CropFrame): FineBox {
  const scale = SIDE / window.side;
  const place = (position: number, origin: number): number => clamp((position - origin) * scale, 0, SIDE);
  return {
    x0: place(bounds.left, window.left),
    x1: place(bounds.left + bounds.width, window.left),
    y0: place(bounds.top, window.top),
    y1: place(bounds.top + bounds.height, window.top),
  };
}

/** Part of the fine pixel from `at` to `at + 1` that lies between two borders, 0..1. */
function shareOf(at: number, low: number, high: number): number {
  return Math.max(0, Math.min(at + 1, high) - Math.max(at, low));
}
function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
