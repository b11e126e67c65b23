/**
 * Rings and their coordinates as files hold them: the rings of a polygon joined by bridges where a format has room for
 * one ring, a ring cut at the image's border, numbers rounded.
 */
import { removeCollinear, removeRepeated } from "../geometry/ring.js";
import type { ImagePoint, Polygon, Ring } from "../types.js";

/**
 * One ring around everything the polygon's rings enclose. Every ring after the first is reached over a bridge of no
 * width that is walked there and back, so that the area stays the same; a counterclockwise ring stays a hole.
 * @param polygon at least one ring
 */
export function joinRings(polygon: Polygon): Ring {
  const [first = [], ...others] = polygon;
  const joined = [...first];
  for (const ring of others) {
    const entry = ring[0];
    if (entry === undefined) continue;
    const at = nearestVertex(joined, entry);
    const pier = joined[at];
    joined.splice(at + 1, 0, ...ring, entry, ...(pier === undefined ? [] : [pier]));
  }
  return joined;
}

function nearestVertex(ring: Ring, target: ImagePoint): number {
  let best = -1;
  let bestDistance = Infinity;
  for (let i = 0; i < ring.length; i++) {
    const distance = (ring[i]!.x - target.x) ** 2 + (ring[i]!.y - target.y) ** 2;
    if (distance < bestDistance) [best, bestDistance] = [i, distance];
  }
  return best;
}

/**
 * The part of a ring that lies in the image, by Sutherland and Hodgman's method: one border after the other. A ring
 * inside the image comes back as it is; separated parts stay joined along the border.
 * @param width  pixels of the image; likewise `height`
 * @returns undefined when no area of the ring lies in the image
 */
export function clipRing(ring: Ring, width: number, height: number): Ring | undefined {
  if (ring.every(({ x, y }) => x >= 0 && y >= 0 && x <= width && y <= height)) return ring;
  const clipped = [
    (p: ImagePoint): number => p.x,
    (p: ImagePoint): number => width - p.x,
    (p: ImagePoint): number => p.y,
    (p: ImagePoint): number => height - p.y,
  ].reduce(clipAtBorder, ring);
  const kept = removeCollinear(clipped);
  return isFlat(kept) ? undefined : kept.map((p) => clampToImage(p, width, height));
}

/** Without vertices equal to the one before; where fewer than three are left, filled up to three: formats want them. */
export function withoutRepeats(ring: Ring): Ring {
  const kept = removeRepeated(ring);
  return kept.length < 3 ? [...kept, ...ring].slice(0, 3) : kept;
}

/** Whether all vertices are in line. The area would not tell: a ring that crosses itself can have area 0. */
function isFlat([a, b, ...rest]: Ring): boolean {
  return (
    a === undefined || b === undefined || rest.every((p) => (b.x - a.x) * (p.y - a.y) === (p.x - a.x) * (b.y - a.y))
  );
}

/** @param inside distance from the border, negative outside */
function clipAtBorder(ring: Ring, inside: (point: ImagePoint) => number): Ring {
  const kept: ImagePoint[] = [];
  for (let i = 0; i < ring.length; i++) {
    const from = ring[i]!;
    const to = ring[(i + 1) % ring.length]!;
    const before = inside(from);
    const after = inside(to);
    if (before >= 0) kept.push(from);
    if (before >= 0 !== after >= 0) {
      const share = before / (before - after);
      kept.push({ x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) });
    }
  }
  return kept;
}

/** Removes what rounding left outside at a crossing. */
function clampToImage({ x, y }: ImagePoint, width: number, height: number): ImagePoint {
  return { x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) };
}

/** Pixels with two decimals; never -0. */
export function roundPixels(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}

/** Text with one decimal, fine enough for drawings. */
export function toTenths(value: number): string {
  return value.toFixed(1);
}
