/** Outlines for looking at: few enough rings and vertices for a report, whatever the file holds. */
import { signedArea } from "../geometry/ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import type { Polygon, Ring } from "../types.js";
import type { ReportRing } from "./report-types.js";

const MOST_RINGS = 50;
const MOST_VERTICES = 500;

/** The largest rings, in their order; rings of more than 500 vertices are simplified, 0.5 px and twice that until they fit. Two decimals. */
export function readableRings(polygon: Polygon): ReportRing[] {
  return largest(polygon).map((ring) => fewerVertices(ring).map(({ x, y }) => [round(x), round(y)] as const));
}

function largest(polygon: Polygon): Polygon {
  if (polygon.length <= MOST_RINGS) return polygon;
  const areas = polygon.map((ring) => Math.abs(signedArea(ring)));
  const limit = [...areas].sort((a, b) => b - a)[MOST_RINGS - 1]!;
  return polygon.filter((_, i) => areas[i]! >= limit).slice(0, MOST_RINGS);
}

function fewerVertices(ring: Ring): Ring {
  let fewer = ring;
  for (let tolerance = 0.5; fewer.length > MOST_VERTICES && tolerance < 1e9; tolerance *= 2)
    fewer = simplifyRing(ring, tolerance);
  return fewer.slice(0, MOST_VERTICES);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
