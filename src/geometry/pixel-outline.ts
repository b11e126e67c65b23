/**
 * Between the two ways in which outlines are meant.
 *
 * COCO, YOLO, Label Studio and this program: coordinates are lengths from the image's corner. The pixel in column 3 lies
 * from 3 to 4, and a square from 0 to 9 has 81 pixels.
 *
 * Cityscapes and LabelMe: coordinates name pixels, and the outline's own pixels belong to the shape, because both fill
 * with Pillow's ImageDraw.polygon (geometry/rasterize-pil.ts). A square from 0 to 9 has 100 pixels.
 *
 * So an outline moves by half a pixel to the pixels' centers and by half a pixel inward (or both the other way). What
 * rounding to whole pixels adds or takes away is then evened out vertex by vertex, against the mask itself.
 */
import type { Box, ImagePoint, Polygon, Ring, Rle } from "../types.js";
import { rasterizePolygonPil } from "./rasterize-pil.js";
import { rasterizePolygon } from "./rasterize.js";
import { polygonBounds, signedArea } from "./ring.js";
import { intersectionArea, rleArea } from "./rle.js";
import { traceMask } from "./trace-mask.js";

/** Half a pixel. */
const HALF = 0.5;
/** A vertex moves inward by at most so many pixels, however sharp its corner. */
const LONGEST_MOVE = 1;
/** Work that trying out other places may cost, in pixels painted; an outline that costs more at once is only rounded. */
const MOST_WORK = 1.6e7;
/** Rounds over all vertices; the third seldom changes anything. */
const ROUNDS = 4;
/** Part of the area that counts as equal, and the part at which vertices stay where they are. */
const EQUAL_AREA = 0.01;
const GOOD_AREA = 0.003;

/**
 * @param ring lengths from the image's corner
 * @returns    the pixels to name instead, as many as the ring has vertices, whole numbers; neighbors can be the same
 *   pixel. None is outside the pixels that the ring's own bounds touch
 */
export function toNamedPixels(ring: Ring): Ring {
  // Of vertices in one place, none could be moved without the others.
  const places = ring.map((point, i) => (i > 0 && isSame(point, ring[i - 1]!) ? 0 : 1));
  let place = -1;
  const isClosed = ring.length > 1 && isSame(ring[0]!, ring.at(-1)!);
  const distinct = ring.filter((_, i) => places[i] === 1);
  const named = namePixels(isClosed && distinct.length > 1 ? distinct.slice(0, -1) : distinct);
  return ring.map((_, i) => named[(place += places[i]!) % named.length]!);
}

function namePixels(ring: Ring): Ring {
  const frame = frameOf(ring, 0);
  if (frame === undefined) return [];
  const named = moveInward(ring, HALF).map(({ x, y }): ImagePoint => ({
    x: within(Math.round(x - HALF), frame.left, frame.width),
    y: within(Math.round(y - HALF), frame.top, frame.height),
  }));
  if (priceOf(ring, frame) > MOST_WORK) return named;
  const fit: Fit = {
    frame,
    target: rasterizePolygon([shifted(ring, frame)], frame.height, frame.width),
    fill: (candidate) => rasterizePolygonPil([shifted(candidate, frame)], frame.height, frame.width),
    step: 1,
    last: 1,
  };
  return evenOut(named, fit);
}

/**
 * @param ring pixels by name; fractions are dropped, as Pillow does
 * @returns    lengths from the image's corner; several rings where one cannot hold the pixels (an outline of no width)
 */
