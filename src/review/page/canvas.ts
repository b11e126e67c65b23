/**
 * The picture and the polygon over it, in screen pixels, so that handles keep their size at every zoom. Every vertex is
 * an element that takes the focus. Pinned vertices are squares, free ones round, what is proposed is dashed.
 */
import type { BoxXywh, ImagePoint, InstanceView, Ring } from "../api.js";
import type { Shape } from "./edit.js";

const SVG = "http://www.w3.org/2000/svg";
const FRAME = 16;
const MOST_ZOOM = 40;
/** Half of 24 px, the smallest target. */
const HIT_RADIUS = 12;
const DOT_RADIUS = 4.5;
const CROSS_RADIUS = 11;
/** Pixels of the screen that a point in work keeps from the edge. */
const EDGE = 28;

export interface Drawing {
  readonly shape: Shape;
  readonly ghost: Ring | undefined;
  /** Of another window. */
  readonly theirs: Ring | undefined;
  /** Index of a vertex that was picked up by a click. */
  readonly picked: number | undefined;
  readonly isHidden: boolean;
  /** An outline that is being drawn is open. */
  readonly isOpen: boolean;
  readonly edgeDot: ImagePoint | undefined;
  readonly newBox: BoxXywh | undefined;
  /** Where Space sets a corner or a vertex. */
  readonly cross: ImagePoint | undefined;
}

export class Canvas {
  private readonly image = make("image", "picture");
  /** Other polygons end with the picture. */
  private readonly frame = make("rect", "frame");
  private readonly others = make("g", "others");
  private readonly box = make("rect", "box");
  private readonly under = make("path", "under");
  private readonly outline = make("path", "outline");
  private readonly theirs = make("path", "theirs");
  private readonly ghost = make("path", "ghost");
  private readonly ghostHit = make("path", "ghost-hit");
  private readonly dot = make("circle", "edge-dot");
  private readonly handles = make("g", "handles");
  private readonly crosses = [make("path", "cross under"), make("path", "cross")];
  private view: InstanceView | undefined;
  private zoom = 1;
  private left = 0;
  private top = 0;

  constructor(readonly svg: SVGSVGElement) {
    this.ghostHit.setAttribute("data-ghost", "");
    this.dot.setAttribute("r", "5");
    const clip = make("clipPath", "clip");
    clip.id = "picture-frame";
    clip.append(this.frame);
    this.others.setAttribute("clip-path", "url(#picture-frame)");
    svg.append(clip);
    svg.append(this.image, this.others, this.box, this.under, this.outline, this.theirs, this.ghost, this.ghostHit);
    svg.append(this.dot, this.handles, ...this.crosses);
  }

  open(view: InstanceView): void {
    this.view = view;
    this.image.removeAttribute("href");
    this.svg.dataset["ordinal"] = String(view.ordinal);
    this.fit();
  }

  show(address: string): void {
    this.image.setAttribute("href", address);
  }

  filter(brightness: number, contrast: number): void {
    this.image.style.filter = `brightness(${brightness}) contrast(${contrast})`;
  }

  /** The whole picture, in the middle. */
  fit(): void {
    if (this.view === undefined) return;
    const { x, y, scale, width, height } = this.view.view;
    const [wide, high] = [width / scale, height / scale];
    const { clientWidth, clientHeight } = this.svg;
    this.zoom = Math.max(0.001, Math.min((clientWidth - FRAME) / wide, (clientHeight - FRAME) / high));
    this.left = x - (clientWidth / this.zoom - wide) / 2;
    this.top = y - (clientHeight / this.zoom - high) / 2;
  }

  /** @param at place on the screen that stays where it is; the middle where absent */
  zoomBy(factor: number, at?: ImagePoint): void {
    const place = at ?? { x: this.svg.clientWidth / 2, y: this.svg.clientHeight / 2 };
    const fixed = this.toImage(place);
    this.zoom = Math.min(MOST_ZOOM, Math.max(0.02, this.zoom * factor));
    this.left = fixed.x - place.x / this.zoom;
    this.top = fixed.y - place.y / this.zoom;
  }

  panBy(dx: number, dy: number): void {
    this.left -= dx / this.zoom;
    this.top -= dy / this.zoom;
  }

  /** Moves the view as little as a point needs to be seen. */
  reveal(point: ImagePoint): void {
    const { x, y } = this.toScreen(point);
    const lack = (at: number, size: number): number => Math.min(0, at - EDGE) + Math.max(0, at - (size - EDGE));
    this.panBy(-lack(x, this.svg.clientWidth), -lack(y, this.svg.clientHeight));
  }

  get scale(): number {
    return this.zoom;
  }

