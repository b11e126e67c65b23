/** Where an outline crosses itself: the fill rules disagree there, and labeling tools refuse it. */
import type { Ring } from "../types.js";

/** Rings with more vertices are not examined: the worst case is quadratic. */
export const MOST_EXAMINED_VERTICES = 2000;

/** True when edges cross (see crossingEdges). False above MOST_EXAMINED_VERTICES. */
export function crossesItself(ring: Ring): boolean {
  return crossingEdges(ring) !== undefined;
}

/**
 * Two edges that are not neighbors and cross at a point inside both, by the positions of their first vertices. Touching, a repeated vertex
 * or a stretch walked twice is no crossing. Undefined where there are none, and above MOST_EXAMINED_VERTICES.
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
  const a = ring[i]!,
    b = ring[(i + 1) % ring.length]!;
  const c = ring[j]!,
    d = ring[(j + 1) % ring.length]!;
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

/** 1 or -1: which side of the line a-b the point is on; 0 on the line. */
function side(a: Ring[number], b: Ring[number], point: Ring[number]): number {
  return Math.sign((b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x));
}
