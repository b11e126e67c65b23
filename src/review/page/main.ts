/** Starts the page: keys, buttons, and what stands around the canvas. */
import type { ExportAnswer, InstanceView, RejectReason } from "../api.js";
import { REJECT_REASONS } from "../api.js";
import type { ActionName } from "./actions.js";
import { actionOf, ACTIONS, isCharacter } from "./actions.js";
import { Banner } from "./banner.js";
import { Canvas } from "./canvas.js";
import { Desk } from "./desk.js";
import { moved } from "./edit.js";
import { byId, element } from "./elements.js";
import { Figures, showProgress } from "./figures.js";
import { BEGUN, Gestures, onImage } from "./gestures.js";
import { takeToken, write } from "./server.js";
import { Strip } from "./strip.js";

const BURST_MS = 500;
const FINE_STEP = 1;
const COARSE_STEP = 10;
/** Pixels of the screen. */
const PAN_STEP = 80;
const LETTERS_OFF = "polyrnn-letters-off";
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const svg = document.querySelector<SVGSVGElement>("#canvas")!;
const status = byId("status", HTMLElement);
const category = byId("category", HTMLSelectElement);
const reason = byId("reason", HTMLSelectElement);
const sliders = { brightness: byId("brightness", HTMLInputElement), contrast: byId("contrast", HTMLInputElement) };
const help = byId("help", HTMLDialogElement);
const figures = new Figures(byId("figures", HTMLDialogElement));
const letters = byId("letters", HTMLInputElement);
const proposal = byId("proposal", HTMLElement);
const canvas = new Canvas(svg);
let isHidden = false;
let vertex: number | undefined;
let burst: { readonly vertex: number; timer: ReturnType<typeof setTimeout> } | undefined;

const say = (text: string): void => {
  status.textContent = text;
};

const desk = new Desk({
  refresh,
  say,
  opened,
  pictured: (address) => {
    canvas.show(address);
  },
  failed: (error) => {
    banner.failed(error);
  },
  moved: (position) => strip.show(position),
});
const strip = new Strip(byId("strip", HTMLElement), (position) => void desk.leaveTo(position));
const gestures = new Gestures(canvas, desk, refresh);
const banner = new Banner(byId("banner", HTMLElement), desk, say);

function refresh(): void {
  const { edit, session, ghost } = desk;
  if (session !== undefined) showProgress(session);
  press("network", desk.isNetworkOn && session?.model.available !== false);
  press("box", desk.mode === "box");
  press("manual", desk.mode === "draw");
  press("pan", desk.mode === "pan");
  press("hide", isHidden);
  proposal.hidden = ghost === undefined;
  if (ghost !== undefined)
    byId("proposal-scores", HTMLElement).textContent =
      ghost.score === null || ghost.scoreBefore === null
        ? "The network's way"
        : `Network: ${ghost.scoreBefore.toFixed(2)} → ${ghost.score.toFixed(2)}`;
  if (edit === undefined) return;
  const { view, shape } = edit;
  const score = view.score === null ? "no score" : `score ${view.score.toFixed(2)}`;
  byId("facts", HTMLElement).textContent =
    `${view.position + 1} of ${session?.total ?? "?"} · ${score} · ${view.status}${edit.isDirty ? " · changed" : ""} · ` +
    `${shape.ring.length} vertices · image ${view.imageId}`;
  category.selectedIndex = session?.categories.findIndex(({ id }) => id === shape.categoryId) ?? -1;
  reason.value = desk.reason ?? "";
  canvas.draw({
    shape,
    ghost: ghost?.ring,
    theirs: desk.theirs?.rings[0],
    cross: gestures.cross,
    picked: gestures.picked,
    isHidden,
    isOpen: desk.mode === "draw",
    edgeDot: gestures.edgeDot,
    newBox: gestures.newBox,
  });
}

function opened(view: InstanceView): void {
  gestures.reset();
  vertex = undefined;
  clearBurst();
  if (category.options.length === 0)
    category.append(...(desk.session?.categories ?? []).map(({ name }) => element("option", {}, name)));
  const problem = byId("problem", HTMLElement);
  problem.hidden = view.problem === undefined;
  problem.textContent = view.problem ?? "";
  const notice = byId("notice", HTMLElement);
  notice.hidden = view.notice === undefined;
  notice.textContent = view.notice ?? "";
  canvas.open(view);
  refresh();
  svg.focus({ preventScroll: true });
  say(
    view.arm === "manual"
      ? "Drawn by hand, to measure: click around the object, Enter ends."
      : "Drag a vertex, or click it and then its place. Click on an edge to add one, Alt+click to delete.",
  );
}

