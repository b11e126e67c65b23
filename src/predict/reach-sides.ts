/**
 * An object reaches all four sides of a box that was drawn around it. Where a polygon stops short of a side, its nearest
 * vertex moves onto that side, straight ahead. Vertices up to half as far again follow it in part, so that the other end
 * of a missed edge comes along. Moving more loses what this gains, and so does a new vertex where the refined mask is
 * likeliest (bench/README.md).
 *
 * A loose box shows: around it the polygon stops short of every side, and nothing moves. So one side must be reached
 * already, and most polygons of a tight box reach one, because what lies beyond the box was moved onto its border.
 */
import type { CropFrame } from "../crop/crop.js";
import type { ImagePoint, Ring } from "../types.js";

/** Up to which distance vertices follow the nearest one, beyond its own and as a part of it. */
const FOLLOW = 0.5;

interface Side {
  readonly axis: "x" | "y";
  /** Where the side lies, image pixels. */
  readonly at: number;
  /** 1 where the object lies toward larger coordinates, else -1. */
  readonly inward: 1 | -1;
  /** Half the way to the opposite side, pixels. */
  readonly half: number;
}

/**
 * @param ring        within the box, image pixels
 * @param tolerancePx up to this distance a side counts as reached, 0 or more
 * @returns           as many vertices in the same order; it may cross or touch itself where the ring did not
 */
export function reachSides(ring: Ring, { bounds }: Pick<CropFrame, "bounds">, tolerancePx: number): Ring {
  const { left, top, width, height } = bounds;
  const sides: readonly Side[] = [
    { axis: "x", at: left, inward: 1, half: width / 2 },
    { axis: "x", at: left + width, inward: -1, half: width / 2 },
    { axis: "y", at: top, inward: 1, half: height / 2 },
    { axis: "y", at: top + height, inward: -1, half: height / 2 },
  ];
  if (ring.length < 3 || !sides.some((side) => gapOf(ring, side) <= tolerancePx)) return ring;
  return sides.reduce(broughtTo, ring);
}

function broughtTo(ring: Ring, side: Side): Ring {
  const gap = gapOf(ring, side);
  if (gap <= 0) return ring;
  return ring.map((point) => {
    const distance = distanceTo(side, point);
    if (distance === gap) return { ...point, [side.axis]: roundToHundredth(side.at) };
    const beyond = (distance - gap) / (FOLLOW * gap);
    // What lies nearer to the opposite side stays there.
    if (beyond >= 1 || distance > side.half) return point;
    return { ...point, [side.axis]: roundToHundredth(point[side.axis] - side.inward * gap * (1 - beyond)) };
  });
}

/** How far the ring stays from a side, pixels; 0 or less where it reaches it. */
function gapOf(ring: Ring, side: Side): number {
  return Math.min(...ring.map((point) => distanceTo(side, point)));
}

function distanceTo({ axis, at, inward }: Side, point: ImagePoint): number {
  return (point[axis] - at) * inward;
}

/** As every coordinate that is written. */
function roundToHundredth(value: number): number {
  return Math.round(value * 100) / 100;
}
