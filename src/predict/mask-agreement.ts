/**
 * How well a predicted polygon fits what else is known of its object: the network's own mask map, and the box.
 *
 * The mask map gives the expected IoU: each cell counts with its probability of belonging to the object, and nothing
 * outside the box counts. It ranks polygons much as their true IoU does. The box: an outline reaches all four sides of
 * a box that was drawn around it, so one that covers less has missed a part. Figures: bench/README.md.
 */
import type { CropFrame } from "../crop/crop.js";
import { CELL_COUNT, cellCenter, GRID_SIZE, indexToCell } from "../geometry/grid.js";
import { rasterizePolygon } from "../geometry/rasterize.js";

/** Pixels per cell and axis on which the polygon is filled. */
const FINE = 4;
/** Fine pixels along a side of the crop. */
const SIDE = GRID_SIZE * FINE;

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
 * @param cells      a polygon through the centers of these cells, indices 0..783; moved into the box as in the ring
 *   that is written
 * @param maskLogits the crop's mask map, [784]
 */
export function fitOf(cells: readonly number[], frame: CropFrame, maskLogits: Float32Array): Fit {
  const box = fineBox(frame);
  const points = cells.map((index) => {
    const { gridX, gridY } = cellCenter(indexToCell(index));
    return { x: clamp(gridX * FINE, box.x0, box.x1), y: clamp(gridY * FINE, box.y0, box.y1) };
  });
  const expectedIoU = expectedIoUOf(points, box, maskLogits);
  const boxCoverage = boxCoverageOf(points, box);
  return { expectedIoU, boxCoverage, candidateScore: expectedIoU * boxCoverage };
}

/** Sum of the probabilities inside over (area inside + sum of all probabilities - sum inside), in fine pixels. */
function expectedIoUOf(points: readonly { x: number; y: number }[], box: FineBox, logits: Float32Array): number {
  const sums = sumsDownColumns(logits, box);
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
        const column = Math.floor(x / FINE) * (SIDE + 1);
        inside += shares[x]! * (sums[column + to - x * SIDE]! - sums[column + from - x * SIDE]!);
        from = to;
      }
    }
    at = end;
  });
  if (area === 0) return 0;
  const all = shares.reduce((sum, share, x) => sum + share * sums[Math.floor(x / FINE) * (SIDE + 1) + SIDE]!, 0);
  return inside / (area + all - inside);
}

function boxCoverageOf(points: readonly { x: number; y: number }[], { x0, x1, y0, y1 }: FineBox): number {
  const extent = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
  const whole = (x1 - x0) * (y1 - y0);
  return whole > 0 ? (extent(points.map(({ x }) => x)) * extent(points.map(({ y }) => y))) / whole : 0;
}

/**
 * Probabilities summed from the top, so that a run of the filled polygon costs two look-ups however long it is.
 * @returns value col * (112 + 1) + y: the sum over the fine pixels above y, in a fine column of that grid column. Each
 *   counts as far as it lies between the box's upper and lower border
 */
function sumsDownColumns(logits: Float32Array, { y0, y1 }: FineBox): Float64Array {
  const sums = new Float64Array(GRID_SIZE * (SIDE + 1));
  for (let cell = 0; cell < CELL_COUNT; cell++) {
    const probability = sigmoid(logits[cell]!);
    const top = Math.floor(cell / GRID_SIZE) * FINE;
    const column = (cell % GRID_SIZE) * (SIDE + 1);
    for (let y = top; y < top + FINE; y++) sums[column + y + 1] = sums[column + y]! + shareOf(y, y0, y1) * probability;
  }
  return sums;
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
