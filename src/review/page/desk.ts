/** The instance in work and what is asked of the server about it. A person never waits for an answer to go on. */
import type {
  BoxXywh,
  DecidedStatus,
  DecisionAnswer,
  Id,
  InstanceView,
  QueuePage,
  RedrawAnswer,
  RedrawRequest,
  RejectReason,
  Ring,
  Session,
} from "../api.js";
import { Clock } from "./clock.js";
import type { ClickKind, Shape } from "./edit.js";
import { Edit, FEWEST_VERTICES, mirrored, sameRing } from "./edit.js";
import { Pictures } from "./pictures.js";
import { get, Refusal, Unreachable, write } from "./server.js";

const DRAFT_EVERY_MS = 5000;
const MOST_CANDIDATES = 20;
const NOTHING = { activeMs: 0, openMs: 0, networkMs: 0 };
/** Requests are counted per window. */
const WINDOW = Math.random().toString(36).slice(2);

export interface Ghost extends Pick<RedrawAnswer, "ring" | "pins" | "score" | "scoreBefore"> {
  readonly added: number;
}

/** What the page shows of it. */
export interface Screen {
  refresh(): void;
  opened(view: InstanceView): void;
  pictured(address: string): void;
  say(text: string): void;
  failed(error: unknown): void;
  moved(position: number): Promise<readonly { readonly ordinal: number; readonly position: number }[]>;
}

export class Desk {
  edit: Edit | undefined;
  ghost: Ghost | undefined;
  session: Session | undefined;
  clock = new Clock(NOTHING);
  /** What another window made of the instance meanwhile: shown until this one is decided. */
  theirs: InstanceView | undefined;
  isNetworkOn = true;
  mode: "edit" | "box" | "draw" | "pan" = "edit";
  reason: RejectReason | null = null;
  private request = 0;
  private asking: AbortController | undefined;
  private isDeciding = false;
  private opening = 0;
  private writes: Promise<unknown> = Promise.resolve();
  private redrawn: { readonly from: Shape; readonly ring: Ring; readonly candidate: number } | undefined;
  private readonly pictures = new Pictures();

  constructor(private readonly screen: Screen) {
    setInterval(() => {
      void this.saveDraft();
    }, DRAFT_EVERY_MS);
  }

  async start(): Promise<void> {
    this.session = await get<Session>("session");
    await this.go(this.session.next ?? 0);
    if (this.session.next === null) this.screen.say("All are decided. Export writes the files.");
  }

  get canAsk(): boolean {
    const { edit, session } = this;
    return this.isNetworkOn && session?.model.available === true && edit?.view.arm === "assist";
  }

  /** Leaves without a decision: what was changed is kept as a draft first. */
  async leaveTo(position: number | null): Promise<void> {
    if (position === null || this.isDeciding) return;
    this.dropGhost();
    if (await this.saveDraft()) await this.attempt(() => this.go(position));
  }

  private async go(position: number): Promise<void> {
    const mine = ++this.opening;
    const { rows } = await get<QueuePage>(`queue?after=${position - 1}&limit=1`);
    const [row] = rows;
    if (row === undefined) {
      this.screen.say("Nothing is in this queue.");
      return;
    }
    const view = await get<InstanceView>(`instances/${row.ordinal}`);
    if (mine === this.opening) this.open(new Edit(view));
  }

  open(edit: Edit): void {
    const { view } = edit;
    this.edit = edit;
    this.ghost = undefined;
    this.redrawn = undefined;
    this.theirs = undefined;
    this.supersede();
    this.clock = new Clock(view.spent);
    this.reason = view.reason;
    this.mode = view.arm === "manual" && edit.shape.ring.length === 0 ? "draw" : "edit";
    this.screen.opened(view);
    // Keys act from here on; picture and queue follow.
    void this.attempt(() => Promise.all([this.showPicture(view), this.showQueue(view)]));
  }

  private async showPicture({ ordinal, problem }: InstanceView): Promise<void> {
    const { clock } = this;
    if (problem === undefined) {
      const address = await this.pictures.get(ordinal);
      if (this.edit?.view.ordinal !== ordinal) return;
      this.screen.pictured(address);
    }
    clock.start();
  }

  private async showQueue({ position }: InstanceView): Promise<void> {
    const rows = await this.screen.moved(position);
    this.pictures.prepare(rows.filter((row) => row.position > position && row.position <= position + 2));
  }

  change(next: Partial<Shape>, kind?: ClickKind): void {
    this.dropGhost();
    this.edit?.change(next, kind);
    this.screen.refresh();
  }

  /** The same step goes on. */
  replace(next: Partial<Shape>): void {
    this.supersede();
    this.edit?.replace(next);
    this.screen.refresh();
  }

  /** The plain move stands; an answer under way comes too late. */
  dropGhost(): void {
    this.supersede();
    if (this.ghost === undefined) return;
    this.ghost = undefined;
    this.edit?.count("redrawLeft");
    this.screen.refresh();
  }