export function fromNamedPixels(ring: Ring): Polygon {
  const named = ring.map(({ x, y }) => ({ x: Math.trunc(x), y: Math.trunc(y) }));
  const frame = frameOf(named, 1);
  if (frame === undefined) return [];
  const outline = moveInward(named, -HALF).map(({ x, y }): ImagePoint => ({
    x: Math.min(frame.left + frame.width, Math.max(frame.left, x + HALF)),
    y: Math.min(frame.top + frame.height, Math.max(frame.top, y + HALF)),
  }));
  if (priceOf(outline, frame) > MOST_WORK) return [outline];
  const target = rasterizePolygonPil([shifted(named, frame)], frame.height, frame.width);
  const fill = (candidate: Ring): Rle => rasterizePolygon([shifted(candidate, frame)], frame.height, frame.width);
  const evened = evenOut(outline, { frame, target, fill, step: HALF, last: 0 });
  const area = rleArea(target);
  if (Math.abs(rleArea(fill(evened)) - area) <= EQUAL_AREA * area) return [evened];
  return traceMask(target).map((traced) =>
    traced.map(({ x, y }): ImagePoint => ({ x: x + frame.left, y: y + frame.top })),
  );
}

/** What an outline is to fill, and how it may change to do so. */
interface Fit {
  readonly frame: Box;
  /** In the frame. */
  readonly target: Rle;
  readonly fill: (ring: Ring) => Rle;
  /** How far a vertex is moved at once. */
  readonly step: number;
  /** Pixels before the far border of the frame at which vertices end. */
  readonly last: number;
}

/**
 * Moves vertices one by one, each to the best of its eight neighbors, until the outline has the area it should have.
 * Where that leaves another area, the area alone decides, and then pairs of vertices move: a long side that moves by a
 * pixel is too much and has to be made up for elsewhere. An outline that is right as it is stays: people will correct its
 * vertices, so they are best left where they were drawn.
 */
function evenOut(ring: Ring, fit: Fit): Ring {
  const area = rleArea(fit.target);
  if (area === 0) return ring;
  const trial = new Trial(ring, fit, AREA_WEIGHT);
  for (let round = 0, before = Infinity; round < ROUNDS && trial.cost < before; round++) {
    before = trial.cost;
    trial.moveEach();
  }
  if (trial.isClose(EQUAL_AREA)) return trial.ring;
  const again = new Trial(trial.ring, fit, area);
  again.moveEach();
  for (let i = 0; i < ring.length && !again.isClose(EQUAL_AREA) && again.canGoOn(); i++) again.moveWithOthers(i);
  return again.ring;
}

/** A ring whose vertices are moved to see whether it fits better. */
class Trial {
  readonly ring: ImagePoint[];
  cost: number;
  private work = MOST_WORK;
  private readonly price: number;

  /** @param areaWeight what a pixel too many or too few costs beside one in the wrong place */
  constructor(
    ring: Ring,
    private readonly fit: Fit,
    private readonly areaWeight: number,
  ) {
    this.ring = [...ring];
    this.price = priceOf(ring, fit.frame);
    this.cost = this.costNow();
  }

  /** Whether the area is to be put right, and there is work left to do so. */
  canGoOn(): boolean {
    return this.work > 0 && !this.isClose(GOOD_AREA);
  }

  /** @param part of the area that may be too much or too little */
  isClose(part: number): boolean {
    const { target, fill } = this.fit;
    this.work -= this.price;
    const area = rleArea(target);
    return Math.abs(rleArea(fill(this.ring)) - area) <= part * area;
  }

  /** Each vertex to the best place next to it. */
  moveEach(): void {
    for (let i = 0; i < this.ring.length && this.canGoOn(); i++) this.moveOne(i);
  }

  /** A vertex to every place next to it, whatever that costs at first, and every other vertex once after it. */
  moveWithOthers(i: number): void {
    const from = this.ring[i]!;
    for (const to of this.placesNextTo(from)) {
      const { cost } = this;
      const before = [...this.ring];
      this.ring[i] = to;
      this.cost = this.costNow();
      this.moveEach();
      if (this.cost < cost) return;
      this.cost = cost;
      this.ring.splice(0, before.length, ...before);
      if (!this.canGoOn()) return;
    }
  }

  private moveOne(i: number): void {
    let kept = this.ring[i]!;
    for (const to of this.placesNextTo(kept)) {
      if (this.work < 0) break;
      this.ring[i] = to;
      const cost = this.costNow();
      if (cost < this.cost) {
        this.cost = cost;
        kept = to;
      }
    }
    this.ring[i] = kept;
  }

