/**
 * Whether a ring of a file is a valid outline: at least three vertices, none twice, with an area, and no two edges that
 * share more than the vertex between neighbors. Geometry libraries refuse every other (OGC Simple Features, 6.1.11.1).
 */
import type { ImagePoint, Ring } from "../types.js";
import { rasterizePolygon } from "./rasterize.js";
import { rleArea } from "./rle.js";
import { countDistinct, signedArea } from "./ring.js";

/** Files hold two decimals; in whole hundredths of a pixel every product below is exact. */
const PER_PIXEL = 100;

/** @param ring image pixels, rounded to two decimals; the check takes the square of its vertices in time */
export function isValidRing(ring: Ring): boolean {
  const points = ring.map(({ x, y }) => ({ x: Math.round(x * PER_PIXEL), y: Math.round(y * PER_PIXEL) }));
  const count = points.length;
  if (count < 3 || countDistinct(points) < count || signedArea(points) === 0) return false;
  for (let i = 0; i < count; i++) {
    const a = points[i]!,
      b = points[(i + 1) % count]!;
    // The next edge shares b; it may not run back over this one.
    const after = points[(i + 2) % count]!;
    if (turn(a, b, after) === 0 && (a.x - b.x) * (after.x - b.x) + (a.y - b.y) * (after.y - b.y) > 0) return false;
    for (let j = i + 2; j < count; j++) {
      if ((j + 1) % count !== i && share(a, b, points[j]!, points[(j + 1) % count]!)) return false;
    }
  }
  return true;
}

/**
 * Whether a ring is a valid outline of something in an image: a thin one can be valid and cover no pixel's middle, and
 * then its mask is empty.
 */
export function isValidOutline(
  ring: Ring,
  { width, height }: { readonly width: number; readonly height: number },
): boolean {
  return isValidRing(ring) && rleArea(rasterizePolygon([ring], height, width)) > 0;
}

/** Whether the closed segments a-b and c-d have a point in common. */
function share(a: ImagePoint, b: ImagePoint, c: ImagePoint, d: ImagePoint): boolean {
  if (Math.max(a.x, b.x) < Math.min(c.x, d.x) || Math.max(c.x, d.x) < Math.min(a.x, b.x)) return false;
  if (Math.max(a.y, b.y) < Math.min(c.y, d.y) || Math.max(c.y, d.y) < Math.min(a.y, b.y)) return false;
  // In line, they overlap as their bounds do.
  return turn(a, b, c) * turn(a, b, d) <= 0 && turn(c, d, a) * turn(c, d, b) <= 0;
}

/** -1, 0 or 1: the side of the line a-b that the point is on. */
function turn(a: ImagePoint, b: ImagePoint, point: ImagePoint): number {
  return Math.sign((b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x));
}