  /** The server need not go on with what was asked. */
  private supersede(): void {
    this.request++;
    this.asking?.abort();
    this.asking = undefined;
  }

  /** Another window changed the instance: its polygon is shown beside this one. */
  meet(current: InstanceView): void {
    this.theirs = current;
    this.screen.refresh();
  }

  /** Never the last writer wins: theirs stays in sight, and what this window did goes over it. */
  goOnWithMine(current: InstanceView): void {
    this.edit?.rebase(current);
    this.clock.rebase(current.spent);
    this.screen.refresh();
  }

  take(): void {
    const { ghost, edit } = this;
    if (ghost === undefined || edit === undefined) return;
    this.ghost = undefined;
    edit.change({ ring: ghost.ring, pins: ghost.pins }, "redrawTaken");
    this.screen.say(`Taken: ${edit.shape.ring.length} vertices.`);
    this.screen.refresh();
  }

  /** Asks for the network's way from a vertex to the next pinned one. */
  async propose(moved: number): Promise<void> {
    const { edit } = this;
    if (edit === undefined || !this.canAsk || edit.shape.ring.length < FEWEST_VERTICES) return;
    const { ring, pins, box } = edit.shape;
    const answer = await this.ask({ ring, pins, moved, give: "pin", box });
    if (answer === undefined) return;
    if (sameRing(answer.ring, ring)) {
      this.screen.say("The network would draw the same.");
      return;
    }
    const added = answer.ring.length - answer.kept.length;
    this.ghost = { ...answer, added };
    this.screen.say(`Vertex ${moved + 1} moved. The network would redraw ${added}${scores(answer)}: Space takes it.`);
    this.screen.refresh();
  }

  /** The rule of the paper: all behind (or before) the vertex is drawn anew; again gives the next way. */
  async redraw(vertex: number | undefined, isBefore: boolean): Promise<void> {
    const { edit, redrawn } = this;
    if (edit === undefined) return;
    if (!this.canAsk) {
      this.screen.say(`The network is off${this.offReason()}.`);
      return;
    }
    this.dropGhost();
    const isAgain = redrawn !== undefined && redrawn.ring === edit.shape.ring;
    const from = isAgain ? redrawn.from : edit.shape;
    const candidate = isAgain ? Math.min(MOST_CANDIDATES, redrawn.candidate + 1) : 0;
    const isAll = from.ring.length < FEWEST_VERTICES;
    const at = Math.min(vertex ?? 0, Math.max(0, from.ring.length - 1));
    const turned = isBefore ? mirrored(from) : from;
    const moved = isAll ? 0 : isBefore ? from.ring.length - 1 - at : at;
    const asked = isAll ? { ring: [], pins: [] } : { ring: turned.ring, pins: turned.pins };
    const answer = await this.ask({ ...asked, moved, give: isAll ? "all" : "tail", box: from.box, candidate });
    if (answer === undefined) return;
    const next = isBefore ? mirrored({ ring: answer.ring, pins: answer.pins }) : answer;
    const shape = { ring: next.ring, pins: next.pins };
    if (isAgain) edit.replace(shape);
    else edit.change(shape, "redraw");
    this.redrawn = { from, ring: shape.ring, candidate };
    this.screen.say(`Redrawn: ${shape.ring.length} vertices${scores(answer)}. Again: the next way.`);
    this.screen.refresh();
  }

  async newBox(box: BoxXywh): Promise<void> {
    this.mode = "edit";
    this.change({ box }, "box");
    const { edit } = this;
    if (edit === undefined || !this.canAsk) {
      this.screen.say(`The box is changed, the polygon is not: the network is off${this.offReason()}.`);
      return;
    }
    const answer = await this.ask({ ring: [], pins: [], moved: 0, give: "all", box });
    if (answer === undefined) return;
    edit.replace({ ring: answer.ring, pins: answer.pins });
    this.screen.say(`Drawn in the new box: ${answer.ring.length} vertices.`);
    this.screen.refresh();
  }

  /** @returns undefined where a newer request or another edit came in between */
  private async ask(asked: Omit<RedrawRequest, "request" | "revision">): Promise<RedrawAnswer | undefined> {
    const { edit, clock } = this;
    if (edit === undefined) return undefined;
    this.supersede();
    const { request } = this;
    const asking = new AbortController();
    this.asking = asking;
    await this.writes; // a draft under way makes the revision that is named here
    if (request !== this.request) return undefined;
    const { revision } = edit;
    const { ordinal } = edit.view;
    const { box, ...rest } = asked;
    const began = performance.now();
    try {
      const body = { ...rest, ...(box !== undefined && { box }), request, revision, window: WINDOW };
      const answer = await write<RedrawAnswer>("POST", `instances/${ordinal}/redraw`, body, asking.signal);
      clock.networkMs += performance.now() - began;
      return request === this.request && edit === this.edit ? answer : undefined;
    } catch (error) {
      if (!(error instanceof Refusal && error.status === 499) && request === this.request) this.screen.failed(error);
      return undefined;
    }
  }

