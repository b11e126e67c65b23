/** Starts the page: keys, buttons, and what stands around the canvas. */
import type { ExportAnswer, InstanceView, RejectReason } from "../api.js";
import { REJECT_REASONS } from "../api.js";
import type { ActionName } from "./actions.js";
import { ACTIONS } from "./actions.js";
import { Banner } from "./banner.js";
import { Canvas } from "./canvas.js";
import { Desk } from "./desk.js";
import { byId, element } from "./elements.js";
import { Figures, showProgress } from "./figures.js";
import { Gestures } from "./gestures.js";
import { Keyboard } from "./keyboard.js";
import { takeToken, write } from "./server.js";
import { Strip } from "./strip.js";
import { BEGUN, factsOf, hintOn, wordsOn } from "./words.js";

const LETTERS_OFF = "polyrnn-letters-off";
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
const keyboard = new Keyboard(desk, canvas, gestures, {
  refresh,
  areLettersOn: () => letters.checked,
  act(action) {
    if (typeof action !== "number") return void DO[action]();
    const chosen = desk.session?.categories[action - 1];
    if (chosen !== undefined) desk.setCategory(chosen.id);
  },
  hide(isNow) {
    if (isNow === isHidden) return;
    isHidden = isNow;
    refresh();
  },
});
const banner = new Banner(byId("banner", HTMLElement), desk, say);

function refresh(): void {
  const { edit, session, network } = desk;
  const { ghost } = network;
  gestures.placeCross();
  if (session !== undefined) showProgress(session);
  press("network", network.isOn && session?.model.available !== false);
  press("box", desk.mode === "box");
  press("manual", desk.mode === "draw");
  press("pan", desk.mode === "pan");
  press("hide", isHidden);
  proposal.hidden = ghost === undefined;
  if (ghost !== undefined) byId("proposal-scores", HTMLElement).textContent = wordsOn(ghost);
  if (edit === undefined) return;
  const { shape } = edit;
  byId("facts", HTMLElement).textContent = factsOf(edit, session?.total ?? 0);
  strip.mark(edit.view.ordinal, edit.status);
  category.selectedIndex = session?.categories.findIndex(({ id }) => id === shape.categoryId) ?? -1;
  reason.value = desk.reason ?? "";
  canvas.draw({
    shape,
    ghost: ghost?.ring,
    theirs: desk.theirs?.rings[0],
    cross: gestures.cross,
    picked: gestures.picked,
    isHidden,
    isOpen: shape.isOpen,
    edgeDot: gestures.edgeDot,
    newBox: gestures.newBox,
  });
}

function opened(view: InstanceView): void {
  gestures.reset();
  keyboard.reset();
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
  say(hintOn(view));
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
    if (desk.mode === mode) say(BEGUN[mode]);
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
    desk.network.drop();
    desk.edit?.redo();
    refresh();
  },
  redraw: () => desk.network.redraw(keyboard.vertex, false),
  redrawBefore: () => desk.network.redraw(keyboard.vertex, true),
  network: () => {
    desk.network.isOn = !desk.network.isOn;
    desk.network.drop();
    refresh();
  },
  add: () => {
    if (keyboard.vertex !== undefined) gestures.addBehind(keyboard.vertex);
  },
  delete: () => {
    const isDrawing = desk.mode === "draw";
    if (isDrawing && (desk.edit?.shape.ring.length ?? 0) > 0) return desk.undo();
    if (!isDrawing && keyboard.vertex !== undefined) gestures.remove(keyboard.vertex);
    return undefined;
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
  reason: () => {
    reason.focus();
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
    desk.network.take();
  },
  leave: () => {
    // An outline that is being drawn goes on without the proposal.
    if (desk.network.ghost !== undefined && desk.mode === "draw") desk.network.drop();
    else if (!gestures.cancel()) desk.network.drop();
    else if (desk.edit !== undefined) say(hintOn(desk.edit.view));
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

function wire(): void {
  for (const { name, place, label, key, about } of ACTIONS) {
    if (key !== "")
      byId("keys", HTMLElement).append(
        element("tr", {}, element("td", {}, element("kbd", {}, key)), element("td", {}, `${label}: ${about}`)),
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
      const { vertex } = keyboard;
      if (event.detail > 0) svg.focus({ preventScroll: true });
      keyboard.vertex = vertex;
      void DO[button.dataset["action"] as ActionName]();
    });
  reason.append(element("option", { value: "" }, "none"));
  // The number in front is what a key chooses.
  for (const [at, name] of REJECT_REASONS.entries())
    reason.append(element("option", { value: name }, `${at + 1} ${name.replace("-", " ")}`));
  reason.addEventListener("change", () => {
    desk.reason = reason.value === "" ? null : (reason.value as RejectReason);
    svg.focus({ preventScroll: true });
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
    const vertex = at === null ? undefined : Number(at);
    keyboard.vertex = vertex;
    const point = vertex === undefined ? undefined : desk.edit?.shape.ring[vertex];
    // What the Tab key reaches is in sight at every zoom.
    if (point === undefined || !(event.target as Element).matches(":focus-visible")) return;
    canvas.reveal(point);
    refresh();
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
