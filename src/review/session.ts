/**
 * One review in one process: everything the page asks, without HTTP. Decisions go one after the other, so that a check
 * of a revision and the line that follows from it are not torn apart.
 */
import { basename, resolve } from "node:path";
import { EXIT, invalidData, PolyrnnError } from "../errors.js";
import { RunLock } from "../runs/lock.js";
import { Turns } from "../turns.js";
import type { Instance, Outcome } from "../types.js";
import type {
  DecisionAnswer,
  DecisionRequest,
  ExportAnswer,
  InstanceView,
  QueuePage,
  QueueRow,
  RedrawAnswer,
  RedrawRequest,
  ReviewStatus,
  Session,
  Statistics,
  StatusCounts,
} from "./api.js";
import type { Decision } from "./decision.js";
import type { ExportOptions } from "./export.js";
import { fromXywh, toXywh } from "./journal.js";
import type { QueueOptions } from "./order.js";
import { armFor, nextWhere, queueOf } from "./order.js";
import { DEFAULT_VIEW, Pictures } from "./pictures.js";
import type { Subject } from "./redraw.js";
import { Network, networkFor, openNetworkOf } from "./redraw.js";
import type { ReviewedRun } from "./run.js";
import { automaticScore, boxOf, categoryName, checkRunFolder, openReviewedRun, othersOf, outcomeOf } from "./run.js";
import { countsOf, paceOf, statisticsOfRun } from "./progress.js";
import { makeDecision } from "./make-decision.js";
import { NotFound, sizeOf, Stale } from "./refusals.js";
import { NOTHING_SPENT } from "./statistics.js";

export interface ReviewOptions extends QueueOptions, ExportOptions {
  readonly folder: string;
  readonly arm: "assist" | "manual" | "mixed";
  readonly threads?: number;
}

const AHEAD = 2;

export class ReviewSession {
  private readonly changes = new Turns();
  private readonly positions: Int32Array;
  private readonly pictures: Pictures;
  private preparing = 0;

  private constructor(
    private readonly options: ReviewOptions,
    readonly run: ReviewedRun,
    private readonly parts: {
      readonly lock: RunLock;
      readonly queue: Int32Array;
      readonly id: number;
      readonly network: Network | { readonly reason: string };
      readonly note: (line: string) => void;
    },
  ) {
    this.pictures = new Pictures(new Date(run.record.startedAt));
    this.positions = new Int32Array(run.scores.length).fill(-1);
    parts.queue.forEach((ordinal, position) => {
      this.positions[ordinal] = position;
    });
  }

  /**
   * @throws E_OUT_IN_USE while another process works in the folder; E_MISSING and E_DATA as `openReviewedRun`
   */
  static async open(options: ReviewOptions, note: (line: string) => void): Promise<ReviewSession> {
    // Without a run there is nothing to lock: the folder may be anybody's.
    await checkRunFolder(options.folder);
    const lock = await RunLock.take(options.folder, note);
    let run: ReviewedRun | undefined;
    try {
      run = await openReviewedRun(options.folder, note);
      const queue = queueOf(run, options);
      const network = await openNetworkOf(run, options, note);
      if ("reason" in network) note(network.reason);
      const id = await run.review.begin(
        {
          type: "review",
          version: 1,
          run: run.hash,
          model: { name: run.record.model.name, sha256: run.identity.model },
          order: options.order,
          startedAt: new Date().toISOString(),
        },
        { reviewer: options.reviewer ?? null, arm: options.arm, at: new Date().toISOString() },
      );
      return new ReviewSession(options, run, { lock, queue, id, network, note });
    } catch (error) {
      await run?.close();
      await lock.release();
      throw error;
    }
  }

  session(): Session {
    const { run, options, parts } = this;
    const { network } = parts;
    const { order, arm, reviewer, below, categories, sample, seed } = options;
    const reason = network instanceof Network ? network.problem : network.reason;
    return {
      revision: run.review.revision,
      run: basename(resolve(run.folder)),
      model: {
        name: run.record.model.name,
        available: reason === undefined,
        ...(reason !== undefined && { reason }),
      },
      categories: run.categories.map(({ id, name }) => ({ id, name })),
      total: parts.queue.length,
      counts: this.counts(),
      order,
      arm,
      reviewer: reviewer ?? null,
      own: paceOf(run, parts.id),
      next: this.nextOpen(-1),
      options: {
        ...(below !== undefined && { below }),
        ...(categories.length > 0 && { category: categories }),
        ...(sample !== undefined && { sample, seed }),
      },
    };
  }

  /** @param after position; -1 for the beginning */
  queuePage(after: number, limit: number): QueuePage {
    const { queue } = this.parts;
    const from = Math.max(0, after + 1);
    const rows = Array.from(queue.subarray(from, from + limit), (ordinal): QueueRow => ({
      position: this.positions[ordinal]!,
      ordinal,
      score: automaticScore(this.run, ordinal),
      category: categoryName(this.run, this.categoryIdOf(ordinal)),
      status: this.statusOf(ordinal),
      revision: this.run.review.revisionOf(ordinal),
    }));
    return { revision: this.run.review.revision, total: queue.length, rows };
  }

