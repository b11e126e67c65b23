/** The polygon that a person works on: edits, each of which can be taken back, and how they are counted. No DOM. */
import type { BoxXywh, ClickCounts, Id, ImagePoint, InstanceView, Ring, Spent } from "../api.js";
import { CLICK_KINDS } from "../api.js";

export type ClickKind = keyof ClickCounts;

export interface Outline {
  readonly ring: Ring;
  /** Indexes of vertices that a person placed. */
  readonly pins: readonly number[];
}

export interface Shape extends Outline {
  readonly box: BoxXywh;
  readonly categoryId: Id;
  /** An outline that is being drawn by hand. */
  readonly isOpen: boolean;
}

const MOST_STEPS = 100;
export const FEWEST_VERTICES = 3;

export class Edit {
  private past: Shape[] = [];
  private future: Shape[] = [];
  private readonly clicks = new Map<ClickKind, number>();
  /** Differs from what the server has. */
  isDirty = false;
  /** What the next change of the instance names. */
  revision: number;
  /** As the server has them. */
  status: InstanceView["status"];
  private stored: Ring | undefined;
  /** What the instance took before it was opened here. */
  private before: Spent;

  constructor(
    readonly view: InstanceView,
    public shape: Shape = shapeOf(view),
  ) {
    this.revision = view.revision;
    this.status = view.status;
    this.stored = this.shape.ring;
    this.before = view.spent;
  }

  /** Goes on over what another window did meanwhile: its clicks count, too. */
  rebase({ revision, spent, status }: InstanceView): void {
    this.revision = revision;
    this.status = status;
    this.before = spent;
    this.stored = undefined;
    this.isDirty = true;
  }

  saved(revision: number, status: InstanceView["status"], ring: Ring): void {
    this.revision = revision;
    this.status = status;
    this.stored = ring;
  }

  /** Whether the server has this very ring: it need not be sent, and may have more vertices than can be. */
  isStored(ring: Ring): boolean {
    return ring === this.stored;
  }

  get counts(): ClickCounts {
    const all = CLICK_KINDS.map((kind) => [kind, this.before.counts[kind] + (this.clicks.get(kind) ?? 0)]);
    return Object.fromEntries(all) as Record<ClickKind, number>;
  }

  count(kind: ClickKind): void {
    this.clicks.set(kind, (this.clicks.get(kind) ?? 0) + 1);
  }

  change(next: Partial<Shape>, kind?: ClickKind): void {
    this.past.push(this.shape);
    if (this.past.length > MOST_STEPS) this.past.shift();
    this.future = [];
    this.replace(next);
    if (kind !== undefined) this.count(kind);
  }

  /** Goes on with the last step instead of making another: a drag, or a burst of arrow keys, is one step. */
  replace(next: Partial<Shape>): void {
    this.shape = { ...this.shape, ...next };
    this.isDirty = true;
  }

  /** What stands until an outline by hand is a polygon: what was there before it was begun. */
  get standing(): Shape {
    if (!this.shape.isOpen || this.shape.ring.length >= FEWEST_VERTICES) return this.shape;
    const { box, categoryId } = this.shape;
    return { ring: [], pins: [], ...this.past.findLast(({ isOpen }) => !isOpen), box, categoryId, isOpen: false };
  }

  undo(): boolean {
    return this.walk(this.past, this.future);
  }

  redo(): boolean {
    return this.walk(this.future, this.past);
  }

  private walk(from: Shape[], to: Shape[]): boolean {
    const shape = from.pop();
    if (shape === undefined) return false;
    to.push(this.shape);
    this.replace(shape);
    this.count("undo");
    return true;
  }
}

export function shapeOf(view: InstanceView): Shape {
  const { rings, box, categoryId, arm } = view;
  const ring = rings[0] ?? [];
  return { ring, pins: view.pins[0] ?? [], box, categoryId, isOpen: arm === "manual" && ring.length === 0 };
}

/** The vertex in its new place, pinned. */
export function moved({ ring, pins }: Outline, at: number, point: ImagePoint): Outline {
  return { ring: ring.with(at, point), pins: pins.includes(at) ? pins : [...pins, at].sort((a, b) => a - b) };
}

/** @param at index of the new vertex, which is pinned */
export function inserted({ ring, pins }: Outline, at: number, point: ImagePoint): Outline {
  const shifted = pins.map((pin) => (pin >= at ? pin + 1 : pin));
  return { ring: ring.toSpliced(at, 0, point), pins: [...shifted, at].sort((a, b) => a - b) };
}

/** @returns undefined where no polygon would be left */
export function removed({ ring, pins }: Outline, at: number): Outline | undefined {
  if (ring.length <= FEWEST_VERTICES) return undefined;
  return {
    ring: ring.toSpliced(at, 1),
    pins: pins.filter((pin) => pin !== at).map((pin) => (pin > at ? pin - 1 : pin)),
  };
}

/** The same outline walked the other way; index i becomes n - 1 - i. */
export function mirrored({ ring, pins }: Outline): Outline {
  const last = ring.length - 1;
  return { ring: ring.toReversed(), pins: pins.map((pin) => last - pin).toReversed() };
}

export interface EdgePoint {
  /** Index that a vertex there would get. */
  readonly at: number;
  readonly point: ImagePoint;
  readonly distance: number;
}

/** @returns the nearest place on the outline, in the ring's pixels; undefined below two vertices */
export function nearestOnEdge(ring: Ring, { x, y }: ImagePoint): EdgePoint | undefined {
  let best: EdgePoint | undefined;
  if (ring.length < 2) return undefined;
  for (const [index, from] of ring.entries()) {
    const to = ring[(index + 1) % ring.length]!;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = dx * dx + dy * dy;
    const share = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length));
    const point = { x: from.x + share * dx, y: from.y + share * dy };
    const distance = Math.hypot(point.x - x, point.y - y);
    if (best === undefined || distance < best.distance) best = { at: index + 1, point, distance };
  }
  return best;
}

export function sameRing(one: Ring, other: Ring): boolean {
  return one.length === other.length && one.every(({ x, y }, at) => x === other[at]!.x && y === other[at]!.y);
}
