/**
 * The third rule of the simulated annotator: corrections are judged by area instead of by the closest vertex, as the
 * lecture on Castrejon et al., CVPR 2017, asks. A vertex may lie anywhere as long as the outline stays right; a small
 * step that cuts off much is corrected.
 */
import { GRID_SIZE } from "../geometry/grid.js";
import { rasterizePolygon } from "../geometry/rasterize.js";
import { rleArea } from "../geometry/rle.js";
import type { ClickMetric } from "../report/types.js";
import type { GridCell } from "../types.js";
import type { ClickRule } from "./rules.js";
import { cellDistance, following } from "./rules.js";

/** A point in cells, between their centers as well. */
type OutlinePoint = GridCell;

/** Areas are measured on this many points per side of a cell. */
const LATTICE = 8;
/** Places on the truth's outline up to this much further away than the closest one are considered as well; cells. */
const PLACE_SLACK = 1;

/**
 * `area`. Each placed vertex stands for a place on the truth's outline: the closest one that is not before the place of
 * the vertex before it. Among places at most one cell further away than the closest, the one with the least area error
 * is taken.
 *
 * The area error of a proposal is the area between two paths from the last vertex to the truth vertex after the
 * proposal's place: one over the proposal, one along the truth. For the first vertex both begin at the truth vertex
 * before its place. For an end it is the area between the closing edge and the rest of the truth. Above the limit the
 * proposal costs a click:
 *
 *     a vertex, or an end, too far off    -> of the truth vertices ahead whose edge from the last vertex keeps the
 *                                            limit, the closest to the proposal (for an end: the furthest);
 *                                            the next one when none does
 *     a vertex, although ending is right  -> end-of-sequence
 *
 * @param truth  cells of the truth's ring, clockwise, at least three
 * @param limit  cells of area, 0 or more; measured on eighths of a cell, crossings counted by the even-odd rule
 * @param metric which truth vertex is the closest to the proposal
 */
export function areaRule(truth: readonly GridCell[], limit: number, metric: ClickMetric): ClickRule {
  const outline = new Outline(truth);
  const follow = following(
    (first) => outline.begin(first),
    (walk: Walk, cell) => outline.extend(walk, cell),
  );
  return (placed, proposed) => {
    if (placed.length === 0) {
      const place = outline.placeOfFirst(proposed!);
      return outline.firstError(proposed!, place) > limit ? closest(truth, proposed!, metric) : proposed;
    }
    const walk = follow(placed);
    const endsRight = outline.endError(walk) <= limit;
    if (proposed === undefined && endsRight) return undefined;
    if (proposed !== undefined && outline.bestPlace(walk, proposed).error <= limit) return proposed;
    if (endsRight) return undefined;
    const ahead = outline.verticesAhead(walk);
    const kept = ahead.filter((at) => outline.edgeError(walk, at) <= limit).map((at) => outline.point(at));
    // Ending is not right, so the truth goes on beyond the last vertex. Where only a part of its first edge is left,
    // nothing but an end is possible.
    if (kept.length === 0) return ahead.length === 0 ? undefined : cellAt(outline.point(ahead[0]!));
    return proposed === undefined ? cellAt(kept.at(-1)!) : closest(kept.map(cellAt), proposed, metric);
  };
}

/** The outline so far: its last vertex and that one's place, its first vertex and the place where the ring closes. */
interface Walk {
  readonly last: GridCell;
  readonly place: number;
  readonly first: GridCell;
  readonly end: number;
}

/**
 * A closed outline with places on it: whole numbers are vertices, fractions lie on the edge after; place n is vertex 0
 * again.
 */
class Outline {
  constructor(private readonly cells: readonly GridCell[]) {}

  point(place: number): OutlinePoint {
    const at = Math.floor(place);
    const a = this.cells[at % this.cells.length]!;
    const b = this.cells[(at + 1) % this.cells.length]!;
    const part = place - at;
    return { col: a.col + part * (b.col - a.col), row: a.row + part * (b.row - a.row) };
  }

  placeOfFirst(cell: GridCell): number {
    return nearest(this.places(cell, 0, this.cells.length)).place % this.cells.length;
  }