  async instance(ordinal: number): Promise<InstanceView> {
    const view = await this.viewOf(ordinal);
    void this.prepareFrom(view.position);
    return view;
  }

  async picture(ordinal: number, format: { readonly margin: number; readonly side: number }): Promise<Uint8Array> {
    this.positionOf(ordinal);
    const opened = await this.pictures.open(this.imageOf(ordinal));
    const box = await this.boxInForce(ordinal);
    const made =
      "problem" in opened ? opened : await this.pictures.jpeg(opened, this.pictures.view(box, opened, format));
    if ("problem" in made) throw invalidData(made.problem, "Put the image back, or skip the instance.");
    return made;
  }

  /** @param gone who asked waits no more */
  async redraw(ordinal: number, asked: RedrawRequest, gone?: AbortSignal): Promise<RedrawAnswer> {
    const began = performance.now();
    this.positionOf(ordinal);
    await this.refuseStale(ordinal, asked.revision);
    const network = networkFor(this.parts.network, this.armOf(ordinal));
    const { request, box, candidate = 0 } = asked;
    const subject = await this.subjectOf(ordinal, box === undefined ? await this.boxInForce(ordinal) : fromXywh(box));
    const { maxSteps } = this.run.identity;
    const task = { ...asked, candidate, maxSteps, ...(gone !== undefined && { signal: gone }) };
    const redrawn = await network.redraw(subject, asked, task);
    return {
      ...redrawn,
      revision: this.run.review.revisionOf(ordinal),
      request,
      score: redrawn.score ?? null,
      scoreBefore: redrawn.scoreBefore ?? null,
      ms: Math.round(performance.now() - began),
    };
  }

  /** @throws Stale when another change was faster; E_WRITE, and then nothing has changed */
  decide(ordinal: number, asked: DecisionRequest): Promise<DecisionAnswer> {
    const position = this.positionOf(ordinal);
    return this.changes.take(async () => {
      await this.refuseStale(ordinal, asked.revision);
      await this.run.review.decide(await this.toDecision(ordinal, asked));
      return {
        revision: this.run.review.revisionOf(ordinal),
        next: this.nextOpen(position),
        counts: this.counts(),
        own: paceOf(this.run, this.parts.id),
      };
    });
  }

  /** Takes back the last decision. @returns the instance as it is then */
  undo(revision: number): Promise<InstanceView> {
    return this.changes.take(async () => {
      const { review } = this.run;
      if (revision !== review.revision) throw new Stale(undefined);
      const ordinal = await review.undo(this.parts.id, (each) => this.isShown(each));
      if (ordinal === undefined)
        throw new PolyrnnError(
          "expected a decision to take back, received none",
          "E_NOTHING_TO_UNDO",
          EXIT.usage,
          "Everything is open.",
        );
      return this.viewOf(ordinal);
    });
  }

  /** Decisions wait while the files are written. */
  export(): Promise<ExportAnswer> {
    return this.changes.take(async () => ({
      files: await (await import("./export.js")).exportReview(this.run, this.options, this.parts.note),
      revision: this.run.review.revision,
      counts: this.counts(),
    }));
  }

  statistics(): Statistics {
    return statisticsOfRun(this.run, this.counts(), this.parts.id);
  }

  async close(): Promise<void> {
    this.preparing++;
    await this.changes.idle();
    const { network, lock } = this.parts;
    if (network instanceof Network) await network.close();
    await this.run.close();
    await lock.release();
  }

  private async refuseStale(ordinal: number, revision: number): Promise<void> {
    if (revision !== this.run.review.revisionOf(ordinal)) throw new Stale(await this.viewOf(ordinal));
  }

  /** What is written of a decision. */
  private async toDecision(ordinal: number, asked: DecisionRequest): Promise<Decision> {
    const { run, parts } = this;
    const subject = await this.subjectOf(ordinal, fromXywh(asked.box));
    const opened = await this.pictures.open(this.imageOf(ordinal));
    return makeDecision(asked, {
      ordinal,
      session: parts.id,
      arm: this.armOf(ordinal),
      categories: run.categories,
      categoryId: run.categories[run.categoryOf[ordinal]!]?.id,
      box: toXywh(boxOf(run, ordinal)),
      standing: () => this.viewOf(ordinal),
      outcome: await this.outcomeOf(ordinal),
      image: opened,
      scoreOf: async (ring) => (parts.network instanceof Network ? parts.network.scoreOf(subject, ring) : undefined),
    });
  }

