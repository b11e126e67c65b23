/**
 * review.ndjson: what people decided, one checksummed JSON line per decision, appended and synced before the answer.
 *
 *     {"type":"review","version":1,"run":"<sha256 of line 1 of journal.ndjson>",...,"check":"8 hex digits"}
 *     {"type":"session","id":1,"reviewer":"ann",...}
 *     {"type":"decision","ordinal":17,"revision":1,"status":"edited","rings":[...],...}
 *     {"type":"undo","ordinal":17,"revision":2,...}
 *
 * The last decision on an instance is in force; an undo puts the one before it in force. Drafts are unfinished work: the
 * next line on the instance replaces them, and they never count as decided. The file only grows. A torn last line is
 * cut off; a line that is damaged elsewhere is named and passed over. Memory: some hundred bytes per decision; rings
 * are read when they are needed.
 */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { cannotWrite, invalidData, reasonOf } from "../errors.js";
import { pathExists } from "../files/folders.js";
import type { LineRange } from "../runs/journal.js";
import { JournalWriter, readJournal, sealLine, unsealLine } from "../runs/journal.js";
import type { Box, JsonObject } from "../types.js";
import type { BoxXywh, Spent } from "./api.js";
import type { Decision } from "./decision.js";
import { readDecision } from "./decision.js";

export interface ReviewHeader {
  readonly type: "review";
  readonly version: 1;
  /** sha256 of the first line of the run's journal. */
  readonly run: string;
  readonly model: { readonly name: string; readonly sha256: string };
  readonly order: string;
  readonly startedAt: string;
}

/** Who begins to decide, how and when. */
export interface ReviewSessionStart {
  readonly reviewer: string | null;
  readonly arm: string;
  readonly at: string;
  /** Reviews of shards that were merged into this one. */
  readonly merged?: number;
}

/** What stays in memory of a decision. */
export interface KnownDecision extends Pick<
  Decision,
  | "status"
  | "reason"
  | "categoryId"
  | "score"
  | "before"
  | "counts"
  | "activeMs"
  | "networkMs"
  | "arm"
  | "isChanged"
  | "session"
> {
  readonly line: LineRange;
}

export interface ReviewedInstance {
  /** Lines on it so far. */
  revision: number;
  /** In the order they were made; the last is in force. */
  readonly stack: KnownDecision[];
  /** By its last line that is no undo: the page begins with it, so it only grows. */
  spent: Spent;
}

/** A line may name any number; the next session's has to be one that is read back. */
const MOST_SESSIONS = 2 ** 30;

const NOT_OURS = "Name the folder of the run it was made for, or move the file away to begin a new review.";

export class ReviewJournal {
  readonly instances = new Map<number, ReviewedInstance>();
  /** Line numbers. */
  readonly damaged: number[] = [];
  /** Ordinals in the order of their decisions, drafts not counted; the last is what an undo takes back. */
  private readonly decided: number[] = [];
  private file: FileHandle | undefined;
  private length = 0;
  private changes = 0;
  /** Names of those who decided, by session; null for the nameless. */
  private readonly reviewers = new Map<number, string | null>();
  private lastSession = 0;
  private isBroken = false;

  private constructor(readonly path: string) {}

  /**
   * Reads a review, if there is one.
   * @throws E_DATA when it belongs to another run or is none
   */
  static async read(path: string, run: string): Promise<ReviewJournal> {
    const journal = new ReviewJournal(path);
    if (!(await pathExists(path))) return journal;
    for await (const line of readJournal(path)) {
      journal.length = line.offset + line.length + 1;
      if (line.number === 1) checkHeader(path, line.value, run);
      else if (line.value === undefined || !journal.replay(line.value, line)) journal.damaged.push(line.number);
    }
    if (journal.length === 0) checkHeader(path, undefined, run);
    return journal;
  }

  /** Opens it for writing: what is torn is cut off, and a new one gets its first line. @throws E_WRITE */
  async begin(header: ReviewHeader, session: ReviewSessionStart): Promise<number> {
    const writer =
      this.length === 0
        ? await JournalWriter.create(this.path, header)
        : await JournalWriter.reopen(this.path, this.length);
    await writer.close();
    if (this.length === 0) this.length = Buffer.byteLength(sealLine(header)) + 1;
    this.file = await open(this.path, "r+").catch((error: unknown) => {
      throw this.failure("open", error);
    });
    return this.addSession(session);
  }

  /** Somebody begins to decide. @returns what their decisions name */
  async addSession(session: ReviewSessionStart): Promise<number> {
    const id = this.lastSession + 1;
    await this.write({ type: "session", id, ...session });
    this.knowSession(id, session.reviewer);
    return id;
  }

  private knowSession(id: number, reviewer: string | null): void {
    this.reviewers.set(id, reviewer);
    this.lastSession = Math.max(this.lastSession, id);
  }

  /** @returns null for somebody without a name */
  reviewerOf({ session }: Pick<Decision, "session">): string | null {
    return this.reviewers.get(session) ?? null;
  }

  /** Decisions and undos on all instances so far. A draft is neither, so it never stands in the way of an undo. */
  get revision(): number {
    return this.changes;
  }

  revisionOf(ordinal: number): number {
    return this.instances.get(ordinal)?.revision ?? 0;
  }

  inForce(ordinal: number): KnownDecision | undefined {
    return this.instances.get(ordinal)?.stack.at(-1);
  }

  /** The last decision that is no draft. */
  decisionOn(ordinal: number): KnownDecision | undefined {
    return this.instances.get(ordinal)?.stack.findLast(({ status }) => status !== "draft");
  }