  /** Area between the truth around the place and a detour over the cell. */
  firstError(cell: GridCell, place: number): number {
    const before = Math.ceil(place) - 1 + this.cells.length;
    const after = Math.floor(place) + 1 + this.cells.length;
    return this.between([this.point(before), cell, this.point(after)], before, after);
  }

  begin(first: GridCell): Walk {
    const place = this.placeOfFirst(first);
    return { last: first, place, first, end: place + this.cells.length };
  }

  extend(walk: Walk, cell: GridCell): Walk {
    return { ...walk, last: cell, place: this.bestPlace(walk, cell).place };
  }

  /** The place of a cell that comes next, and its area error there. */
  bestPlace(walk: Walk, cell: GridCell): { place: number; error: number } {
    const places = this.places(cell, walk.place, walk.end);
    const limit = nearest(places).distance + PLACE_SLACK;
    let best = { place: walk.place, error: Infinity };
    for (const { place, distance } of places) {
      if (distance > limit) continue;
      const error = this.errorAt(walk, cell, place);
      // Of equal ones the furthest, so that no truth vertex that was met is left behind.
      if (error <= best.error) best = { place, error };
    }
    return best;
  }

  endError(walk: Walk): number {
    return this.between([walk.last, walk.first], walk.place, walk.end);
  }

  edgeError(walk: Walk, place: number): number {
    return this.between([walk.last, this.point(place)], walk.place, place);
  }

  /** Truth vertices after the last placed one and before the ring closes. */
  verticesAhead({ place, end }: Walk): number[] {
    const ahead: number[] = [];
    for (let at = Math.floor(place) + 1; at < end; at++) ahead.push(at);
    return ahead;
  }

  private errorAt(walk: Walk, cell: GridCell, place: number): number {
    const next = Math.floor(place) + 1;
    return next < walk.end
      ? this.between([walk.last, cell, this.point(next)], walk.place, next)
      : this.between([walk.last, cell, walk.first], walk.place, walk.end);
  }

  /** Area between a path and the truth's own from one place to another, in cells. */
  private between(path: readonly OutlinePoint[], from: number, to: number): number {
    const truth = [this.point(from)];
    for (let at = Math.floor(from) + 1; at < to; at++) truth.push(this.point(at));
    truth.push(this.point(to));
    const ring = [...path, ...truth.reverse()].map(({ col, row }) => ({
      x: (col + 0.5) * LATTICE,
      y: (row + 0.5) * LATTICE,
    }));
    return rleArea(rasterizePolygon([ring], GRID_SIZE * LATTICE, GRID_SIZE * LATTICE)) / LATTICE ** 2;
  }

  /** The closest place on each edge between two places, with its distance in cells. */
  private places(cell: GridCell, from: number, to: number): Place[] {
    const places: Place[] = [];
    for (let start = from; start < to || places.length === 0;) {
      const end = Math.min(to, Math.floor(start) + 1);
      const a = this.point(start);
      const b = this.point(end);
      const squared = (b.col - a.col) ** 2 + (b.row - a.row) ** 2;
      const dot = (cell.col - a.col) * (b.col - a.col) + (cell.row - a.row) * (b.row - a.row);
      const along = squared === 0 ? 0 : Math.min(1, Math.max(0, dot / squared));
      const place = start + along * (end - start);
      const { col, row } = this.point(place);
      places.push({ place, distance: Math.hypot(cell.col - col, cell.row - row) });
      start = end;
    }
    return places;
  }
}

interface Place {
  readonly place: number;
  /** In cells. */
  readonly distance: number;
}

function nearest(places: readonly Place[]): Place {
  return places.reduce((best, other) => (other.distance < best.distance ? other : best));
}

function closest(cells: readonly GridCell[], to: GridCell, metric: ClickMetric): GridCell {
  return cells.reduce((best, other) =>
    cellDistance(other, to, metric) < cellDistance(best, to, metric) ? other : best,
  );
}

function cellAt({ col, row }: OutlinePoint): GridCell {
  return { col, row };
}