  private async viewOf(ordinal: number): Promise<InstanceView> {
    const position = this.positionOf(ordinal);
    const { run, parts } = this;
    const { review } = run;
    const outcome = await this.outcomeOf(ordinal);
    const known = review.inForce(ordinal);
    const decision = known === undefined ? undefined : await review.load(known);
    const automatic = outcome.status === "done" ? [outcome.ring] : [];
    const arm = this.armOf(ordinal);
    const opened = await this.pictures.open(this.imageOf(ordinal));
    const box = decision === undefined ? boxOf(run, ordinal) : fromXywh(decision.box);
    const { imageWidth, imageHeight } =
      "problem" in opened ? sizeOf(outcome) : { imageWidth: opened.width, imageHeight: opened.height };
    const { x, y, scale, width, height } = this.pictures.view(
      box,
      { path: "", width: imageWidth, height: imageHeight, isRotated: true },
      DEFAULT_VIEW,
    );
    const categoryId = this.categoryIdOf(ordinal);
    return {
      ordinal,
      position,
      imageId: outcome.imageId!,
      annotationId: outcome.annotationId!,
      box: toXywh(box),
      categoryId,
      category: categoryName(run, categoryId),
      rings: decision?.rings ?? (arm === "manual" ? [] : automatic),
      automatic: arm === "manual" && decision === undefined ? [] : automatic,
      pins: decision?.pins ?? [],
      score: known?.score ?? automaticScore(this.run, ordinal),
      status: this.statusOf(ordinal),
      reason: known?.reason ?? null,
      revision: review.revisionOf(ordinal),
      spent: review.instances.get(ordinal)?.spent ?? NOTHING_SPENT,
      imageWidth,
      imageHeight,
      view: { x, y, scale, width, height },
      others: await othersOf(run, ordinal),
      arm,
      ...("problem" in opened && { problem: opened.problem }),
      ...("notice" in opened && { notice: opened.notice }),
      previous: position > 0 ? position - 1 : null,
      following: position + 1 < parts.queue.length ? position + 1 : null,
    };
  }

  /** Picture and encoding of this one and the next, one after the other, until somebody goes on. */
  private async prepareFrom(position: number): Promise<void> {
    const mine = ++this.preparing;
    for (const ordinal of this.parts.queue.subarray(position, position + 1 + AHEAD)) {
      // What goes wrong is met when it is asked for.
      await this.prepare(ordinal).catch(() => undefined);
      if (mine !== this.preparing) return;
    }
  }

  private async prepare(ordinal: number): Promise<void> {
    const { network } = this.parts;
    await this.picture(ordinal, DEFAULT_VIEW);
    if (network instanceof Network && this.armOf(ordinal) === "assist")
      await network.prepare(await this.subjectOf(ordinal, await this.boxInForce(ordinal)));
  }

  private async subjectOf(ordinal: number, box: Instance["box"]): Promise<Subject> {
    const outcome = await this.outcomeOf(ordinal);
    const { imageId, annotationId } = outcome;
    const opened = await this.pictures.open(this.imageOf(ordinal));
    return {
      stamp: "problem" in opened ? "" : opened.stamp,
      instance: {
        ordinal,
        annotationId: annotationId!,
        imageId: imageId!,
        categoryId: this.categoryIdOf(ordinal),
        box,
        raw: {},
      },
      image: async () => {
        const decoded = "problem" in opened ? opened : await this.pictures.decode(opened);
        if ("problem" in decoded) throw invalidData(decoded.problem, "Put the image back, or skip the instance.");
        return decoded;
      },
    };
  }

  private async boxInForce(ordinal: number): Promise<Instance["box"]> {
    const known = this.run.review.inForce(ordinal);
    return known === undefined ? boxOf(this.run, ordinal) : fromXywh((await this.run.review.load(known)).box);
  }

  private positionOf(ordinal: number): number {
    const position = this.positions[ordinal] ?? -1;
    if (position === -1) throw new NotFound(ordinal);
    return position;
  }

  private async outcomeOf(ordinal: number): Promise<Outcome> {
    const outcome = await outcomeOf(this.run, ordinal);
    if (outcome === undefined) throw new NotFound(ordinal);
    return outcome;
  }

  private imageOf(ordinal: number): ReviewedRun["images"][number] {
    return this.run.images[this.run.imageOf[ordinal]!]!;
  }

  private categoryIdOf(ordinal: number): Instance["categoryId"] {
    const { review, categories, categoryOf } = this.run;
    return review.inForce(ordinal)?.categoryId ?? categories[categoryOf[ordinal]!]?.id ?? "";
  }

  private armOf(ordinal: number): "assist" | "manual" {
    return armFor(this.options, ordinal);
  }

  private statusOf(ordinal: number): ReviewStatus {
    return this.run.review.inForce(ordinal)?.status ?? "open";
  }

  private counts(): StatusCounts {
    return countsOf(this.run, (ordinal) => this.isShown(ordinal), this.parts.queue.length);
  }

  /** A review may speak of instances that are not in the queue, or that no run has. */
  private isShown(ordinal: number): boolean {
    return (this.positions[ordinal] ?? -1) !== -1;
  }

  private nextOpen(position: number): number | null {
    return nextWhere(this.parts.queue, position, (ordinal) => {
      const status = this.statusOf(ordinal);
      return status === "open" || status === "draft";
    });
  }
}
