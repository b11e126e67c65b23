/**
 * Polygon to pixels by the rule of Pillow's ImageDraw.polygon, which the Cityscapes tools fill with. A square from 0 to
 * 9 fills 100 pixels here and 81 by the COCO rule: outlines belong to the shape.
 *
 * The rule: coordinates lose their fraction (toward zero), and horizontal edges are filled from end to end. Each row is
 * filled between pairs of edge crossings, computed in single precision; corners that would come apart are joined.
 *
 * Equal to Pillow 12.3.0 to the last pixel on random rings (bench/figures.md) and, in every test run, on
 * fixtures/goldens/iou-pairs.json. Older releases join the corners of thin spikes in other ways and were not compared.
 */
import type { Polygon, Ring, Rle } from "../types.js";
import { rleFromWindow } from "./rle-window.js";
import { emptyRle } from "./rle.js";

/** Labels of an image: row-major, width * height. */
export interface LabeledPixels {
  readonly labels: Int32Array;
  readonly width: number;
  readonly height: number;
}

/** What the spans of an image are painted on. */
interface Canvas {
  readonly width: number;
  readonly height: number;
  /** Receives the filled pixels `from`..`to`, both included, of a row inside the image; a pixel may come repeatedly. */
  readonly paint: (row: number, from: number, to: number) => void;
}

/** An edge that is not horizontal. */
interface Edge {
  /** Position in the ring. */
  readonly index: number;
  readonly x0: number;
  readonly y0: number;
  /** Change of x per row, single precision. */
  readonly slope: number;
  readonly top: number;
  readonly bottom: number;
}

/** Writes `label` over every pixel of the ring that lies in the image. Fewer than 2 vertices paint nothing. */
export function paintRing({ labels, width, height }: LabeledPixels, ring: Ring, label: number): void {
  const paint = (row: number, from: number, to: number): void => {
    labels.fill(label, row * width + from, row * width + to + 1);
  };
  scanRing(ring, { width, height, paint });
}

/** Union of the filled rings. Allocates one byte per pixel of the polygon's bounds. */
export function rasterizePolygonPil(polygon: Polygon, height: number, width: number): Rle {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (const ring of polygon) {
    for (const { x, y } of ring) {
      left = Math.min(left, Math.trunc(x));
      right = Math.max(right, Math.trunc(x));
      top = Math.min(top, Math.trunc(y));
      bottom = Math.max(bottom, Math.trunc(y));
    }
  }
  left = Math.max(left, 0);
  top = Math.max(top, 0);
  const columns = Math.min(right, width - 1) - left + 1;
  const rows = Math.min(bottom, height - 1) - top + 1;
  if (columns <= 0 || rows <= 0) return emptyRle(height, width);

  const filled = new Uint8Array(columns * rows);
  const paint = (row: number, from: number, to: number): void => {
    for (let x = from; x <= to; x++) filled[(x - left) * rows + row - top] = 1;
  };
  for (const ring of polygon) scanRing(ring, { width, height, paint });
  return rleFromWindow(filled, { left, top, columns, rows }, height, width);
}

/** Paints one ring. Edges keep the ring's order, because the rule for corners depends on it. */
function scanRing(ring: Ring, canvas: Canvas): void {
  if (ring.length < 2) return;
  const { width, height, paint } = canvas;
  const edges: Edge[] = [];
  let top = height - 1;
  let bottom = 0;
  for (let i = 0; i < ring.length; i++) {
    const x0 = Math.trunc(ring[i]!.x);
    const y0 = Math.trunc(ring[i]!.y);
    const next = ring[i + 1] ?? ring[0]!;
    const x1 = Math.trunc(next.x);
    const y1 = Math.trunc(next.y);
    top = Math.min(top, y0);
    bottom = Math.max(bottom, y0);
    if (y0 !== y1) {
      const slope = Math.fround(Math.fround(x1 - x0) / Math.fround(y1 - y0));
      edges.push({ index: i, x0, y0, slope, top: Math.min(y0, y1), bottom: Math.max(y0, y1) });
    } else if (y0 >= 0 && y0 < height && Math.max(x0, x1) >= 0 && Math.min(x0, x1) < width) {
      paint(y0, Math.max(0, Math.min(x0, x1)), Math.min(width - 1, Math.max(x0, x1)));
    }
  }
  scanRows(edges, Math.max(0, top), Math.min(bottom, height), canvas);
}

