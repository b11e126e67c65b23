/** Keys on the canvas: arrows move a vertex, the cross or the view; the others do what their buttons do. */
import type { ActionName } from "./actions.js";
import { actionOf, isCharacter } from "./actions.js";
import type { Canvas } from "./canvas.js";
import type { Desk } from "./desk.js";
import { moved } from "./edit.js";
import type { Gestures } from "./gestures.js";
import { onImage } from "./gestures.js";

const BURST_MS = 500;
const FINE_STEP = 1;
const COARSE_STEP = 10;
/** Pixels of the screen. */
const PAN_STEP = 80;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export interface KeyboardHost {
  refresh(): void;
  areLettersOn(): boolean;
  /** An action, or the digit of a category. */
  act(action: ActionName | number): void;
  hide(isHidden: boolean): void;
}

export class Keyboard {
  /** The vertex that has the focus. */
  vertex: number | undefined;
  private burst: { readonly vertex: number; readonly timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(
    private readonly desk: Desk,
    private readonly canvas: Canvas,
    private readonly gestures: Gestures,
    private readonly host: KeyboardHost,
  ) {
    document.addEventListener("keydown", (event) => {
      this.down(event);
    });
    document.addEventListener("keyup", ({ key }) => {
      if (key === " ") this.spaceUp();
      if (key.toLowerCase() === "t") host.hide(false);
    });
  }

  /** Another instance is in work. */
  reset(): void {
    this.vertex = undefined;
    this.endBurst();
  }

  private endBurst(): void {
    clearTimeout(this.burst?.timer);
    this.burst = undefined;
  }

  /** Arrow keys in quick succession are one move. */
  private nudge(at: number, [dx, dy]: readonly [number, number], isCoarse: boolean): void {
    const { desk } = this;
    const { edit } = desk;
    const point = edit?.shape.ring[at];
    if (edit === undefined || point === undefined) return;
    const step = isCoarse ? COARSE_STEP : FINE_STEP;
    const shape = moved(edit.shape, at, onImage({ x: point.x + dx * step, y: point.y + dy * step }, edit.view));
    if (this.burst?.vertex === at) desk.replace(shape);
    else desk.change(shape, "move");
    this.endBurst();
    const timer = setTimeout(() => {
      this.burst = undefined;
      void desk.network.propose(at);
    }, BURST_MS);
    this.burst = { vertex: at, timer };
  }

  /** @returns whether the arrow meant the cross, a vertex or the view */
  private arrow(arrow: readonly [number, number], target: Element, isShift: boolean): boolean {
    const { gestures, vertex } = this;
    if (gestures.cross !== undefined) gestures.moveCross(arrow, isShift);
    else if (vertex !== undefined && target.closest("[data-vertex]") !== null) this.nudge(vertex, arrow, isShift);
    else if (isShift) {
      this.canvas.panBy(-arrow[0] * PAN_STEP, -arrow[1] * PAN_STEP);
      this.host.refresh();
    } else return false;
    return true;
  }

  /** Takes what is proposed; where nothing is, a box or an outline gets what the cross shows. */
  private spaceUp(): void {
    const { gestures, desk } = this;
    if (!gestures.isSpaceHeld) return;
    gestures.isSpaceHeld = false;
    if (!gestures.hasPanned) {
      if (desk.network.ghost === undefined) gestures.setAtCross();
      else desk.network.take();
    }
    gestures.hasPanned = false;
  }

  private down(event: KeyboardEvent): void {
    const target = event.target instanceof Element ? event.target : document.body;
    if (target instanceof HTMLSelectElement && event.key === "Escape") this.canvas.svg.focus({ preventScroll: true });
    if (document.querySelector("dialog[open]") !== null || target.closest("input, select") !== null) return;
    // A focused button keeps what Enter and Space mean there.
    if (target instanceof HTMLButtonElement && (event.key === "Enter" || event.key === " ")) return;
    if (event.key === " ") {
      event.preventDefault();
      this.gestures.isSpaceHeld = true;
      return;
    }
    const arrow = ARROWS[event.key];
    if (arrow !== undefined && this.arrow(arrow, target, event.shiftKey)) {
      event.preventDefault();
      return;
    }
    if (!this.host.areLettersOn() && isCharacter(event)) return;
    const action = actionOf(event);
    if (action === undefined || (event.repeat && (action === "accept" || action === "reject" || action === "hide")))
      return;
    event.preventDefault();
    if (action === "hide") this.host.hide(true);
    else this.host.act(action);
  }
}
