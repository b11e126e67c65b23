/**
 * Polygon to mask by the COCO rule, pixel for pixel as pycocotools fills it.
 *
 * The rule: points are scaled by 5 and rounded, and edges are traced on that fine lattice. Where the trace passes the
 * middle of an image column (from fine column 5n + 2 to 5n + 3), the fill toggles at the trace's row, rounded up.
 * Toggles outside the image's columns are dropped, and rows are clamped.
 *
 * pycocotools traces every lattice point, which is slow on large outlines. Here each edge computes its passings
 * directly, with the same floating-point expressions. The masks are equal to the last pixel on random rings
 * (bench/figures.md) and, in every test run, on fixtures/goldens/iou-pairs.json.
 */
import { invalidData } from "../errors.js";
import type { Polygon, Ring, Rle } from "../types.js";
import { emptyRle, unionRle } from "./rle.js";

/** Lattice points per pixel. */
const SCALE = 5;
/** Fine column, modulo 5, after which the trace is past the middle of an image column. */
const MIDDLE = 2;
/** Largest coordinate in pixels, either sign: five times this still fits the 32-bit integers of pycocotools. */
const MAX_COORDINATE = 4e8;
/** Most passings of one ring; half a gigabyte of them. */
const MAX_PASSINGS = 2 ** 27;

/**
 * Union of the filled rings.
 * @param height pixels of the image; likewise `width`; at least 1
 * @throws E_DATA when a coordinate is not a finite number within 4e8 pixels, or a ring passes more than 2^27 columns
 */
export function rasterizePolygon(polygon: Polygon, height: number, width: number): Rle {
  if (polygon.length === 0) return emptyRle(height, width);
  return unionRle(polygon.map((ring) => rasterizeRing(ring, height, width)));
}

function rasterizeRing(ring: Ring, height: number, width: number): Rle {
  const lattice = toLattice(ring);
  const toggles: Toggles = { height, width, pixels: new Uint32Array(countPassings(lattice.xs, width)), used: 0 };
  for (let i = 0; i < ring.length; i++) traceEdge(lattice, i, toggles);
  return rleFromToggles(toggles.pixels.subarray(0, toggles.used).sort(), height, width);
}

/** Points of a ring on the fine lattice, the first one again at the end. */
interface Lattice {
  readonly xs: Float64Array;
  readonly ys: Float64Array;
}

/** Where the fill of an image toggles. */
interface Toggles {
  readonly height: number;
  readonly width: number;
  /** Indices of pixels, column-major. */
  readonly pixels: Uint32Array;
  used: number;
}

/** Scaled, and rounded toward zero as C does. */
function toLattice(ring: Ring): Lattice {
  const xs = new Float64Array(ring.length + 1);
  const ys = new Float64Array(ring.length + 1);
  for (let i = 0; i < ring.length; i++) {
    const { x, y } = ring[i]!;
    if (!(Math.abs(x) <= MAX_COORDINATE && Math.abs(y) <= MAX_COORDINATE)) {
      throw invalidData(
        `polygon: expected coordinates within ${MAX_COORDINATE} pixels, received (${x}, ${y})`,
        "Check the polygon's units: they are pixels of the image.",
      );
    }
    xs[i] = Math.trunc(SCALE * x + 0.5);
    ys[i] = Math.trunc(SCALE * y + 0.5);
  }
  xs[ring.length] = xs[0]!;
  ys[ring.length] = ys[0]!;
  return { xs, ys };
}

/**
 * First image column whose middle is not passed before a fine column; of two fine columns, first and one past the last.
 */
function firstColumn(fine: number): number {
  return Math.max(0, Math.ceil((fine - MIDDLE) / SCALE));
}

function countPassings(xs: Float64Array, width: number): number {
  let count = 0;
  for (let i = 1; i < xs.length; i++) {
    const from = Math.min(xs[i - 1]!, xs[i]!);
    const to = Math.max(xs[i - 1]!, xs[i]!);
    count += Math.max(0, Math.min(width, firstColumn(to)) - firstColumn(from));
  }
  if (count > MAX_PASSINGS) {
    throw invalidData(
      `polygon: expected a ring that passes at most ${MAX_PASSINGS} image columns, ` +
        `received one of ${xs.length - 1} vertices that passes ${count}`,
      "Simplify the polygon.",
    );
  }
  return count;
}

/** Adds the toggles of the edge from point `i` to the next one. */
function traceEdge({ xs: allX, ys: allY }: Lattice, i: number, toggles: Toggles): void {
  const { height, width, pixels } = toggles;
  const x0 = allX[i]!;
  const y0 = allY[i]!;
  const x1 = allX[i + 1]!;
  const y1 = allY[i + 1]!;
  const dx = Math.abs(x1 - x0);
  const dy = Math.abs(y1 - y0);
  const flat = dx >= dy;
  const isReversed = flat ? x0 > x1 : y0 > y1;
  const xs = isReversed ? x1 : x0;
  const xe = isReversed ? x0 : x1;
  const ys = isReversed ? y1 : y0;
  const ye = isReversed ? y0 : y1;
  const last = Math.min(width, firstColumn(Math.max(x0, x1)));
  if (flat) {
    const slope = (ye - ys) / dx;
    for (let column = firstColumn(xs); column < last; column++) {
      const t = SCALE * column + MIDDLE - xs;
      const row = Math.min(Math.trunc(ys + slope * t + 0.5), Math.trunc(ys + slope * (t + 1) + 0.5));
      pixels[toggles.used++] = column * height + rowOf(row, height);
    }
    return;
  }
  const slope = (xe - xs) / dy;
  for (let column = firstColumn(Math.min(x0, x1)); column < last; column++) {
    const t = lastStepBefore(SCALE * column + MIDDLE, xs, slope);
    pixels[toggles.used++] = column * height + rowOf(t + ys, height);
  }
}

/** Last step of a steep edge before its rounded x goes from `fine` to `fine` + 1, or back with a negative slope. */
function lastStepBefore(fine: number, xs: number, slope: number): number {
  // The division gives the step or a later one; the expression that pycocotools rounds decides.
  let t = Math.ceil((fine + 0.5 - xs) / slope);
  while (Math.trunc(xs + slope * t + 0.5) > fine === slope > 0) t--;
  return t;
}

/** First filled row, 0..height; `height` is below the image: the toggle then falls on the top of the next column. */
function rowOf(fineRow: number, height: number): number {
  return Math.ceil(Math.min(height, Math.max(0, (fineRow + 0.5) / SCALE - 0.5)));
}

/** Runs between sorted toggles; two equal toggles cancel. */
function rleFromToggles(toggles: Uint32Array, height: number, width: number): Rle {
  const pixels = height * width;
  const counts = new Uint32Array(toggles.length + 1);
  let written = 0;
  let start = 0;
  for (let i = 0; i < toggles.length; i++) {
    const at = toggles[i]!;
    if (at === toggles[i + 1]) {
      i++;
    } else if (at < pixels) {
      counts[written++] = at - start;
      start = at;
    }
  }
  counts[written++] = pixels - start;
  return { height, width, counts: counts.slice(0, written) };
}