function press(name: ActionName, isOn: boolean): void {
  document.querySelector(`[data-action="${name}"]`)?.setAttribute("aria-pressed", String(isOn));
}

const slide = (name: "brightness" | "contrast", steps: number): void => {
  if (steps > 0) sliders[name].stepUp();
  if (steps < 0) sliders[name].stepDown();
  canvas.filter(sliders.brightness.valueAsNumber, sliders.contrast.valueAsNumber);
};

const zoom = (factor: number): void => {
  canvas.zoomBy(factor);
  refresh();
};

/** The same button begins and ends it. */
const setMode = (mode: keyof typeof BEGUN): void => {
  if (desk.mode === mode) gestures.cancel();
  else {
    gestures.begin(mode);
    say(BEGUN[mode]);
    svg.focus({ preventScroll: true });
    // On a phone the buttons lie below the picture.
    svg.scrollIntoView({ block: "nearest" });
  }
  refresh();
};

const DO: Readonly<Record<ActionName, () => unknown>> = {
  accept: () => {
    if (desk.mode === "box") {
      gestures.setAtCross();
      return;
    }
    if (desk.mode !== "draw") return desk.decide("accepted");
    say(gestures.closeOutline() ? "The outline is closed; Enter accepts it." : "Three vertices at least; Esc ends.");
    refresh();
    return;
  },
  reject: () => desk.decide("rejected"),
  skip: () => desk.decide("skipped"),
  next: () => desk.leaveTo(desk.edit?.view.following ?? null),
  previous: () => desk.leaveTo(desk.edit?.view.previous ?? null),
  undo: () => {
    gestures.reset();
    return desk.undo();
  },
  redo: () => {
    desk.dropGhost();
    desk.edit?.redo();
    refresh();
  },
  redraw: () => desk.redraw(vertex, false),
  redrawBefore: () => desk.redraw(vertex, true),
  network: () => {
    desk.isNetworkOn = !desk.isNetworkOn;
    desk.dropGhost();
    refresh();
  },
  add: () => {
    if (vertex !== undefined) gestures.addBehind(vertex);
  },
  delete: () => {
    if (desk.mode === "draw") desk.edit?.undo();
    else if (vertex !== undefined) gestures.remove(vertex);
  },
  box: () => {
    setMode("box");
  },
  manual: () => {
    setMode("draw");
  },
  category: () => {
    category.focus();
  },
  hide: () => {
    isHidden = !isHidden;
    refresh();
  },
  pan: () => {
    setMode("pan");
  },
  zoomIn: () => {
    zoom(1.25);
  },
  zoomOut: () => {
    zoom(0.8);
  },
  fit: () => {
    canvas.fit();
    refresh();
  },
  darker: () => {
    slide("brightness", -1);
  },
  brighter: () => {
    slide("brightness", 1);
  },
  flatter: () => {
    slide("contrast", -1);
  },
  crisper: () => {
    slide("contrast", 1);
  },
  take: () => {
    desk.take();
  },
  leave: () => {
    if (!gestures.cancel()) desk.dropGhost();
    refresh();
  },
  export: () =>
    desk.attempt(async () => {
      say("Writing the files …");
      const { files } = await write<ExportAnswer>("POST", "export", {});
      say(`Written: ${files.join(", ")}`);
    }),
  figures: () => desk.attempt(() => figures.show()),
  help: () => {
    help.showModal();
  },
};

function clearBurst(): void {
  if (burst !== undefined) clearTimeout(burst.timer);
  burst = undefined;
}

/** Arrow keys in quick succession are one move. */
function nudge(at: number, [dx, dy]: readonly [number, number], isCoarse: boolean): void {
  const { edit } = desk;
  const point = edit?.shape.ring[at];
  if (edit === undefined || point === undefined) return;
  const step = isCoarse ? COARSE_STEP : FINE_STEP;
  const shape = moved(edit.shape, at, onImage({ x: point.x + dx * step, y: point.y + dy * step }, edit.view));
  if (burst?.vertex === at) desk.replace(shape);
  else desk.change(shape, "move");
  clearBurst();
  const timer = setTimeout(() => {
    burst = undefined;
    void desk.propose(at);
  }, BURST_MS);
  burst = { vertex: at, timer };
}

/** @returns whether the arrow meant the cross, a vertex or the view */
function onArrow(arrow: readonly [number, number], target: Element, isShift: boolean): boolean {
  if (gestures.cross !== undefined) gestures.moveCross(arrow, isShift);
  else if (vertex !== undefined && target.closest("[data-vertex]") !== null) nudge(vertex, arrow, isShift);
  else if (isShift) {
    canvas.panBy(-arrow[0] * PAN_STEP, -arrow[1] * PAN_STEP);
    refresh();
  } else return false;
  return true;
}

