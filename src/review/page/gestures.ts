/** Pointers on the canvas: one gesture means one thing. The body of the polygon cannot be dragged. */
import type { BoxXywh, ImagePoint, InstanceView } from "../api.js";
import type { Canvas } from "./canvas.js";
import type { Desk } from "./desk.js";
import { inserted, moved, nearestOnEdge, removed } from "./edit.js";

/** Pixels of the screen. */
const EDGE_REACH = 10;
const DRAG_FROM = 4;

type Held =
  | { readonly kind: "pan"; last: ImagePoint }
  | { readonly kind: "vertex"; readonly at: number; readonly start: ImagePoint; isDragged: boolean }
  | { readonly kind: "box"; readonly start: ImagePoint; readonly from: ImagePoint };

export class Gestures {
  /** Vertex that a click picked up; the next click says where it goes. */
  picked: number | undefined;
  edgeDot: ImagePoint | undefined;
  newBox: BoxXywh | undefined;
  isSpaceHeld = false;
  /** The view was moved with Space held, so that letting it go takes nothing. */
  hasPanned = false;
  private held: Held | undefined;
  private corner: ImagePoint | undefined;

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
    svg.addEventListener("pointercancel", () => {
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

  /** @returns whether there was something to end */
  cancel(): boolean {
    const { held } = this;
    const wasBusy = held !== undefined || this.picked !== undefined || this.desk.mode !== "edit";
    if (held?.kind === "vertex" && held.isDragged) this.desk.edit?.undo();
    this.reset();
    this.desk.mode = "edit";
    return wasBusy;
  }

  reset(): void {
    this.held = undefined;
    this.picked = undefined;
    this.corner = undefined;
    this.newBox = undefined;
    this.edgeDot = undefined;
  }

  private down(event: PointerEvent): void {
    const { desk, canvas } = this;
    const { edit } = desk;
    if (edit === undefined || event.button > 1) return;
    const place = canvas.place(event);
    canvas.svg.setPointerCapture(event.pointerId);
    if (event.button === 1 || this.isSpaceHeld) {
      event.preventDefault();
      this.held = { kind: "pan", last: place };
      canvas.svg.classList.add("panning");
      return;
    }
    const point = onImage(canvas.toImage(place), edit.view);
    if (desk.mode === "box") {
      if (this.corner === undefined) this.held = { kind: "box", start: place, from: point };
      else this.endBox(this.corner, point);
    } else if (desk.mode === "draw") {
      const { ring, pins } = edit.shape;
      desk.change({ ring: [...ring, point], pins: [...pins, ring.length] }, "manual");
    } else this.downOnShape(event, place, point);
  }

  private downOnShape(event: PointerEvent, place: ImagePoint, point: ImagePoint): void {
    const { desk, canvas } = this;
    const { shape } = desk.edit!;
    const target = event.target instanceof Element ? event.target : undefined;
    const vertex = target?.closest("[data-vertex]")?.getAttribute("data-vertex");
    if (this.picked !== undefined && vertex !== String(this.picked)) {
      const at = this.picked;
      this.picked = undefined;
      desk.change(moved(shape, at, point), "move");
      canvas.focusVertex(at);
      void desk.propose(at);
    } else if (vertex !== undefined && vertex !== null) {
      const at = Number(vertex);
      if (event.altKey) this.remove(at);
      else this.held = { kind: "vertex", at, start: place, isDragged: false };
    } else if (target?.closest("[data-ghost]") !== null && desk.ghost !== undefined) {
      desk.take();
    } else {
      const edge = this.edgeAt(place);
      if (edge === undefined) return;
      desk.change(inserted(shape, edge.at, edge.point), "add");
      this.edgeDot = undefined;
      this.held = { kind: "vertex", at: edge.at, start: place, isDragged: true };
    }
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
    if (held === undefined) {
      this.hover(event, place);
      return;
    }
    if (held.kind === "pan") {
      canvas.panBy(place.x - held.last.x, place.y - held.last.y);
      held.last = place;
      this.hasPanned = true;
      this.refresh();
      return;
    }
    const point = onImage(canvas.toImage(place), edit.view);
    if (held.kind === "box") {
      this.newBox = between(held.from, point);
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

  private hover(event: PointerEvent, place: ImagePoint): void {
    const { desk } = this;
    if (this.corner !== undefined && desk.edit !== undefined)
      this.newBox = between(this.corner, onImage(this.canvas.toImage(place), desk.edit.view));
    const isOnVertex = event.target instanceof Element && event.target.closest("[data-vertex],[data-ghost]") !== null;
    const isFree = desk.mode === "edit" && this.picked === undefined && !isOnVertex && event.pointerType !== "touch";
    this.edgeDot = isFree ? this.edgeAt(place)?.point : undefined;
    this.refresh();
  }

  private up(event: PointerEvent): void {
    const { desk, canvas, held } = this;
    this.held = undefined;
    canvas.svg.classList.remove("panning");
    const { edit } = desk;
    if (held === undefined || edit === undefined || held.kind === "pan") return;
    if (held.kind === "box") {
      const place = canvas.place(event);
      const isDrag = Math.hypot(place.x - held.start.x, place.y - held.start.y) >= DRAG_FROM;
      if (isDrag) this.endBox(held.from, onImage(canvas.toImage(place), edit.view));
      else this.corner = held.from;
      return;
    }
    canvas.focusVertex(held.at);
    if (held.isDragged) void desk.propose(held.at);
    else this.picked = this.picked === held.at ? undefined : held.at;
    this.refresh();
  }

  private endBox(from: ImagePoint, to: ImagePoint): void {
    const box = between(from, to);
    this.reset();
    if (box[2] >= 1 && box[3] >= 1) void this.desk.newBox(box);
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
