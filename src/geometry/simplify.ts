/**
 * Fewer vertices within a stated distance: Douglas and Peucker 1973, on a closed ring. Both anchors are extreme
 * vertices, so that a first vertex in the middle of a straight side can be dropped as well.
 */
import type { ImagePoint, Ring } from "../types.js";

/**
 * Vertices of the ring, in order, such that every dropped vertex lies within `tolerancePx` of the edge that replaces
 * it. Never below three vertices; a ring of three or fewer, or with all vertices in one place, comes back as it is. The
 * result of a simple ring can cross itself where two sides are closer than the tolerance.
 * @param tolerancePx image pixels, 0 or more; 0 drops vertices exactly in line
 * @throws RangeError with a tolerance below 0 or NaN
 */
export function simplifyRing(ring: Ring, tolerancePx: number): Ring {
  if (!(tolerancePx >= 0))
    throw new RangeError(`simplify: expected a tolerance of 0 or more pixels, received ${tolerancePx}`);
  if (ring.length <= 3) return ring;
  const a = farthestFrom(ring, ring[0]!);
  const b = farthestFrom(ring, ring[a]!);
  if (a === b) return ring;

  const kept = new Uint8Array(ring.length);
  kept[a] = kept[b] = 1;
  keepBetween(ring, [a, b, b, a], tolerancePx, kept);
  const result = ring.filter((_, i) => kept[i] === 1);
  if (result.length >= 3) return result;

  const third = farthestFromEdge(ring, a, b, ring.length);
  kept[third.distance > 0 ? third.index : kept.indexOf(0)] = 1;
  return ring.filter((_, i) => kept[i] === 1);
}

/**
 * Marks the vertices to keep on the way from one kept vertex to the next. Recursion would go as deep as the ring is
 * long, hence a list.
 * @param open starts and ends of the ways, in turn; used up
 */
function keepBetween(ring: Ring, open: number[], tolerance: number, kept: Uint8Array): void {
  while (open.length > 0) {
    const end = open.pop()!;
    const start = open.pop()!;
    const between = ((end - start + ring.length) % ring.length) - 1;
    const { index, distance } = farthestFromEdge(ring, start, end, between);
    if (distance <= tolerance) continue;
    kept[index] = 1;
    open.push(start, index, index, end);
  }
}

/**
 * Of the `count` vertices after `start`, going round: the one farthest from the edge start-end, and its distance (0
 * without one).
 */
function farthestFromEdge(ring: Ring, start: number, end: number, count: number): { index: number; distance: number } {
  const a = ring[start]!;
  const b = ring[end]!;
  let index = (start + 1) % ring.length;
  let farthest = 0;
  for (let i = 1; i <= count; i++) {
    const at = (start + i) % ring.length;
    const squared = squaredDistance(ring[at]!, a, b);
    if (squared > farthest) {
      farthest = squared;
      index = at;
    }
  }
  return { index, distance: Math.sqrt(farthest) };
}

function farthestFrom(ring: Ring, point: ImagePoint): number {
  let index = 0;
  let farthest = 0;
  for (let i = 0; i < ring.length; i++) {
    const squared = (ring[i]!.x - point.x) ** 2 + (ring[i]!.y - point.y) ** 2;
    if (squared > farthest) {
      farthest = squared;
      index = i;
    }
  }
  return index;
}

/**
 * From a point to a segment, not to its line: a spike that reaches past the end of its edge must count. The segment's
 * length is not 0: the anchors are apart, and a vertex is only kept when it is away from both ends.
 */
function squaredDistance(point: ImagePoint, a: ImagePoint, b: ImagePoint): number {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const along = Math.min(1, Math.max(0, ((point.x - a.x) * dx + (point.y - a.y) * dy) / (dx * dx + dy * dy)));
  return (point.x - a.x - along * dx) ** 2 + (point.y - a.y - along * dy) ** 2;
}
