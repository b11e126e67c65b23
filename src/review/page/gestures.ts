/**
 * Pointers on the canvas: one gesture means one thing. The body of the polygon cannot be dragged. Two fingers zoom and
 * pan. A new box and an outline by hand also go with the keyboard: arrows move a cross, Space sets what it shows.
 */
import type { BoxXywh, ImagePoint, InstanceView } from "../api.js";
import type { Canvas } from "./canvas.js";
import type { Desk } from "./desk.js";
import type { BEGUN } from "./words.js";
import { FEWEST_VERTICES, inserted, moved, nearestOnEdge, removed } from "./edit.js";

/** Pixels of the screen. */
const EDGE_REACH = 10;
const DRAG_FROM = 4;
const FINE_STEP = 2;
const COARSE_STEP = 20;

type Held =
  | { readonly kind: "pan"; last: ImagePoint }
  | { readonly kind: "pinch" }
  /** A vertex of an outline, or the new place of one that was picked up. */
  | { readonly kind: "place" }
  | { readonly kind: "vertex"; readonly at: number; readonly start: ImagePoint; isDragged: boolean }
  | { readonly kind: "box"; readonly start: ImagePoint; readonly from: ImagePoint };

export class Gestures {
  /** Vertex that a click picked up; the next click says where it goes. */
  picked: number | undefined;
  edgeDot: ImagePoint | undefined;
  newBox: BoxXywh | undefined;
  /** Where Space sets a corner or a vertex; it follows the pointer. */
  cross: ImagePoint | undefined;
  isSpaceHeld = false;
  /** The view was moved with Space held, so that letting it go takes nothing. */
  hasPanned = false;
  private held: Held | undefined;
  private corner: ImagePoint | undefined;
  /** Fingers on the canvas, where they are. */
  private readonly fingers = new Map<number, ImagePoint>();

