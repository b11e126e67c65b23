/**
 * The one ring that stands for an instance. The network draws one outline: what is in several parts, has large holes or is too small
 * to be seen on the grid teaches it something wrong and is left out, with the reason.
 */
import { signedArea } from "../geometry/ring.js";
import type { Instance, Ring } from "../types.js";
import { traceMask } from "../write/trace-mask.js";

export interface RingFilter {
  /** Share of the area of all rings, holes counted as rings, that the largest one must have; 0..1. */
  readonly minLargestShare: number;
  /** Area of all rings together, square image pixels. */
  readonly minAreaPx: number;
}

export const DEFAULT_RING_FILTER: RingFilter = { minLargestShare: 0.85, minAreaPx: 1024 };

export type RingReason = "no-polygon" | "truth-invalid" | "several-parts" | "too-small";

/** Beyond this a coordinate is no pixel; the limit of the COCO rasterizer. */
const MAX_COORDINATE = 4e8;

/** @returns the largest ring of the instance's truth, as the file has it or traced around its mask, or why there is none */
export function pickRing(instance: Instance, filter: RingFilter): Ring | RingReason {
  const { truth } = instance;
  if (instance.truthProblem !== undefined) return "truth-invalid";
  if (truth === undefined) return "no-polygon";
  const rings = truth.kind === "polygon" ? truth.polygon : traceMask(truth.rle);
  if (rings.some((ring) => ring.some(({ x, y }) => !(Math.abs(x) <= MAX_COORDINATE && Math.abs(y) <= MAX_COORDINATE))))
    return "truth-invalid";
  const areas = rings.map((ring) => Math.abs(signedArea(ring)));
  const total = areas.reduce((sum, area) => sum + area, 0);
  const largest = areas.reduce((best, area, i) => (area > areas[best]! ? i : best), 0);
  const ring = rings[largest];
  if (ring === undefined || total === 0) return "no-polygon";
  if (total < filter.minAreaPx) return "too-small";
  if (areas[largest]! < filter.minLargestShare * total) return "several-parts";
  return ring;
}