/** Fills rows `top`..`bottom`; the last may be one below the image, which decides how corners on it would count. */
function scanRows(edges: readonly Edge[], top: number, bottom: number, canvas: Canvas): void {
  const waiting = [...edges].sort((a, b) => a.top - b.top);
  const crossings = new Float32Array(2 * edges.length);
  let active: Edge[] = [];
  let taken = 0;
  let nextChange = top;
  for (let row = top; row <= Math.min(bottom, canvas.height - 1); row++) {
    if (row === nextChange) {
      while (taken < waiting.length && waiting[taken]!.top <= row) active.push(waiting[taken++]!);
      active = active.filter((edge) => edge.bottom >= row).sort((a, b) => a.index - b.index);
      nextChange = active.reduce((next, edge) => Math.min(next, edge.bottom + 1), waiting[taken]?.top ?? Infinity);
    }
    const count = findCrossings(active, row, bottom, crossings);
    paintBetween(crossings, count, row, canvas);
  }
}

/**
 * Writes the x of every crossing of a row, from left to right. Edges that end on the row count twice, except on the
 * polygon's last row.
 * @param active edges that reach the row, in the ring's order
 * @returns the number of crossings
 */
function findCrossings(active: readonly Edge[], row: number, bottom: number, crossings: Float32Array): number {
  let count = 0;
  for (let i = 0; i < active.length; i++) {
    const edge = active[i]!;
    const x = crossingAt(edge, row);
    crossings[count++] = x;
    if (row === edge.bottom && row < bottom) {
      crossings[count++] = x;
    } else if (row === edge.top || row === edge.bottom) {
      crossings[count - 1] = joinCorner(active, i, row, x);
    }
  }
  sortFirst(crossings, count);
  return count;
}

/** Makes no view for two crossings, which almost every row has. */
function sortFirst(crossings: Float32Array, count: number): void {
  if (count > 2) {
    crossings.subarray(0, count).sort();
  } else if (count === 2 && crossings[0]! > crossings[1]!) {
    const left = crossings[1]!;
    crossings[1] = crossings[0]!;
    crossings[0] = left;
  }
}

/**
 * Where two edges meet on a row and both run more than a pixel to the same side before the neighboring row, the fills
 * of the two rows would not touch. The crossing then moves to one pixel from the nearer edge there.
 */
function joinCorner(active: readonly Edge[], current: number, row: number, x: number): number {
  const edge = active[current]!;
  if (edge.slope === 0) return x;
  const neighbor = row === edge.bottom ? row - 1 : row + 1;
  for (let k = 0; k < current; k++) {
    const other = active[k]!;
    if ((row !== other.top && row !== other.bottom) || other.slope === 0) continue;
    if (roundAway(x) !== roundAway(crossingAt(other, row))) continue;
    if (neighbor < other.top || neighbor > other.bottom) continue;
    const a = crossingAt(edge, neighbor);
    const b = crossingAt(other, neighbor);
    if (x > Math.fround(a + 1) && x > Math.fround(b + 1)) return roundAway(Math.max(a, b)) + 1;
    if (x < Math.fround(a - 1) && x < Math.fround(b - 1)) return roundAway(Math.min(a, b)) - 1;
    return x;
  }
  return x;
}

function crossingAt(edge: Edge, row: number): number {
  return Math.fround(Math.fround((row - edge.y0) * edge.slope) + edge.x0);
}

/**
 * Fills between the 1st and 2nd crossing, the 3rd and 4th, and so on; of two pixels halfway from a crossing, the inner
 * one is filled. The sum at the left is rounded to single precision, which moves crossings just below a half up to it.
 */
function paintBetween(crossings: Float32Array, count: number, row: number, { width, paint }: Canvas): void {
  let free = 0;
  for (let i = 1; i < count; i += 2) {
    const to = roundHalfDown(crossings[i]!);
    const from = Math.max(free, Math.floor(Math.fround(crossings[i - 1]! + 0.5)));
    if (to < from) continue;
    if (from < width) paint(row, from, Math.min(to, width - 1));
    free = to + 1;
  }
}

/** To the nearest integer, halves away from zero. */
function roundAway(value: number): number {
  return Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
}

/** To the nearest integer, halves toward zero. */
function roundHalfDown(value: number): number {
  return Math.sign(value) * Math.ceil(Math.abs(value) - 0.5);
}