  constructor(
    private readonly canvas: Canvas,
    private readonly desk: Desk,
    private readonly refresh: () => void,
  ) {
    const { svg } = canvas;
    svg.addEventListener("pointerdown", (event) => {
      this.down(event);
    });
    svg.addEventListener("pointermove", (event) => {
      this.move(event);
    });
    svg.addEventListener("pointerup", (event) => {
      this.up(event);
    });
    svg.addEventListener("pointercancel", ({ pointerId }) => {
      this.fingers.delete(pointerId);
      this.held = undefined;
    });
    svg.addEventListener("contextmenu", (event) => {
      event.preventDefault();
    });
    svg.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        canvas.zoomBy(Math.exp(-event.deltaY / 400), canvas.place(event));
        refresh();
      },
      { passive: false },
    );
  }

  /** Begins a box or an outline, which ends what was begun before; the view can be moved in between. */
  begin(mode: keyof typeof BEGUN): void {
    const { desk } = this;
    if (mode !== "pan") this.cancel();
    desk.network.drop();
    if (mode !== "draw") desk.tool = mode;
    else if (desk.edit?.shape.isOpen === false) desk.change({ ring: [], pins: [], isOpen: true });
    this.placeCross();
    if (this.cross !== undefined) this.canvas.reveal(this.cross);
  }

  /** In a box or an outline there is always a cross, also where an edit that was taken back leads into one. */
  placeCross(): void {
    const { desk, cross } = this;
    const { edit, mode } = desk;
    if (mode === "edit" || mode === "pan") this.cross = undefined;
    else if (cross === undefined && edit !== undefined) {
      const { box, ring } = edit.shape;
      const [left, top, width, height] = box;
      const middle = { x: left + width / 2, y: top + height / 2 };
      this.cross = onImage(mode === "box" ? { x: left, y: top } : (ring.at(-1) ?? middle), edit.view);
    }
  }

  /** @returns whether the outline that was drawn is a polygon now */
  closeOutline(): boolean {
    const { desk } = this;
    if (desk.mode !== "draw" || (desk.edit?.shape.ring.length ?? 0) < FEWEST_VERTICES) return false;
    this.reset();
    desk.change({ isOpen: false });
    return true;
  }

  /** @returns whether there was something to end */
  cancel(): boolean {
    const { held, desk } = this;
    const wasBusy = held !== undefined || this.picked !== undefined || desk.mode !== "edit";
    this.letGo();
    // Two vertices are no polygon: what was there before stands.
    if (desk.mode === "draw" && !this.closeOutline() && desk.edit !== undefined) desk.change(desk.edit.standing);
    this.reset();
    desk.tool = "edit";
    return wasBusy;
  }

  /** A drag that was begun is undone. */
  private letGo(): void {
    const { held } = this;
    this.held = undefined;
    if (held?.kind === "vertex" && held.isDragged) this.desk.edit?.undo();
  }

  /** The cross moves, by pixels of the screen. */
  moveCross([dx, dy]: readonly [number, number], isCoarse: boolean): void {
    const { canvas, desk, cross } = this;
    if (desk.edit === undefined || cross === undefined) return;
    const step = (isCoarse ? COARSE_STEP : FINE_STEP) / canvas.scale;
    // Whoever goes on drawing leaves what is proposed, and Space means the next vertex.
    desk.network.drop();
    this.point(onImage({ x: cross.x + dx * step, y: cross.y + dy * step }, desk.edit.view));
    canvas.reveal(this.cross!);
    this.refresh();
  }

  /** What a click at the cross does. */
  setAtCross(): void {
    const { desk, cross } = this;
    if (cross === undefined) return;
    if (desk.mode === "draw") this.place(cross);
    else if (this.corner === undefined) this.corner = cross;
    else this.endBox(this.corner, cross);
    this.refresh();
  }

  private point(cross: ImagePoint): void {
    this.cross = cross;
    if (this.corner !== undefined) this.newBox = between(this.corner, cross);
  }

  reset(): void {
    this.held = undefined;
    this.picked = undefined;
    this.corner = undefined;
    this.newBox = undefined;
    this.edgeDot = undefined;
    this.cross = undefined;
  }

  private down(event: PointerEvent): void {
    const { desk, canvas } = this;
    const { edit } = desk;
    if (edit === undefined || event.button > 1) return;
    const place = canvas.place(event);
    canvas.svg.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, place);
      if (this.fingers.size > 1) {
        this.letGo();
        this.held = { kind: "pinch" };
        return;
      }
    }
    if (event.button === 1 || this.isSpaceHeld || desk.mode === "pan") {
      event.preventDefault();
      this.held = { kind: "pan", last: place };
      canvas.svg.classList.add("panning");
      return;
    }
    const point = onImage(canvas.toImage(place), edit.view);
    if (desk.mode === "box") {
      this.held = { kind: "box", start: place, from: point };
    } else if (desk.mode === "draw") {
      this.held = { kind: "place" };
    } else this.downOnShape(event, place);
  }

  private downOnShape(event: PointerEvent, place: ImagePoint): void {
    const { desk } = this;
    const { shape } = desk.edit!;
    const target = event.target instanceof Element ? event.target : undefined;
    const vertex = target?.closest("[data-vertex]")?.getAttribute("data-vertex");
    if (this.picked !== undefined && vertex !== String(this.picked)) {
      this.held = { kind: "place" };
    } else if (vertex !== undefined && vertex !== null) {
      const at = Number(vertex);
      if (event.altKey) this.remove(at);
      else this.held = { kind: "vertex", at, start: place, isDragged: false };
    } else if (target?.closest("[data-ghost]") !== null && desk.network.ghost !== undefined) {
      desk.network.take();
    } else {
      const edge = this.edgeAt(place);
      if (edge === undefined) return;
      desk.change(inserted(shape, edge.at, edge.point), "add");
      this.edgeDot = undefined;
      this.held = { kind: "vertex", at: edge.at, start: place, isDragged: true };
    }
  }

  /** The next vertex of an outline, or a picked vertex in its new place. */
  private place(point: ImagePoint): void {
    const { desk, canvas, picked } = this;
    const { edit } = desk;
    if (edit === undefined) return;
    if (desk.mode === "draw") {
      const { ring, pins } = edit.shape;
      desk.change({ ring: [...ring, point], pins: [...pins, ring.length] }, "manual");
      void desk.network.propose(ring.length);
    } else if (picked !== undefined) {
      this.picked = undefined;
      desk.change(moved(edit.shape, picked, point), "move");
      canvas.focusVertex(picked);
      void desk.network.propose(picked);
    }
  }

  /** A vertex in the middle of the edge behind one. */
  addBehind(vertex: number): void {
    const { desk, canvas } = this;
    const { edit } = desk;
    const from = edit?.shape.ring[vertex];
    if (edit === undefined || from === undefined || desk.mode !== "edit") return;
    const to = edit.shape.ring[(vertex + 1) % edit.shape.ring.length]!;
    desk.change(inserted(edit.shape, vertex + 1, { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }), "add");
    canvas.focusVertex(vertex + 1);
  }

  remove(at: number): void {
    const { desk } = this;
    const { edit } = desk;
    if (edit === undefined) return;
    const next = removed(edit.shape, at);
    this.picked = undefined;
    if (next !== undefined) desk.change(next, "delete");
  }

  private move(event: PointerEvent): void {
    const { desk, canvas, held } = this;
    const { edit } = desk;
    if (edit === undefined) return;
    const place = canvas.place(event);
    if (held?.kind === "pinch") this.pinch(event.pointerId, place);
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, place);
    if (held?.kind === "pinch") return;
    if (held === undefined) {
      this.hover(event, place);
      return;
    }
    if (held.kind === "pan") {
      canvas.panBy(place.x - held.last.x, place.y - held.last.y);
      held.last = place;
      this.hasPanned = this.isSpaceHeld;
      this.refresh();
      return;
    }
    const point = onImage(canvas.toImage(place), edit.view);
    if (held.kind === "place") return;
    if (held.kind === "box") {
      this.newBox = between(this.corner ?? held.from, point);
      this.refresh();
      return;
    }
    if (held.isDragged) desk.replace(moved(edit.shape, held.at, point));
    else if (Math.hypot(place.x - held.start.x, place.y - held.start.y) >= DRAG_FROM) {
      held.isDragged = true;
      this.picked = undefined;
      desk.change(moved(edit.shape, held.at, point), "move");
    }
  }

  /** One finger of two moved: what lies under both stays under both. */
  private pinch(id: number, place: ImagePoint): void {
    const { canvas } = this;
    const before = this.fingers.get(id);
    const [other] = [...this.fingers].filter(([finger]) => finger !== id).map(([, at]) => at);
    if (before === undefined || other === undefined) return;
    const apart = (at: ImagePoint): number => Math.max(1, Math.hypot(at.x - other.x, at.y - other.y));
    const middle = { x: (place.x + other.x) / 2, y: (place.y + other.y) / 2 };
    canvas.panBy((place.x - before.x) / 2, (place.y - before.y) / 2);
    canvas.zoomBy(apart(place) / apart(before), middle);
    this.refresh();
  }

  private hover(event: PointerEvent, place: ImagePoint): void {
    const { desk } = this;
    if (this.cross !== undefined && desk.edit !== undefined)
      this.point(onImage(this.canvas.toImage(place), desk.edit.view));
    const isOnVertex = event.target instanceof Element && event.target.closest("[data-vertex],[data-ghost]") !== null;
    const isFree = desk.mode === "edit" && this.picked === undefined && !isOnVertex && event.pointerType !== "touch";
    this.edgeDot = isFree ? this.edgeAt(place)?.point : undefined;
    this.refresh();
  }

  private up(event: PointerEvent): void {
    const { desk, canvas, held, corner } = this;
    this.held = undefined;
    this.fingers.delete(event.pointerId);
    canvas.svg.classList.remove("panning");
    const { edit } = desk;
    if (held === undefined || edit === undefined || held.kind === "pan" || held.kind === "pinch") return;
    const place = canvas.place(event);
    const point = onImage(canvas.toImage(place), edit.view);
    if (held.kind === "place") {
      this.place(point);
      this.refresh();
      return;
    }
    if (held.kind === "box") {
      const isDrag = Math.hypot(place.x - held.start.x, place.y - held.start.y) >= DRAG_FROM;
      if (isDrag || corner !== undefined) this.endBox(corner ?? held.from, point);
      else {
        this.corner = held.from;
        this.point(point);
      }
      this.refresh();
      return;
    }
    canvas.focusVertex(held.at);
    if (held.isDragged) void desk.network.propose(held.at);
    else this.picked = this.picked === held.at ? undefined : held.at;
    this.refresh();
  }

  private endBox(from: ImagePoint, to: ImagePoint): void {
    const box = between(from, to);
    if (box[2] < 1 || box[3] < 1) return;
    this.reset();
    void this.desk.newBox(box);
  }

  private edgeAt(place: ImagePoint): ReturnType<typeof nearestOnEdge> {
    const { canvas, desk } = this;
    const edge = nearestOnEdge(desk.edit?.shape.ring ?? [], canvas.toImage(place));
    return edge !== undefined && edge.distance * canvas.scale <= EDGE_REACH ? edge : undefined;
  }
}

function between(from: ImagePoint, to: ImagePoint): BoxXywh {
  return [Math.min(from.x, to.x), Math.min(from.y, to.y), Math.abs(from.x - to.x), Math.abs(from.y - to.y)];
}

/** @returns the nearest point on the image, in hundredths of a pixel */
export function onImage({ x, y }: ImagePoint, { imageWidth, imageHeight }: InstanceView): ImagePoint {
  const within = (value: number, most: number): number => Math.round(Math.min(most, Math.max(0, value)) * 100) / 100;
  return { x: within(x, imageWidth), y: within(y, imageHeight) };
}