  toImage({ x, y }: ImagePoint): ImagePoint {
    return { x: this.left + x / this.zoom, y: this.top + y / this.zoom };
  }

  /** Where a pointer is, relative to the canvas. */
  place({ clientX, clientY }: { readonly clientX: number; readonly clientY: number }): ImagePoint {
    const { left, top } = this.svg.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  draw(drawing: Drawing): void {
    const { view } = this;
    if (view === undefined) return;
    const { shape, ghost, theirs, cross, isHidden, edgeDot } = drawing;
    const { x, y, scale, width, height } = view.view;
    for (const element of [this.image, this.frame]) this.rectangle(element, [x, y, width / scale, height / scale]);
    this.rectangle(this.box, drawing.newBox ?? shape.box);
    this.others.replaceChildren(
      ...view.others.map((ring) => {
        const path = make("path", "other");
        path.setAttribute("d", this.path(ring, true));
        return path;
      }),
    );
    const outline = this.path(shape.ring, !drawing.isOpen);
    this.under.setAttribute("d", outline);
    this.outline.setAttribute("d", outline);
    const way = ghost === undefined ? "" : this.path(ghost, true);
    this.ghost.setAttribute("d", way);
    this.ghostHit.setAttribute("d", way);
    this.theirs.setAttribute("d", theirs === undefined ? "" : this.path(theirs, true));
    for (const path of this.crosses) path.setAttribute("d", cross === undefined ? "" : this.cross(cross));
    this.svg.classList.toggle("hidden-shape", isHidden);
    this.dot.classList.toggle("away", edgeDot === undefined);
    if (edgeDot !== undefined) this.put(this.dot, edgeDot);
    this.drawHandles(drawing);
  }

  focusVertex(at: number): void {
    (this.handles.children[at] as SVGGElement | undefined)?.focus();
  }

  /** Elements stay, so that the focus does. */
  private drawHandles({ shape: { ring, pins }, picked }: Drawing): void {
    while (this.handles.children.length > ring.length) this.handles.lastElementChild!.remove();
    while (this.handles.children.length < ring.length) this.handles.append(makeHandle(this.handles.children.length));
    const pinned = new Set(pins);
    for (const [index, point] of ring.entries()) {
      const handle = this.handles.children[index]!;
      const { x, y } = this.toScreen(point);
      handle.setAttribute("transform", `translate(${x} ${y})`);
      handle.classList.toggle("pinned", pinned.has(index));
      handle.classList.toggle("picked", picked === index);
      const words = `vertex ${index + 1} of ${ring.length}${pinned.has(index) ? ", pinned" : ""}`;
      handle.setAttribute("aria-label", words);
    }
  }

  private toScreen({ x, y }: ImagePoint): ImagePoint {
    return { x: (x - this.left) * this.zoom, y: (y - this.top) * this.zoom };
  }

  private cross(point: ImagePoint): string {
    const { x, y } = this.toScreen(point);
    const r = CROSS_RADIUS;
    return `M${x - r} ${y}H${x + r}M${x} ${y - r}V${y + r}`;
  }

  private put(element: SVGElement, point: ImagePoint): void {
    const { x, y } = this.toScreen(point);
    element.setAttribute("cx", String(x));
    element.setAttribute("cy", String(y));
  }

  private rectangle(element: SVGElement, [x, y, width, height]: BoxXywh): void {
    const corner = this.toScreen({ x, y });
    const sides = { x: corner.x, y: corner.y, width: width * this.zoom, height: height * this.zoom };
    for (const [name, value] of Object.entries(sides)) element.setAttribute(name, String(value));
  }

  private path(ring: Ring, isClosed: boolean): string {
    if (ring.length === 0) return "";
    const points = ring.map((point) => {
      const { x, y } = this.toScreen(point);
      return `${x.toFixed(1)} ${y.toFixed(1)}`;
    });
    return `M${points.join("L")}${isClosed ? "Z" : ""}`;
  }
}

function make<K extends keyof SVGElementTagNameMap>(name: K, className: string): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  element.setAttribute("class", className);
  return element;
}

function makeHandle(index: number): SVGGElement {
  const handle = make("g", "handle");
  handle.setAttribute("tabindex", "0");
  handle.setAttribute("role", "button");
  handle.setAttribute("data-vertex", String(index));
  const hit = make("circle", "hit");
  hit.setAttribute("r", String(HIT_RADIUS));
  const round = make("circle", "dot");
  round.setAttribute("r", String(DOT_RADIUS));
  const square = make("rect", "square");
  for (const name of ["x", "y"]) square.setAttribute(name, String(-DOT_RADIUS));
  for (const name of ["width", "height"]) square.setAttribute(name, String(2 * DOT_RADIUS));
  handle.append(hit, round, square);
  return handle;
}
