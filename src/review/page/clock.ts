/** Time on one instance. A gap above 60 s between two inputs is a pause; a hidden window is one, too. */
const LONGEST_GAP_MS = 60_000;

export class Clock {
  private opened = performance.now();
  private last: number | undefined;
  private active = 0;
  networkMs = 0;

  /** The picture is there: what came before was loading, not work. */
  start(): void {
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
    this.last = performance.now();
  }

  get times(): { readonly activeMs: number; readonly openMs: number; readonly networkMs: number } {
    const openMs = performance.now() - this.opened;
    const most = 86_400_000;
    return {
      activeMs: Math.min(most, Math.round(this.active)),
      openMs: Math.min(most, Math.round(openMs)),
      networkMs: Math.min(most, Math.round(this.networkMs)),
    };
  }
}