  private placesNextTo({ x, y }: ImagePoint): ImagePoint[] {
    const { frame, step, last } = this.fit;
    return NEIGHBORS.map(([dx, dy]) => ({ x: x + dx * step, y: y + dy * step })).filter(
      (to) =>
        to.x >= frame.left &&
        to.y >= frame.top &&
        to.x <= frame.left + frame.width - last &&
        to.y <= frame.top + frame.height - last,
    );
  }

  private costNow(): number {
    const { target, fill } = this.fit;
    this.work -= this.price;
    const filled = fill(this.ring);
    const size = rleArea(filled),
      area = rleArea(target);
    return size + area - 2 * intersectionArea(filled, target) + this.areaWeight * Math.abs(size - area);
  }
}

/** Of filling a ring once: its frame, and its sides, which the COCO rule walks in fifths of a pixel. */
function priceOf(ring: Ring, { width, height }: Box): number {
  return width * height + ring.reduce((sum, point, i) => sum + 10 + 5 * distance(point, ring.at(i - 1)!), 0);
}

/** A wrong area weighs more than pixels in the wrong place. */
const AREA_WEIGHT = 2;
const NEIGHBORS = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
  [-1, -1],
  [1, -1],
  [-1, 1],
  [1, 1],
] as const;

/**
 * Every vertex along the bisector of its corner, so that both its edges move by `distance`.
 * @param distance pixels to the inner side; outward when negative
 */
function moveInward(ring: Ring, distance: number): Ring {
  const side = signedArea(ring) < 0 ? -1 : 1; // Clockwise on screen, the inner side is to the right.
  return ring.map((point, i) => {
    const before = edgeNormal(ring, i, -1);
    const after = edgeNormal(ring, i, 1);
    if (before === undefined || after === undefined) return point;
    const x = before.x + after.x,
      y = before.y + after.y;
    const squared = x * x + y * y; // 2 + 2 cos of the turn
    const stretch = squared === 0 ? 0 : Math.min((2 * Math.abs(distance)) / squared, LONGEST_MOVE / Math.sqrt(squared));
    const move = side * Math.sign(distance) * stretch;
    return { x: point.x + move * x, y: point.y + move * y };
  });
}

/** Unit vector to the right of the edge that ends at a vertex (-1) or begins there (1), past equal vertices. */
function edgeNormal(ring: Ring, at: number, direction: 1 | -1): ImagePoint | undefined {
  const from = ring[at]!;
  for (let k = 1; k < ring.length; k++) {
    const to = ring[(at + direction * k + ring.length) % ring.length]!;
    const dx = direction * (to.x - from.x),
      dy = direction * (to.y - from.y);
    const length = Math.hypot(dx, dy);
    if (length > 0) return { x: -dy / length, y: dx / length };
  }
  return undefined;
}

/**
 * The pixels that the ring's bounds touch.
 * @param beyond 1 where the largest coordinate names a pixel, 0 where it is that pixel's far border
 */
function frameOf(ring: Ring, beyond: 0 | 1): Box | undefined {
  const bounds = polygonBounds([ring]);
  if (bounds === undefined) return undefined;
  const left = Math.floor(bounds.left),
    top = Math.floor(bounds.top);
  return {
    left,
    top,
    width: Math.max(1, Math.ceil(bounds.left + bounds.width) + beyond - left),
    height: Math.max(1, Math.ceil(bounds.top + bounds.height) + beyond - top),
  };
}

function distance(a: ImagePoint, b: ImagePoint): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
function isSame(a: ImagePoint, b: ImagePoint): boolean {
  return a.x === b.x && a.y === b.y;
}
function shifted(ring: Ring, { left, top }: Box): Ring {
  return ring.map(({ x, y }) => ({ x: x - left, y: y - top }));
}
function within(value: number, from: number, count: number): number {
  return Math.min(from + count - 1, Math.max(from, value));
}
