/** The instance in work: how it is opened, changed, kept and decided. A person never waits for an answer to go on. */
import type {
  BoxXywh,
  DecidedStatus,
  DecisionAnswer,
  Id,
  InstanceView,
  QueuePage,
  RejectReason,
  Session,
} from "../api.js";
import { Turns } from "../../turns.js";
import { Clock } from "./clock.js";
import type { ClickKind, Shape } from "./edit.js";
import { Edit, FEWEST_VERTICES } from "./edit.js";
import { Network } from "./network.js";
import { Pictures } from "./pictures.js";
import { get, Refusal, Unreachable, write } from "./server.js";

const DRAFT_EVERY_MS = 5000;
const NOTHING = { activeMs: 0, openMs: 0, networkMs: 0 };
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
  session: Session | undefined;
  clock = new Clock(NOTHING);
  /** What another window made of the instance meanwhile: shown until this one is decided. */
  theirs: InstanceView | undefined;
  /** "edit": vertices, and the outline that is open. */
  tool: "edit" | "box" | "pan" = "edit";
  readonly network = new Network(this);
  reason: RejectReason | null = null;
  private isDeciding = false;
  private opening = 0;
  private readonly writes = new Turns();
  private readonly pictures = new Pictures();

  constructor(readonly screen: Screen) {
    setInterval(() => {
      void this.saveDraft();
    }, DRAFT_EVERY_MS);
  }

  async start(): Promise<void> {
    this.session = await get<Session>("session");
    await this.go(this.session.next ?? 0);
    if (this.session.next === null) this.screen.say("All are decided. Export writes the files.");
  }

  /** What the pointer does. */
  get mode(): "edit" | "box" | "draw" | "pan" {
    return this.tool === "edit" && this.edit?.shape.isOpen === true ? "draw" : this.tool;
  }

  /** Leaves without a decision: what was changed is kept as a draft first. */
  async leaveTo(position: number | null): Promise<void> {
    if (position === null || this.isDeciding) return;
    this.network.drop();
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
    this.network.reset();
    this.theirs = undefined;
    this.clock = new Clock(view.spent);
    this.reason = view.reason;
    this.tool = "edit";
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
    this.network.drop();
    this.edit?.change(next, kind);
    this.screen.refresh();
  }

  /** The same step goes on. */
  replace(next: Partial<Shape>): void {
    this.network.supersede();
    this.edit?.replace(next);
    this.screen.refresh();
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

  async newBox(box: BoxXywh): Promise<void> {
    this.tool = "edit";
    this.change({ ...this.edit?.standing, box }, "box");
    await this.network.drawIn(box);
  }

  idle(): Promise<void> {
    return this.writes.idle();
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
    this.network.drop();
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
    if (edit?.isDirty !== true || edit.view.problem !== undefined) return true;
    if (this.isDeciding) return false;
    return this.attempt(() => this.save(edit, "draft"));
  }

  /** One after the other: each names the revision that the one before it made. */
  private save(edit: Edit, status: DecidedStatus): Promise<DecisionAnswer> {
    return this.writes.take(async () => {
      const { standing, counts, view } = edit;
      const { ring, pins, box, categoryId } = standing;
      const hasRing = ring.length >= FEWEST_VERTICES;
      edit.isDirty = false;
      try {
        const answer = await write<DecisionAnswer>("PUT", `instances/${view.ordinal}`, {
          revision: edit.revision,
          status,
          ...(!edit.isStored(ring) && { rings: hasRing ? [ring] : [], ...(hasRing && { pins: [pins] }) }),
          box,
          categoryId,
          reason: status === "rejected" ? this.reason : null,
          counts,
          ...this.clock.times,
        });
        edit.saved(answer.revision, status, ring);
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
    });
  }

  async undo(): Promise<void> {
    if (this.isDeciding) return;
    this.network.drop();
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
