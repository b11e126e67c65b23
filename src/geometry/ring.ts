/** Rings: closed outlines, stored open. Area, orientation, bounds, vertices that carry no shape, crossings. */
import type { Box, ImagePoint, Polygon, Ring } from "../types.js";

/** Shoelace area in square pixels: positive when the ring runs clockwise on screen (y down); 0 below three vertices. */
export function signedArea(ring: Ring): number {
  // Relative to the first vertex: a small ring far from the origin would lose its area to rounding.
  const origin = ring[0];
  if (origin === undefined) return 0;
  let twice = 0;
  for (let i = 2; i < ring.length; i++) {
    const a = ring[i - 1]!;
    const b = ring[i]!;
    twice += (a.x - origin.x) * (b.y - origin.y) - (b.x - origin.x) * (a.y - origin.y);
  }
  return twice / 2;
}

/** The ring, clockwise on screen; a reversed ring keeps its first vertex. A ring without area comes back as it is. */
export function orientClockwise(ring: Ring): Ring {
  if (signedArea(ring) >= 0) return ring;
  const [first, ...rest] = ring;
  return [first!, ...rest.reverse()];
}

/** Smallest box around the vertices; it has no width or height when they are in line. Undefined without a vertex. */
export function ringBounds(ring: Ring): Box | undefined {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (const { x, y } of ring) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return ring.length === 0 ? undefined : { left, top, width: right - left, height: bottom - top };
}

/** Smallest box around all rings; undefined without a vertex. */
export function polygonBounds(polygon: Polygon): Box | undefined {
  return ringBounds(polygon.flat());
}

/** Without vertices equal to the one before; the last one is also compared with the first. */
export function removeRepeated(ring: Ring): Ring {
  const kept = ring.filter((point, i) => i === 0 || !samePoint(point, ring[i - 1]!));
  while (kept.length > 1 && samePoint(kept[kept.length - 1]!, kept[0]!)) kept.pop();
  return kept;
}

/**
 * Without vertices exactly in line with both neighbors, tips of spikes that fold back included, while more than three
 * are left. Repeated vertices are dropped before and after. The lowest index is dropped first, as in the quantization
 * of the authors' released code.
 */
export function removeCollinear(ring: Ring): Ring {
  const points = removeRepeated(ring);
  const count = points.length;
  const next = Int32Array.from(points, (_, i) => (i + 1) % count);
  const previous = Int32Array.from(points, (_, i) => (i + count - 1) % count);
  const isInLine = (i: number): boolean => turn(points[previous[i]!]!, points[i]!, points[next[i]!]!) === 0;
  let first = 0;
  let last = count - 1;
  let left = count;
  const remove = (i: number): void => {
    next[previous[i]!] = next[i]!;
    previous[next[i]!] = previous[i]!;
    if (i === first) first = next[i]!;
    if (i === last) last = previous[i]!;
    left--;
  };
  // A removal changes only its two neighbors: going on from the lower one finds what starting over would, in linear
  // time.
  for (let at = first; at !== last && left > 3;) {
    if (!isInLine(at)) {
      at = next[at]!;
      continue;
    }
    remove(at);
    at = at < first ? first : previous[at]!;
  }
  // Only vertices at the seam can still be in line.
  while (left > 3) {
    if (isInLine(first)) remove(first);
    else if (isInLine(last)) remove(last);
    else break;
  }
  const kept: ImagePoint[] = [];
  for (let i = 0, at = first; i < left; i++, at = next[at]!) kept.push(points[at]!);
  // A line walked there and back can end as a, b, a.
  return removeRepeated(kept);
}

/** Twice the area of the triangle a, b, c; 0 in line. */
function turn(a: ImagePoint, b: ImagePoint, c: ImagePoint): number {
  return (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x);
}

/** Vertices at different places. */
export function countDistinct(ring: Ring): number {
  return new Set(ring.map(({ x, y }) => `${x + 0},${y + 0}`)).size;
}

function samePoint(a: ImagePoint, b: ImagePoint): boolean {
  return a.x === b.x && a.y === b.y;
}

/** Rings with more vertices are not examined for crossings: the worst case is quadratic. */
export const MOST_EXAMINED_VERTICES = 2000;

/**
 * True when edges cross (see crossingEdges): the fill rules disagree there, and labeling tools refuse such rings. False
 * above MOST_EXAMINED_VERTICES.
 */
export function crossesItself(ring: Ring): boolean {
  return crossingEdges(ring) !== undefined;
}

/**
 * Two edges that are not neighbors and cross at a point inside both, by the positions of their first vertices.
 * Touching, a repeated vertex or a stretch walked twice is no crossing.
 * @returns undefined when no edges cross, and above MOST_EXAMINED_VERTICES
 */
export function crossingEdges(ring: Ring): readonly [number, number] | undefined {
  const count = ring.length;
  if (count < 4 || count > MOST_EXAMINED_VERTICES) return undefined;
  const left = (edge: number): number => Math.min(ring[edge]!.x, ring[(edge + 1) % count]!.x);
  const right = (edge: number): number => Math.max(ring[edge]!.x, ring[(edge + 1) % count]!.x);
  const byLeft = Array.from({ length: count }, (_, edge) => edge).sort((a, b) => left(a) - left(b));
  for (let i = 0; i < count; i++) {
    const end = right(byLeft[i]!);
    for (let j = i + 1; j < count && left(byLeft[j]!) <= end; j++) {
      if (edgesCross(ring, byLeft[i]!, byLeft[j]!)) return [byLeft[i]!, byLeft[j]!];
    }
  }
  return undefined;
}

function edgesCross(ring: Ring, i: number, j: number): boolean {
  const a = ring[i]!;
  const b = ring[(i + 1) % ring.length]!;
  const c = ring[j]!;
  const d = ring[(j + 1) % ring.length]!;
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

/** 1 or -1: the side of the line a-b the point is on; 0 on the line. */
function side(a: ImagePoint, b: ImagePoint, point: ImagePoint): number {
  return Math.sign((b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x));
}