  /** Resolves when the disk has it. */
  async decide(decision: Decision): Promise<void> {
    const line = await this.write({ type: "decision", ...decision });
    this.apply(decision, line);
  }

  /**
   * @param isShown whether an instance is in the queue: nobody takes back what they cannot see
   * @returns the instance whose decision was taken back; undefined when there is none left
   */
  async undo(session: number, isShown: (ordinal: number) => boolean): Promise<number | undefined> {
    const ordinal = this.decided.findLast(isShown);
    if (ordinal === undefined) return undefined;
    const revision = this.revisionOf(ordinal) + 1;
    await this.write({ type: "undo", ordinal, revision, session, at: new Date().toISOString() });
    this.takeBack(ordinal);
    return ordinal;
  }

  /** @throws E_DATA when the line is not what it was */
  async load({ line }: KnownDecision): Promise<Decision> {
    const file = this.file ?? (await open(this.path, "r"));
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(line.length), 0, line.length, line.offset);
      const value = unsealLine(buffer.toString("utf8", 0, bytesRead));
      const decision = value === undefined ? undefined : readDecision(value);
      if (decision !== undefined) return decision;
    } finally {
      if (this.file === undefined) await file.close();
    }
    throw invalidData(
      `${this.path}: byte ${line.offset}: the line changed since it was read`,
      "Another process writes to this folder, or the disk is failing; start the review again.",
    );
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  /** @returns false for a line that no version of this program wrote */
  private replay(value: JsonObject, line: LineRange): boolean {
    const { type, ordinal, id, reviewer } = value;
    if (type === "session" && Number.isSafeInteger(id) && (id as number) > 0 && (id as number) < MOST_SESSIONS) {
      this.knowSession(id as number, typeof reviewer === "string" ? reviewer : null);
      return true;
    }
    if (type === "undo" && Number.isSafeInteger(ordinal)) {
      // It may have taken back a decision that is lost: then the one before that one stays in force.
      if (this.skipLost(ordinal as number, value["revision"]) > 0) this.changes++;
      else this.takeBack(ordinal as number);
      return true;
    }
    const decision = type === "decision" ? readDecision(value) : undefined;
    if (decision === undefined) return false;
    this.skipLost(decision.ordinal, decision.revision, 1);
    this.apply(decision, line);
    return true;
  }

  /**
   * Counts the lines on an instance that stood where the file is damaged, as the next line on it tells.
   * @param revision of that line
   * @param own how many of them that line adds itself
   * @returns how many are lost
   */
  private skipLost(ordinal: number, revision: unknown, own = 0): number {
    const known = this.instances.get(ordinal);
    if (known === undefined || typeof revision !== "number" || !Number.isSafeInteger(revision)) return 0;
    const lost = revision - known.revision - 1;
    // No more than there are: the number comes from a file.
    if (lost <= 0 || lost > this.damaged.length) return 0;
    known.revision = revision - own;
    return lost;
  }

  private apply(decision: Decision, { offset, length }: LineRange): void {
    const { ordinal, status, reason, categoryId, score, before, arm, isChanged, session } = decision;
    const { counts, activeMs, openMs, networkMs } = decision;
    const spent = { counts, activeMs, openMs, networkMs };
    const known = this.instances.get(ordinal) ?? { revision: 0, stack: [], spent };
    this.instances.set(ordinal, known);
    known.revision++;
    known.spent = spent;
    if (known.stack.at(-1)?.status === "draft") known.stack.pop();
    known.stack.push({
      status,
      reason,
      categoryId,
      score,
      before,
      counts,
      activeMs,
      networkMs,
      arm,
      isChanged,
      session,
      line: { offset, length },
    });
    if (status === "draft") return;
    this.decided.push(ordinal);
    this.changes++;
  }

  private takeBack(ordinal: number): void {
    const known = this.instances.get(ordinal);
    if (known === undefined) return;
    known.revision++;
    this.changes++;
    // A draft on top of the decision goes with it.
    while (known.stack.length > 0 && known.stack.pop()!.status === "draft");
    const at = this.decided.lastIndexOf(ordinal);
    if (at !== -1) this.decided.splice(at, 1);
  }

  private async write(value: object): Promise<LineRange> {
    const { file } = this;
    if (file === undefined) throw new Error("this review was opened for reading");
    if (this.isBroken) throw this.failure("append to", new Error("an earlier write failed and could not be undone"));
    const text = sealLine(value);
    const bytes = Buffer.from(`${text}\n`);
    const line = { offset: this.length, length: bytes.length - 1 };
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, line.offset + done);
        done += bytesWritten;
      }
      await file.datasync();
    } catch (error) {
      // Half a line must not become the beginning of the next one.
      await file.truncate(line.offset).catch(() => {
        this.isBroken = true;
      });
      throw this.failure("append to", error);
    }
    this.length += bytes.length;
    return line;
  }

  private failure(verb: string, error: unknown): Error {
    return cannotWrite(
      `${this.path}: cannot ${verb} the review: ${reasonOf(error)}`,
      "Make room or repair the folder; the decisions before this one are kept.",
      error,
    );
  }
}

function checkHeader(path: string, header: JsonObject | undefined, run: string): void {
  if (header?.["type"] !== "review" || header["version"] !== 1)
    throw invalidData(`${path}: line 1: expected the head of a review, received a damaged line or none`, NOT_OURS);
  if (header["run"] !== run)
    throw invalidData(`${path}: line 1: expected a review of this run, received one of another`, NOT_OURS);
}

/** @returns the box as the API writes it */
export function toXywh({ left, top, width, height }: Box): BoxXywh {
  return [left, top, width, height];
}

export function fromXywh([left, top, width, height]: BoxXywh): Box {
  return { left, top, width, height };
}
