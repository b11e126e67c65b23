/**
 * Mask to outlines: follows the cracks between pixels inside and outside, so that the outlines enclose exactly the
 * mask's pixels. Filled by the COCO rule they give the mask back. For masks that people made, where polygons are
 * needed.
 */
import type { ImagePoint, Ring, Rle } from "../types.js";
import { windowFromRle } from "./rle-window.js";
import { rleBounds } from "./rle.js";

/** Steps from corner to corner, by direction, clockwise on screen. */
const STEPS = [
  { x: 1, y: 0 },
  { x: 0, y: 1 },
  { x: -1, y: 0 },
  { x: 0, y: -1 },
] as const;
const EAST = 0,
  SOUTH = 1,
  WEST = 2,
  NORTH = 3;

/**
 * @returns rings at pixel corners without collinear vertices: outlines clockwise on screen, outlines of holes
 *   counterclockwise; parts that touch only at a corner are separate rings. Empty for an empty mask.
 */
export function traceMask(rle: Rle): Ring[] {
  const columns = rle.width + 1;
  const cracks = collectCracks(rle, columns);
  const rings: Ring[] = [];
  for (const start of cracks.keys()) {
    while (cracks.has(start)) rings.push(followCracks(cracks, start, columns));
  }
  return rings;
}

/** Corner (y * columns + x) -> directions that leave it with the mask on their right, as bits. */
function collectCracks(rle: Rle, columns: number): Map<number, number> {
  const cracks = new Map<number, number>();
  const bounds = rleBounds(rle);
  if (bounds === undefined) return cracks;
  const { left, top, width, height } = bounds;
  const bitmap = windowFromRle(rle, { left, top, columns: width, rows: height });
  const isInside = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && bitmap[x * height + y] === 1;
  const add = (x: number, y: number, direction: number): void => {
    const corner = (top + y) * columns + left + x;
    cracks.set(corner, (cracks.get(corner) ?? 0) | (1 << direction));
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!isInside(x, y)) continue;
      if (!isInside(x, y - 1)) add(x, y, EAST);
      if (!isInside(x + 1, y)) add(x + 1, y, SOUTH);
      if (!isInside(x, y + 1)) add(x + 1, y + 1, WEST);
      if (!isInside(x - 1, y)) add(x, y + 1, NORTH);
    }
  }
  return cracks;
}

/** Walks one ring and removes its cracks from the map. Turning right where two rings meet keeps them apart. */
function followCracks(cracks: Map<number, number>, start: number, columns: number): Ring {
  const ring: ImagePoint[] = [];
  let corner = start;
  let direction = firstDirection(cracks.get(start)!);
  const departures: number[] = [];
  do {
    takeCrack(cracks, corner, direction);
    ring.push({ x: corner % columns, y: Math.floor(corner / columns) });
    departures.push(direction);
    corner += STEPS[direction]!.y * columns + STEPS[direction]!.x;
    direction = corner === start ? departures[0]! : rightmostTurn(cracks.get(corner)!, direction);
  } while (corner !== start);
  return ring.filter((_, i) => departures[i] !== departures[(i + departures.length - 1) % departures.length]);
}

function takeCrack(cracks: Map<number, number>, corner: number, direction: number): void {
  const left = cracks.get(corner)! & ~(1 << direction);
  if (left === 0) cracks.delete(corner);
  else cracks.set(corner, left);
}

function firstDirection(bits: number): number {
  return Math.log2(bits & -bits);
}

function rightmostTurn(bits: number, arrival: number): number {
  for (const turn of [1, 0, 3]) {
    const direction = (arrival + turn) % STEPS.length;
    if ((bits & (1 << direction)) !== 0) return direction;
  }
  throw new Error("an outline of the mask ends: this cannot happen, every corner is left as often as it is entered");
}
