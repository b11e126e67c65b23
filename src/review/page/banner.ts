/** What went wrong stands over the page until it is over; edits stay where they are. */
import type { InstanceView } from "../api.js";
import type { Desk } from "./desk.js";
import { Edit } from "./edit.js";
import { element } from "./elements.js";
import { Refusal, Unreachable } from "./server.js";

const RETRY_MS = 1000;

export class Banner {
  private retry: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly place: HTMLElement,
    private readonly desk: Desk,
    private readonly say: (text: string) => void,
  ) {}

  failed(error: unknown): void {
    if (error instanceof Unreachable) {
      this.show("The server does not answer. Your edits are kept here; trying again every second.");
      this.retry ??= setInterval(() => void this.again(), RETRY_MS);
    } else if (error instanceof Refusal && error.status === 401) {
      this.stopTrying();
      this.show(
        "The review was started anew. Open the address that the terminal shows in this window; your edits are kept.",
      );
    } else if (error instanceof Refusal && error.error.current !== undefined) {
      this.conflict(error.error.current);
    } else {
      this.show(
        error instanceof Error ? error.message : String(error),
        this.button("Close", () => undefined),
      );
      if (!(error instanceof Refusal)) throw error;
    }
  }

  /** Goes on where the server answers again. */
  async again(): Promise<void> {
    const { desk } = this;
    if (!(await desk.isBack())) {
      // Another server at the same port does not know this window.
      await desk.attempt(() => desk.check());
      return;
    }
    this.stopTrying();
    this.hide();
    if (desk.edit === undefined) await desk.attempt(() => desk.start());
    else this.say("The server is back. Your edits are kept: go on.");
  }

  /** Never the last writer wins: a person chooses. */
  private conflict(current: InstanceView): void {
    const { desk } = this;
    const [ring] = current.rings;
    desk.meet(current);
    this.show(
      `Another window changed this instance (now ${current.status}, ${current.category}, ` +
        `${ring === undefined ? "no polygon" : `${ring.length} vertices, dotted`}).`,
      this.button("Show theirs", () => {
        desk.open(new Edit(current));
      }),
      this.button("Go on with mine", () => {
        desk.goOnWithMine(current);
      }),
    );
  }

  private button(label: string, act: () => unknown): HTMLButtonElement {
    const made = element("button", { type: "button" }, label);
    made.addEventListener("click", () => {
      // Keys mean the polygon again at once: a hidden button keeps the focus until the next frame.
      made.blur();
      this.hide();
      void act();
    });
    return made;
  }

  private show(text: string, ...buttons: HTMLButtonElement[]): void {
    this.place.replaceChildren(element("span", {}, text), ...buttons);
    this.place.hidden = false;
  }

  private hide(): void {
    this.place.hidden = true;
  }

  private stopTrying(): void {
    clearInterval(this.retry);
    this.retry = undefined;
  }
}
