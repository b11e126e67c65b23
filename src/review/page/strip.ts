/** The queue around the instance in work: thumbnails, one at a time, and what was decided. */
import type { QueuePage, QueueRow } from "../api.js";
import { get, picture } from "./server.js";
import { element } from "./elements.js";

const BEFORE = 5;
const SHOWN = 30;
const MOST_KEPT = 120;
const AT_ONCE = 1;
const MARKS: Readonly<Record<QueueRow["status"], string>> = {
  open: "",
  accepted: "✓ ",
  edited: "✎ ",
  rejected: "✕ ",
  skipped: "» ",
  draft: "… ",
};

export class Strip {
  private readonly kept = new Map<number, string>();
  private waiting: QueueRow[] = [];
  private running = 0;
  private asked = 0;

  constructor(
    private readonly nav: HTMLElement,
    private readonly go: (position: number) => void,
  ) {}

  /** @returns the rows shown */
  async show(position: number): Promise<readonly QueueRow[]> {
    const mine = ++this.asked;
    const { rows } = await get<QueuePage>(`queue?after=${Math.max(-1, position - BEFORE - 1)}&limit=${SHOWN}`);
    if (mine !== this.asked) return rows;
    this.nav.replaceChildren(...rows.map((row) => this.tile(row, row.position === position)));
    const current = this.nav.querySelector<HTMLElement>("[aria-current]");
    if (current !== null) this.nav.scrollLeft = current.offsetLeft - this.nav.clientWidth / 3;
    this.waiting = rows.filter(({ ordinal }) => !this.kept.has(ordinal));
    this.load();
    return rows;
  }

  /** What became of the instance in work, without asking for the queue again. */
  mark(ordinal: number, status: QueueRow["status"]): void {
    const mark = this.nav.querySelector(`[data-ordinal="${ordinal}"] .mark`);
    if (mark !== null) mark.textContent = MARKS[status];
  }

  private tile({ position, ordinal, score, category, status }: QueueRow, isCurrent: boolean): HTMLElement {
    const address = this.kept.get(ordinal);
    const image = address === undefined ? element("span", { class: "blank" }) : thumbnail(address);
    const mark = element("span", { class: "mark" }, MARKS[status]);
    const tile = element(
      "button",
      {
        type: "button",
        "data-ordinal": String(ordinal),
        title: `instance ${position + 1}, ${status}`,
        ...(isCurrent && { "aria-current": "true" }),
      },
      image,
      element("span", {}, mark, score === null ? "none" : score.toFixed(2)),
      " ",
      element("span", {}, category),
    );
    tile.addEventListener("click", () => {
      this.go(position);
    });
    return tile;
  }

  private load(): void {
    while (this.running < AT_ONCE) {
      const row = this.waiting.shift();
      if (row === undefined) return;
      this.running++;
      picture(row.ordinal, "margin=0.1&side=132")
        .then((address) => {
          this.keep(row.ordinal, address);
        })
        // Without a picture the tile stays grey; opening the instance says why.
        .catch(() => undefined)
        .finally(() => {
          this.running--;
          this.load();
        });
    }
  }

  private keep(ordinal: number, address: string): void {
    this.kept.set(ordinal, address);
    this.nav.querySelector(`[data-ordinal="${ordinal}"] .blank`)?.replaceWith(thumbnail(address));
    const [oldest] = this.kept;
    if (this.kept.size <= MOST_KEPT || oldest === undefined) return;
    this.kept.delete(oldest[0]);
    URL.revokeObjectURL(oldest[1]);
  }
}

function thumbnail(address: string): HTMLImageElement {
  const image = element("img", { alt: "" });
  image.src = address;
  return image;
}