function onKey(event: KeyboardEvent): void {
  const target = event.target instanceof Element ? event.target : document.body;
  if (document.querySelector("dialog[open]") !== null || target.closest("input, select") !== null) return;
  // A focused button keeps what Enter and Space mean there.
  if (target instanceof HTMLButtonElement && (event.key === "Enter" || event.key === " ")) return;
  if (event.key === " ") {
    event.preventDefault();
    gestures.isSpaceHeld = true;
    return;
  }
  const arrow = ARROWS[event.key];
  if (arrow !== undefined && onArrow(arrow, target, event.shiftKey)) {
    event.preventDefault();
    return;
  }
  if (!letters.checked && isCharacter(event)) return;
  const action = actionOf(event);
  if (action === undefined || (event.repeat && (action === "accept" || action === "reject" || action === "hide")))
    return;
  event.preventDefault();
  if (typeof action === "number") {
    const chosen = desk.session?.categories[action - 1];
    if (chosen !== undefined) desk.setCategory(chosen.id);
  } else if (action === "hide") {
    isHidden = true;
    refresh();
  } else void DO[action]();
}

function wire(): void {
  for (const { name, place, label, key, about } of ACTIONS) {
    if (key !== "")
      byId("keys", HTMLElement).append(
        element("tr", {}, element("td", {}, element("kbd", {}, key)), element("td", {}, about)),
      );
    if (place === "elsewhere") continue;
    const mark = key === "" ? [] : [element("kbd", {}, key)];
    byId(place, HTMLElement).append(
      element("button", { type: "button", "data-action": name, title: about }, label, ...mark),
    );
  }
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-action]"))
    button.addEventListener("click", (event) => {
      // After a click with the pointer, keys mean the polygon again.
      const hadVertex = vertex;
      if (event.detail > 0) svg.focus({ preventScroll: true });
      vertex = hadVertex;
      void DO[button.dataset["action"] as ActionName]();
    });
  reason.append(element("option", { value: "" }, "none"));
  for (const name of REJECT_REASONS) reason.append(element("option", { value: name }, name.replace("-", " ")));
  reason.addEventListener("change", () => {
    desk.reason = reason.value === "" ? null : (reason.value as RejectReason);
  });
  category.addEventListener("change", () => {
    const chosen = desk.session?.categories[category.selectedIndex];
    if (chosen !== undefined) desk.setCategory(chosen.id);
    svg.focus({ preventScroll: true });
  });
  for (const name of ["brightness", "contrast"] as const)
    sliders[name].addEventListener("input", () => {
      slide(name, 0);
    });
  letters.checked = localStorage.getItem(LETTERS_OFF) === null;
  letters.addEventListener("change", () => {
    if (letters.checked) localStorage.removeItem(LETTERS_OFF);
    else localStorage.setItem(LETTERS_OFF, "1");
  });
}

function listen(): void {
  svg.addEventListener("focusin", (event) => {
    const at = event.target instanceof Element ? event.target.getAttribute("data-vertex") : null;
    vertex = at === null ? undefined : Number(at);
    const point = vertex === undefined ? undefined : desk.edit?.shape.ring[vertex];
    // What the Tab key reaches is in sight at every zoom.
    if (point === undefined || !(event.target as Element).matches(":focus-visible")) return;
    canvas.reveal(point);
    refresh();
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("keyup", ({ key }) => {
    if (key === " " && gestures.isSpaceHeld) {
      gestures.isSpaceHeld = false;
      if (!gestures.hasPanned && gestures.cross !== undefined) gestures.setAtCross();
      else if (!gestures.hasPanned) desk.take();
      gestures.hasPanned = false;
    }
    if (key.toLowerCase() === "t" && isHidden) {
      isHidden = false;
      refresh();
    }
  });
  for (const name of ["pointerdown", "pointermove", "keydown", "wheel"])
    document.addEventListener(
      name,
      () => {
        desk.clock.touch();
      },
      { capture: true, passive: true },
    );
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) desk.clock.pause();
    else desk.clock.resume();
  });
  window.addEventListener("resize", () => {
    canvas.fit();
    refresh();
  });
  window.addEventListener("hashchange", () => {
    if (takeToken()) void banner.again();
  });
  window.addEventListener("beforeunload", (event) => {
    if (desk.edit?.isDirty === true) event.preventDefault();
  });
}

takeToken();
wire();
listen();
void desk.attempt(() => desk.start());
