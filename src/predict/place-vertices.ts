/**
 * Where in its cell a vertex lies. The decoder names a cell, a twenty-eighth of the crop, and the paper draws through
 * the centers. The mask map says more: its border runs somewhere through the cell. From the centers, vertices climb the
 * expected IoU with that map (predict/mask-agreement.ts), and none leaves its cell.
 *
 * An edge that moves outward a little takes in, per unit of its length, the map's probability p along it as
 * intersection and 1 as area. That pays while p exceeds a level. Each vertex moves by what its two edges ask for, with
 * more weight near the vertex, relative to the length it moves.
 *
 * The level: an outline has the largest expected IoU where it takes in all that is likelier than IoU / (1 + IoU), .43
 * at an IoU of .75. On the refined mask each polygon has the level of its own expected IoU; its map is sharper, so that
 * vertices move more slowly (bench/README.md).
 */
import type { GridPoint } from "../geometry/grid.js";
import { cellCenter, FINE_PER_CELL, GRID_SIZE, indexToCell } from "../geometry/grid.js";
import { crossingEdges, signedArea } from "../geometry/ring.js";
import type { Ring } from "../types.js";
import { sideOfMap } from "./mask-agreement.js";

/** Furthest a vertex moves from the center of its cell along each axis, in cells. */
const REACH = 0.5;
const TURNS = 10;
/** Points along an edge at which the map is read. */
const SAMPLES = 6;

interface Placing {
  /** Probability of the map at which an outline rests. */
  readonly level: number;
  /** Cells that a vertex moves per turn where the map is sure. */
  readonly rate: number;
  /** How far outward of an edge the map is read, in cells. */
  readonly margin: number;
}

const ON_COARSE_MAP: Placing = { level: 0.43, rate: 3, margin: 0 };
/** By how much the refined mask is wider than its object, in cells of the grid (bench/README.md). */
const FINE_MARGIN = 0.25 / FINE_PER_CELL;

/**
 * On a map of 28 x 28 cells.
 * @param cells      a polygon, indices 0..783
 * @param maskLogits the crop's mask map, [784]; absent: the network has none, and vertices stay at the centers
 * @returns          a point for each cell, in order, within half a cell of its center along each axis
 */
export function placeVertices(cells: readonly number[], maskLogits: Float32Array | undefined): GridPoint[] {
  const centers = cells.map((index) => cellCenter(indexToCell(index)));
  if (maskLogits === undefined || cells.length < 3) return centers;
  return untangle(climb(centers, maskLogits, ON_COARSE_MAP), centers);
}

/**
 * On the refined mask.
 * @param fineLogits     [12544]
 * @param candidateScore of the polygon through the centers (predict/mask-agreement.ts)
 */
export function placeOnFineMap(
  cells: readonly number[],
  fineLogits: Float32Array,
  candidateScore: number,
): readonly GridPoint[] {
  const centers = cells.map((index) => cellCenter(indexToCell(index)));
  if (cells.length < 3) return centers;
  const level = candidateScore / (1 + candidateScore);
  return untangle(climb(centers, fineLogits, { level, rate: 1, margin: FINE_MARGIN }), centers);
}

function climb(centers: readonly GridPoint[], logits: Float32Array, { level, rate, margin }: Placing): GridPoint[] {
  const map: ProbabilityMap = { logits, side: sideOfMap(logits) };
  const outward = signedArea(asRing(centers)) >= 0 ? 1 : -1;
  let points = [...centers];
  for (let turn = 0; turn < TURNS; turn++) {
    const moves = movesOf(points, map, level, outward * margin);
    points = points.map(({ gridX, gridY }, at) => ({
      gridX: within(gridX + outward * rate * moves[at]!.gridX, centers[at]!.gridX),
      gridY: within(gridY + outward * rate * moves[at]!.gridY, centers[at]!.gridY),
    }));
  }
  return points;
}

/**
 * Puts the ends of edges that cross back at their centers, one pair of edges after the other. A ring that crosses
 * itself through the centers stays one.
 */
function untangle(placed: readonly GridPoint[], centers: readonly GridPoint[]): GridPoint[] {
  const points = [...placed];
  for (let left = points.length; left > 0; left--) {
    const edges = crossingEdges(asRing(points));
    const ends =
      edges?.flatMap((edge) => [edge, (edge + 1) % points.length]).filter((at) => points[at] !== centers[at]) ?? [];
    if (ends.length === 0) break;
    for (const at of ends) points[at] = centers[at]!;
  }
  return points;
}

/**
 * For each vertex, how far outward its edges ask it to move, as a part of the rate. The outside of a clockwise ring is to
 * the left of its edges on screen.
 * @param margin how far to the left of an edge the map is read, in cells
 */
function movesOf(points: readonly GridPoint[], map: ProbabilityMap, level: number, margin: number): GridPoint[] {
  const count = points.length;
  const [x, y, lengths] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  for (let from = 0; from < count; from++) {
    const to = (from + 1) % count;
    const [a, b] = [points[from]!, points[to]!];
    const [dx, dy] = [b.gridX - a.gridX, b.gridY - a.gridY];
    // (dy, -dx) points outward and is as long as the edge.
    const aside = margin / (Math.hypot(dx, dy) || 1);
    const [fromX, fromY] = [a.gridX + aside * dy, a.gridY - aside * dx];
    let atFrom = 0;
    let atTo = 0;
    for (let sample = 0; sample < SAMPLES; sample++) {
      const along = (sample + 0.5) / SAMPLES;
      const gain = (mapAt(map, fromX + dx * along, fromY + dy * along) - level) / SAMPLES;
      atFrom += gain * (1 - along);
      atTo += gain * along;
    }
    x[from]! += atFrom * dy;
    y[from]! -= atFrom * dx;
    x[to]! += atTo * dy;
    y[to]! -= atTo * dx;
    const length = Math.hypot(dx, dy) / 2;
    lengths[from]! += length;
    lengths[to]! += length;
  }
  return points.map((_, at) =>
    lengths[at]! > 0 ? { gridX: x[at]! / lengths[at]!, gridY: y[at]! / lengths[at]! } : { gridX: 0, gridY: 0 },
  );
}

interface ProbabilityMap {
  readonly logits: Float32Array;
  /** Cells along a side. */
  readonly side: number;
}

/** The map between the centers of its cells, bilinear; beyond the outer centers it continues unchanged. */
function mapAt({ logits, side }: ProbabilityMap, gridX: number, gridY: number): number {
  const [left, u] = between(gridX, side);
  const [top, v] = between(gridY, side);
  const at = top * side + left;
  // Only what is read becomes a probability: a refined mask has 12,544 cells. Floats, as a map in memory has.
  const probabilityOf = (cell: number): number => Math.fround(1 / (1 + Math.exp(-logits[cell]!)));
  return (
    (probabilityOf(at) * (1 - u) + probabilityOf(at + 1) * u) * (1 - v) +
    (probabilityOf(at + side) * (1 - u) + probabilityOf(at + side + 1) * u) * v
  );
}

/** The cell of a map whose center lies before a position, and how far on it is toward the next, 0..1. */
function between(position: number, side: number): [cell: number, part: number] {
  const from = Math.min(side - 1, Math.max(0, position * (side / GRID_SIZE) - 0.5));
  const cell = Math.min(side - 2, Math.floor(from));
  return [cell, from - cell];
}

/** The same frame under the names that rings have. */
function asRing(points: readonly GridPoint[]): Ring {
  return points.map(({ gridX, gridY }) => ({ x: gridX, y: gridY }));
}
function within(value: number, center: number): number {
  return Math.min(center + REACH, Math.max(center - REACH, value));
}
