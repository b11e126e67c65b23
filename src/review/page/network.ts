/**
 * What the network is asked for an instance, and what it proposes. A person never waits: every edit and every decision
 * makes an answer under way worthless, and the server is told so.
 */
import type { BoxXywh, RedrawAnswer, RedrawRequest, Ring, Session } from "../api.js";
import type { Clock } from "./clock.js";
import type { Edit, Outline, Shape } from "./edit.js";
import { FEWEST_VERTICES, mirrored, sameRing } from "./edit.js";
import { Refusal, write } from "./server.js";

const MOST_CANDIDATES = 20;
/** Requests are counted per window. */
const WINDOW = Math.random().toString(36).slice(2);

export type Ghost = Pick<RedrawAnswer, "ring" | "pins" | "score" | "scoreBefore">;

/** What is in work. */
export interface Work {
  readonly edit: Edit | undefined;
  readonly session: Session | undefined;
  readonly clock: Clock;
  /** Resolves when no change is on its way to the server: it makes the revision that a request names. */
  idle(): Promise<void>;
  readonly screen: { refresh(): void; say(text: string): void; failed(error: unknown): void };
}

export class Network {
  ghost: Ghost | undefined;
  isOn = true;
  private request = 0;
  private asking: AbortController | undefined;
  private redrawn: { readonly from: Shape; readonly ring: Ring; readonly candidate: number } | undefined;

  constructor(private readonly work: Work) {}

  /** Another instance is in work. */
  reset(): void {
    this.supersede();
    this.ghost = undefined;
    this.redrawn = undefined;
  }

  /** The plain move stands; an answer under way comes too late. */
  drop(): void {
    this.supersede();
    if (this.ghost === undefined) return;
    this.ghost = undefined;
    this.work.edit?.count("redrawLeft");
    this.work.screen.refresh();
  }

  /** The server need not go on with what was asked. */
  supersede(): void {
    this.request++;
    this.asking?.abort();
    this.asking = undefined;
  }

  take(): void {
    const { ghost } = this;
    const { edit, screen } = this.work;
    if (ghost === undefined || edit === undefined) return;
    this.ghost = undefined;
    edit.change({ ring: ghost.ring, pins: ghost.pins, isOpen: false }, "redrawTaken");
    screen.say(`Taken: ${edit.shape.ring.length} vertices.`);
    screen.refresh();
  }

  /** Asks for the way from a vertex to the next pinned one; of an open outline, for the rest of it. */
  async propose(vertex: number): Promise<void> {
    const { edit, screen } = this.work;
    if (edit === undefined || !this.canAsk) return;
    const { ring, pins, box, isOpen } = edit.shape;
    if (ring.length < (isOpen ? 1 : FEWEST_VERTICES)) return;
    const answer = await this.ask({ ring, pins, moved: vertex, give: isOpen ? "tail" : "pin", box });
    if (answer === undefined) return;
    if (answer.ring.length < FEWEST_VERTICES) {
      screen.say("The network finds no way from here.");
      return;
    }
    if (sameRing(answer.ring, ring)) {
      screen.say("The network would draw the same.");
      return;
    }
    this.ghost = answer;
    const added = answer.ring.length - answer.kept.length;
    const what = isOpen ? `add ${added} and close` : `redraw ${added}`;
    const began = isOpen ? `${ring.length} placed` : `Vertex ${vertex + 1} moved`;
    screen.say(`${began}. The network would ${what}${scores(answer)}: Space takes it.`);
    screen.refresh();
  }

  /** The rule of the paper: all behind (or before) the vertex is drawn anew; again gives the next way. */
  async redraw(vertex: number | undefined, isBefore: boolean): Promise<void> {
    const { redrawn } = this;
    const { edit, screen } = this.work;
    if (edit === undefined) return;
    if (!this.canAsk) {
      screen.say(`The network is off${this.offReason()}.`);
      return;
    }
    this.drop();
    const isAgain = redrawn !== undefined && redrawn.ring === edit.shape.ring;
    const from = isAgain ? redrawn.from : edit.shape;
    const { ring, isOpen } = from;
    const candidate = isAgain ? Math.min(MOST_CANDIDATES, redrawn.candidate + 1) : 0;
    const isAll = ring.length < (isOpen ? 1 : FEWEST_VERTICES);
    const last = Math.max(0, ring.length - 1);
    const at = isOpen ? last : Math.min(vertex ?? 0, last);
    // An open outline goes on behind its last vertex.
    const isTurned = isBefore && !isOpen;
    const turned = isTurned ? mirrored(from) : from;
    const asked = isAll ? { ring: [], pins: [], moved: 0 } : { ...outlineOf(turned), moved: isTurned ? last - at : at };
    const answer = await this.ask({ ...asked, give: isAll ? "all" : "tail", box: from.box, candidate });
    if (answer === undefined) return;
    const next = { ...outlineOf(isTurned ? mirrored(answer) : answer), isOpen: false };
    if (isAgain) edit.replace(next);
    else edit.change(next, "redraw");
    this.redrawn = { from, ring: next.ring, candidate };
    screen.say(`Redrawn: ${next.ring.length} vertices${scores(answer)}. Again: the next way.`);
    screen.refresh();
  }

  /** Draws from nothing in a box that was just given. */
  async drawIn(box: BoxXywh): Promise<void> {
    const { edit, screen } = this.work;
    if (edit === undefined || !this.canAsk) {
      screen.say(`The box is changed, the polygon is not: the network is off${this.offReason()}.`);
      return;
    }
    const answer = await this.ask({ ring: [], pins: [], moved: 0, give: "all", box });
    if (answer === undefined) return;
    edit.replace({ ...outlineOf(answer), isOpen: false });
    screen.say(`Drawn in the new box: ${answer.ring.length} vertices.`);
    screen.refresh();
  }

  private get canAsk(): boolean {
    const { edit, session } = this.work;
    return this.isOn && session?.model.available === true && edit?.view.arm === "assist";
  }

  /** @returns undefined where a newer request or another edit came in between */
  private async ask(asked: Omit<RedrawRequest, "request" | "revision">): Promise<RedrawAnswer | undefined> {
    const { edit, clock, screen } = this.work;
    if (edit === undefined) return undefined;
    this.supersede();
    const { request } = this;
    const asking = new AbortController();
    this.asking = asking;
    await this.work.idle();
    if (request !== this.request) return undefined;
    const { revision, view } = edit;
    const began = performance.now();
    try {
      const body = { ...asked, request, revision, window: WINDOW };
      const answer = await write<RedrawAnswer>("POST", `instances/${view.ordinal}/redraw`, body, asking.signal);
      clock.networkMs += performance.now() - began;
      return request === this.request && edit === this.work.edit ? answer : undefined;
    } catch (error) {
      if (!(error instanceof Refusal && error.status === 499) && request === this.request) screen.failed(error);
      return undefined;
    }
  }

  private offReason(): string {
    const { edit, session } = this.work;
    if (edit?.view.arm === "manual") return ": this one is drawn by hand, to measure";
    const reason = session?.model.reason;
    return reason === undefined ? "" : `: ${reason}`;
  }
}

function outlineOf({ ring, pins }: Outline): Outline {
  return { ring, pins };
}

function scores({ score, scoreBefore }: Pick<RedrawAnswer, "score" | "scoreBefore">): string {
  if (score === null) return "";
  return scoreBefore === null
    ? `, score ${score.toFixed(2)}`
    : `, score ${scoreBefore.toFixed(2)} to ${score.toFixed(2)}`;
}
