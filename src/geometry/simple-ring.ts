/**
 * Rings that do not cross or touch themselves. A labeling tool may refuse others, and a fill rule decides what lies
 * inside them. Quick for rings of a few hundred vertices; larger ones come back as they are.
 */
import type { ImagePoint, Ring } from "../types.js";
import { crossingEdges, removeRepeated } from "./ring.js";

/** Rings with more vertices are left alone: the work grows with the cube of their number. */
const MOST_VERTICES = 600;

/**
 * Pixels: vertices are written in hundredths of a pixel. What is nearer than half of that touches, or another format's
 * rounding would decide.
 */
const CLEARANCE = 0.005;

/**
 * A ring whose edges meet only where they follow one another. Where two edges cross, the part between them is walked the
 * other way round (2-opt), which keeps all vertices. Where edges still touch, vertices are left out: first the one that
 * leaves the fewest such places, of equals the one without which the ring is worth most. A simple ring comes back as it
 * is; a ring of three vertices, or all on one line, cannot be made simple.
 * @param worthOf the larger, the better
 */
export function makeSimple(ring: Ring, worthOf: (ring: Ring) => number): Ring {
  if (ring.length > MOST_VERTICES || isSimple(ring)) return ring;
  return withoutContacts(removeRepeated(uncross(ring)), worthOf);
}

/**
 * True when edges meet only where they follow one another.
 * @param clearance pixels: a vertex that is no farther from an edge lies on it
 */
export function isSimple(ring: Ring, clearance = CLEARANCE): boolean {
  return contactsOf(ring, clearance).every((count) => count === 0);
}

/** Each turn makes the ring shorter. The limit ends it where rounding hides that. */
function uncross(ring: Ring): Ring {
  let points = ring;
  for (let turns = 0; turns < 4 * ring.length; turns++) {
    const edges = crossingEdges(points);
    if (edges === undefined) break;
    const [from, to] = [Math.min(...edges) + 1, Math.max(...edges) + 1];
    points = [...points.slice(0, from), ...points.slice(from, to).reverse(), ...points.slice(to)];
  }
  return points;
}

function withoutContacts(ring: Ring, worthOf: (ring: Ring) => number): Ring {
  let points = ring;
  while (points.length > 3) {
    const contacts = contactsOf(points);
    if (contacts.every((count) => count === 0)) break;
    const left = points.map((_, at) => contactsWithout(points, at, contacts));
    const fewest = Math.min(...left);
    const without = left.flatMap((count, at) =>
      count === fewest ? [removeRepeated(points.filter((_, other) => other !== at))] : [],
    );
    points = without.length === 1 ? without[0]! : bestOf(without, worthOf);
  }
  return points;
}

function bestOf(rings: readonly Ring[], worthOf: (ring: Ring) => number): Ring {
  const worths = rings.map(worthOf);
  return rings[worths.indexOf(Math.max(...worths))]!;
}

/** For each edge, with how many others it meets where it should not. */
function contactsOf(ring: Ring, clearance = CLEARANCE): number[] {
  const counts = ring.map(() => 0);
  for (let one = 0; one < ring.length; one++) {
    for (let other = one + 1; other < ring.length; other++) {
      if (!edgesMeet(ring, one, other, clearance)) continue;
      counts[one]!++;
      counts[other]!++;
    }
  }
  return counts;
}

/** Pairs of edges that meet when a vertex is left out. @param contacts of the whole ring */
function contactsWithout(ring: Ring, vertex: number, contacts: readonly number[]): number {
  const count = ring.length;
  const before = (vertex + count - 1) % count;
  const total = contacts.reduce((sum, each) => sum + each, 0) / 2;
  const gone = contacts[before]! + contacts[vertex]! - (edgesMeet(ring, before, vertex, CLEARANCE) ? 1 : 0);
  const smaller = ring.filter((_, at) => at !== vertex);
  const joined = (vertex + count - 2) % (count - 1); // the edge that takes the place of both
  const added = smaller.filter((_, at) => at !== joined && edgesMeet(smaller, joined, at, CLEARANCE)).length;
  return total - gone + added;
}

/** Edges that follow one another may share their vertex, others nothing. */
function edgesMeet(ring: Ring, one: number, other: number, clearance: number): boolean {
  const count = ring.length;
  const [a, b] = [ring[one]!, ring[(one + 1) % count]!];
  const [c, d] = [ring[other]!, ring[(other + 1) % count]!];
  if ((one + 1) % count === other) return foldsBack([a, b, d], clearance);
  if ((other + 1) % count === one) return foldsBack([c, d, b], clearance);
  const [fromC, fromD] = [side(a, b, c, clearance), side(a, b, d, clearance)];
  const [fromA, fromB] = [side(c, d, a, clearance), side(c, d, b, clearance)];
  if (fromC * fromD < 0 && fromA * fromB < 0) return true;
  return (
    (fromC === 0 && isWithin(c, a, b, clearance)) ||
    (fromD === 0 && isWithin(d, a, b, clearance)) ||
    (fromA === 0 && isWithin(a, c, d, clearance)) ||
    (fromB === 0 && isWithin(b, c, d, clearance))
  );
}

/** Whether the way from a over b to c goes back over itself: one end lies on the other edge. */
function foldsBack([a, b, c]: readonly [ImagePoint, ImagePoint, ImagePoint], clearance: number): boolean {
  if ((a.x - b.x) * (c.x - b.x) + (a.y - b.y) * (c.y - b.y) <= 0) return false;
  return side(a, b, c, clearance) === 0 || side(c, b, a, clearance) === 0;
}

/** For a point on the line through a and b. */
function isWithin({ x, y }: ImagePoint, a: ImagePoint, b: ImagePoint, clearance: number): boolean {
  return (
    x >= Math.min(a.x, b.x) - clearance &&
    x <= Math.max(a.x, b.x) + clearance &&
    y >= Math.min(a.y, b.y) - clearance &&
    y <= Math.max(a.y, b.y) + clearance
  );
}

/** 1 or -1: which side of the line a-b the point is on; 0 on the line, or no farther from it than the clearance. */
function side(a: ImagePoint, b: ImagePoint, point: ImagePoint, clearance: number): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const cross = dx * (point.y - a.y) - dy * (point.x - a.x);
  return cross * cross <= clearance * clearance * (dx * dx + dy * dy) ? 0 : Math.sign(cross);
}