  private offReason(): string {
    const reason = this.session?.model.reason;
    if (this.edit?.view.arm === "manual") return ": this one is drawn by hand, to measure";
    return reason === undefined ? "" : `: ${reason}`;
  }

  setCategory(categoryId: Id): void {
    if (this.edit !== undefined && this.edit.shape.categoryId !== categoryId) this.change({ categoryId }, "category");
  }

  /** Synced to the disk before the next instance is shown. */
  async decide(status: Exclude<DecidedStatus, "draft">): Promise<void> {
    const { edit } = this;
    if (edit === undefined || this.isDeciding) return;
    if ((status === "accepted" || status === "edited") && edit.shape.ring.length < FEWEST_VERTICES) {
      this.screen.say("There is no polygon to accept: P draws one, X rejects the instance.");
      return;
    }
    this.dropGhost();
    this.isDeciding = true;
    try {
      await this.attempt(async () => {
        const { next } = await this.save(edit, status);
        this.pictures.forget(edit.view.ordinal);
        if (edit.isDirty) {
          this.screen.say("Decided, but changed while it was saved: decide again.");
          return;
        }
        if (next !== null) await this.go(next);
        else await this.go(edit.view.position);
        if (next === null) this.screen.say("All are decided. Export writes the files.");
      });
    } finally {
      this.isDeciding = false;
    }
  }

  /** @returns false where it could not be kept */
  private async saveDraft(): Promise<boolean> {
    const { edit } = this;
    const size = edit?.shape.ring.length ?? 0;
    if (edit?.isDirty !== true || (size > 0 && size < FEWEST_VERTICES) || edit.view.problem !== undefined) return true;
    if (this.isDeciding) return false;
    return this.attempt(() => this.save(edit, "draft"));
  }

  /** One after the other: each names the revision that the one before it made. */
  private save(edit: Edit, status: DecidedStatus): Promise<DecisionAnswer> {
    const task = async (): Promise<DecisionAnswer> => {
      const { shape, counts, view } = edit;
      const { ring, pins, box, categoryId } = shape;
      const hasRing = ring.length >= FEWEST_VERTICES;
      edit.isDirty = false;
      try {
        const answer = await write<DecisionAnswer>("PUT", `instances/${view.ordinal}`, {
          revision: edit.revision,
          status,
          rings: hasRing ? [ring] : [],
          ...(hasRing && { pins: [pins] }),
          box,
          categoryId,
          reason: status === "rejected" ? this.reason : null,
          counts,
          ...this.clock.times,
        });
        edit.revision = answer.revision;
        const { session } = this;
        if (session !== undefined) {
          const { counts, own } = answer;
          this.session = { ...session, counts, own, revision: session.revision + (status === "draft" ? 0 : 1) };
        }
        this.screen.refresh();
        return answer;
      } catch (error) {
        edit.isDirty = true;
        throw error;
      }
    };
    const result = this.writes.then(task);
    this.writes = result.catch(() => undefined); // the caller meets the error
    return result;
  }

  async undo(): Promise<void> {
    if (this.isDeciding) return;
    this.dropGhost();
    if (this.edit?.undo() === true) {
      this.screen.refresh();
      return;
    }
    await this.attempt(async () => {
      const { session } = this;
      if (session === undefined) return;
      try {
        const view = await write<InstanceView>("POST", "undo", { revision: session.revision });
        this.session = await get<Session>("session");
        this.pictures.forget(view.ordinal);
        this.open(new Edit(view));
        this.screen.say("The last decision is taken back.");
      } catch (error) {
        if (!(error instanceof Refusal && error.error.code === "E_STALE")) throw error;
        this.session = await get<Session>("session");
        this.screen.say("Another window decided in between; again takes back its last decision.");
      }
    });
  }

  /** @returns false where it failed; the screen says why, and edits stay */
  async attempt(task: () => Promise<unknown>): Promise<boolean> {
    try {
      await task();
      return true;
    } catch (error) {
      this.screen.failed(error);
      return false;
    }
  }

  /** @throws as any call of the server */
  async check(): Promise<void> {
    this.session = await get<Session>("session");
  }

  /** @returns whether the server answers again */
  async isBack(): Promise<boolean> {
    try {
      await this.check();
      return true;
    } catch (error) {
      if (error instanceof Unreachable || error instanceof Refusal) return false;
      throw error;
    }
  }
}

function scores({ score, scoreBefore }: Pick<RedrawAnswer, "score" | "scoreBefore">): string {
  return score === null || scoreBefore === null ? "" : `, score ${scoreBefore.toFixed(2)} to ${score.toFixed(2)}`;
}
