/**
 * The annotator who sees the whole polygon: goes to the worst place first, and what was placed stays. This is how people
 * work in `polyrnn review`; the other rules (clicks/rules.ts) walk along the ring while it is drawn.
 *
 * Everything is in image pixels, as in the page. What the page would round, is rounded here.
 */
import type { ClickMetric } from "../report/types.js";
import type { ImagePoint, Ring } from "../types.js";

/** What an annotator works on. */
export interface PinnedRing {
  readonly ring: Ring;
  /** Indexes of vertices that the annotator placed, in rising order. */
  readonly pins: readonly number[];
}

/** What it should become. */
export interface TrueOutline {
  /** On the image; at least three vertices. */
  readonly ring: Ring;
  /** Pixels of a side of a grid cell. */
  readonly cellPx: number;
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly metric: ClickMetric;
}

export interface Correction {
  /** A vertex is moved, a new one is put on an edge and moved, or one is deleted. */
  readonly kind: "move" | "add" | "delete";
  /** Index of the vertex, in the ring as it is then. */
  readonly at: number;
  /** On the image, hundredths of a pixel; where a deleted vertex should have been. */
  readonly to: ImagePoint;
  /** How far off the place is, in grid cells. */
  readonly distance: number;
}

/** Twice what rounding to hundredths moves a point. Below that a place is right. */
const ROUNDING_PX = 0.02;
/** As many the page leaves. */
const FEWEST_VERTICES = 3;
/** Shorter edges are covered by the handles of their vertices, and nobody can click on them. */
const SHORTEST_EDGE_PX = 1;

/**
 * The worst place of a ring: the vertex furthest from the true outline, or the true vertex furthest from the ring,
 * whichever is further; of equal ones the last, whose handle lies on top. A vertex moves to the closest place of the
 * true outline, and is deleted where a neighbor is there already. Where a true vertex is missed, the closest place of
 * the ring goes there: a vertex that nobody placed is moved, elsewhere a new one is added.
 *
 * @returns undefined where nothing is further off than rounding
 */
export function worstPlace({ ring, pins }: PinnedRing, truth: TrueOutline): Correction | undefined {
  const pinned = new Set(pins);
  let worst: { readonly distance: number; readonly vertex?: number; readonly missed?: ImagePoint } = { distance: 0 };
  for (const [vertex, point] of ring.entries()) {
    if (pinned.has(vertex)) continue;
    const distance = lengthOf(point, closestPlace(truth.ring, point).point, truth.metric);
    if (distance >= worst.distance) worst = { distance, vertex };
  }
  for (const missed of truth.ring) {
    const distance = lengthOf(missed, closestPlace(ring, missed).point, truth.metric);
    if (distance > worst.distance) worst = { distance, missed };
  }
  if (worst.distance <= ROUNDING_PX) return undefined;
  const distance = worst.distance / truth.cellPx;
  if (worst.vertex !== undefined) {
    const at = worst.vertex;
    const to = onImage(closestPlace(truth.ring, ring[at]!).point, truth);
    const isTaken = [at - 1, at + 1].some((next) => isSamePoint(ring.at(next % ring.length)!, to));
    return { kind: isTaken && ring.length > FEWEST_VERTICES ? "delete" : "move", at, to, distance };
  }
  const to = worst.missed!;
  const { vertex } = closestPlace(ring, to);
  if (vertex !== undefined && !pinned.has(vertex)) return { kind: "move", at: vertex, to, distance };
  return { kind: "add", at: edgeFor(ring, to) + 1, to, distance };
}

/** The ring after a correction, its vertex pinned unless it is gone. */
export function correct({ ring, pins }: PinnedRing, { kind, at, to }: Correction): PinnedRing {
  if (kind === "move") return { ring: ring.with(at, to), pins: withPin(pins, at) };
  if (kind === "delete") {
    const left = pins.filter((pin) => pin !== at);
    return { ring: ring.toSpliced(at, 1), pins: left.map((pin) => (pin > at ? pin - 1 : pin)) };
  }
  const shifted = pins.map((pin) => (pin >= at ? pin + 1 : pin));
  return { ring: ring.toSpliced(at, 0, to), pins: withPin(shifted, at) };
}

function withPin(pins: readonly number[], at: number): readonly number[] {
  return pins.includes(at) ? pins : [...pins, at].sort((a, b) => a - b);
}

/** The nearest point on the image, in hundredths of a pixel. */
export function onImage(
  { x, y }: ImagePoint,
  { imageWidth, imageHeight }: Pick<TrueOutline, "imageWidth" | "imageHeight">,
): ImagePoint {
  const within = (value: number, most: number): number => Math.round(Math.min(most, Math.max(0, value)) * 100) / 100;
  return { x: within(x, imageWidth), y: within(y, imageHeight) };
}

interface OutlinePlace {
  readonly point: ImagePoint;
  /** Set where the place is a vertex. */
  readonly vertex?: number;
}

/** The place of a ring closest to a point, as the crow flies. */
function closestPlace(ring: Ring, point: ImagePoint): OutlinePlace {
  let best: OutlinePlace = { point: ring[0]! };
  let smallest = Infinity;
  for (const [index, from] of ring.entries()) {
    const to = ring[(index + 1) % ring.length]!;
    const share = shareOf(from, to, point);
    const x = from.x + share * (to.x - from.x);
    const y = from.y + share * (to.y - from.y);
    const squared = (x - point.x) ** 2 + (y - point.y) ** 2;
    if (squared >= smallest) continue;
    smallest = squared;
    const end = share === 0 ? index : share === 1 ? (index + 1) % ring.length : undefined;
    best = { point: { x, y }, ...(end !== undefined && { vertex: end }) };
  }
  return best;
}

/** Where on the edge the point's closest place lies, 0..1. */
function shareOf(from: ImagePoint, to: ImagePoint, { x, y }: ImagePoint): number {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const squared = dx * dx + dy * dy;
  return squared === 0 ? 0 : Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / squared));
}

/** The closest edge that can be clicked on; of two that meet there, the one with the smaller detour over the point. */
function edgeFor(ring: Ring, point: ImagePoint): number {
  let best = 0;
  let smallest = { distance: Infinity, detour: Infinity };
  for (const [index, from] of ring.entries()) {
    const to = ring[(index + 1) % ring.length]!;
    const length = Math.hypot(to.x - from.x, to.y - from.y);
    if (length < SHORTEST_EDGE_PX) continue;
    const share = shareOf(from, to, point);
    const distance = Math.hypot(from.x + share * (to.x - from.x) - point.x, from.y + share * (to.y - from.y) - point.y);
    const detour = Math.hypot(point.x - from.x, point.y - from.y) + Math.hypot(to.x - point.x, to.y - point.y) - length;
    const isSame = Math.abs(distance - smallest.distance) <= 1e-9;
    if (isSame ? detour >= smallest.detour : distance > smallest.distance) continue;
    smallest = { distance, detour };
    best = index;
  }
  return best;
}

function isSamePoint(a: ImagePoint, b: ImagePoint): boolean {
  return a.x === b.x && a.y === b.y;
}

function lengthOf(a: ImagePoint, b: ImagePoint, metric: ClickMetric): number {
  const dx = Math.abs(a.x - b.x);
  const dy = Math.abs(a.y - b.y);
  return metric === "chessboard" ? Math.max(dx, dy) : dx + dy;
}
