/** Time on one instance. A gap above 60 s between two inputs is a pause; a hidden window is one, too. */
import type { Spent } from "../api.js";

const LONGEST_GAP_MS = 60_000;

export class Clock {
  private opened = performance.now();
  private last: number | undefined;
  private isStarted = false;
  private active = 0;
  networkMs = 0;

  /** @param before what the instance took when it was open before */
  constructor(private before: Pick<Spent, "activeMs" | "openMs" | "networkMs">) {}

  /** Another window worked on it meanwhile: its time counts, too. */
  rebase(before: Spent): void {
    this.before = before;
  }

  /** The picture is there: what came before was loading, not work. */
  start(): void {
    this.isStarted = true;
    this.opened = performance.now();
    this.last = this.opened;
  }

  /** Something was typed, pointed at or clicked. */
  touch(): void {
    if (this.last === undefined) return;
    const now = performance.now();
    if (now - this.last <= LONGEST_GAP_MS) this.active += now - this.last;
    this.last = now;
  }

  /** The window is out of sight: the next input begins anew. */
  pause(): void {
    this.touch();
    this.last = undefined;
  }

  resume(): void {
    if (this.isStarted) this.last = performance.now();
  }

  get times(): { readonly activeMs: number; readonly openMs: number; readonly networkMs: number } {
    const { before } = this;
    const most = (value: number): number => Math.min(86_400_000, Math.round(value));
    return {
      activeMs: most(before.activeMs + this.active),
      openMs: most(before.openMs + performance.now() - this.opened),
      networkMs: most(before.networkMs + this.networkMs),
    };
  }
}
