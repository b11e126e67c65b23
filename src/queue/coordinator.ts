/**
 * The coordinator: the main path's drawer that lets workers draw. It keeps a bounded number of jobs on the queue, gives
 * results on as they come, and takes a job down when its result is journaled.
 *
 *     plan -> jobs -> queue -> workers -> results -> journal
 *
 * Nothing here trusts a message to arrive. Once a second the state of every job that has been open for so long is asked
 * for: a job that Redis lost is put up again, one whose retry waits for a clock that is ahead is let go, one that
 * failed too often is set aside. Set-aside jobs are tried once more at the end, image by image and alone, so that only
 * the image that breaks workers fails and not those beside it.
 *
 * Clocks: leases, cards and locks live by Redis' own clock, waits here by this process' monotonic one. BullMQ writes
 * the wall clock of a worker into a retry's due time; `hurry` keeps that from mattering.
 */
import { BATCH_SIZES } from "../annotate/local-predictor.js";
import type { AnnotateHost, PredictingEngine } from "../annotate/options.js";
import type { PredictedInstance } from "../annotate/predict-batch.js";
import type { Predictor, PredictRequest, OpenPredictor } from "../annotate/predictor.js";
import type { Model } from "../model/model.js";
import type { QueueConnection } from "./connection.js";
import { connectToQueue } from "./connection.js";
import { JobBoard } from "./job-board.js";
import type { JobResult } from "./job.js";
import { Lease } from "./lease.js";
import type { JobNaming, PlannedJob } from "./plan-jobs.js";
import { failedBy, planJobs, receiveResult, runIdOf, splitByImage } from "./plan-jobs.js";
import { listWorkers, nameModel } from "./presence.js";

export interface QueueRunOptions {
  /** redis:// or rediss:// address, password included. */
  readonly queue: string;
  /** Longest wait for an answer from Redis, milliseconds. */
  readonly timeoutMs: number;
  /** Workers that may fail at a job before it is set aside. */
  readonly attempts: number;
  /** 0 goes first, then 1, 2, ... */
  readonly priority: number;
  /** Where workers fetch the images, instead of their own folder. */
  readonly imageAddress?: string;
}

const LOOK_MS = 1000;
/** Thousands of jobs are looked at less often: a look costs Redis about 50 microseconds. */
const LOOK_MS_PER_JOB = 1;
/**
 * A retry that waits longer than this many looks is let go. Backoff doubles from one second, and three attempts are the
 * default.
 */
const HURRY_AFTER_LOOKS = 10;
/**
 * Jobs on the queue per worker: one is drawn, one is cut, the others wait. They must last while the journal is synced
 * and the next ones are put up: a quarter of a second was seen on a busy disk, in which eight workers with jobs of 50
 * ms draw 40.
 */
const JOBS_PER_WORKER = 16;
const [FEWEST_JOBS, MOST_JOBS] = [128, 8192];
/** Looks without a worker before it is said, and then again. */
const [FIRST_WORD_LOOKS, NEXT_WORD_LOOKS] = [5, 60];

/** @returns the drawer for `annotate`; it connects when the model is loaded */
export function openQueuePredictor(options: QueueRunOptions): OpenPredictor {
  return async (model, { images, resume }, host): Promise<Predictor> => {
    const connection = await connectToQueue(options);
    host.note(`handing out work for model ${model.card.name} over ${connection.address.shown}`);
    const naming: JobNaming = {
      images,
      attempts: options.attempts,
      ...(options.imageAddress !== undefined && { imageAddress: options.imageAddress }),
    };
    const engines = new EnginesSeen();
    return {
      batchSize: BATCH_SIZES.cpu,
      passedOver: [],
      engine: () => engines.summary(),
      async *draw(request) {
        const run = runIdOf(request, naming);
        const lease = await Lease.take(connection, run, (line) => {
          host.note(line);
        });
        try {
          yield* new Coordinator(connection, model, host, request, naming, lease, engines, run).draw(
            options.priority,
            resume,
          );
        } finally {
          await lease.release().catch(() => undefined); // it ends by itself
        }
      },
      close: () => {
        connection.close();
        return Promise.resolve();
      },
    };
  };
}

/** A job on the queue, when it is to be looked at, and how often it has been seen waiting for a retry. */
interface OpenJob {
  readonly planned: PlannedJob;
  lookAt: number;
  delayedLooks: number;
}

class Coordinator {
  private readonly open = new Map<string, OpenJob>();
  private readonly parked: PlannedJob[] = [];
  /** Results that came with an event, and ids that are to be looked at. */
  private readonly arrived = new Map<string, unknown>();
  private readonly toLookAt = new Set<string>();
  private wake: () => void = () => undefined;
  private workers = 0;
  private looks = 0;
  private nextLook = 0;
  private nextWord = FIRST_WORD_LOOKS;

  constructor(
    private readonly connection: QueueConnection,
    private readonly model: Model,
    private readonly host: AnnotateHost,
    private readonly request: PredictRequest,
    private readonly naming: JobNaming,
    private readonly lease: Lease,
    private readonly engines: EnginesSeen,
    private readonly run: string,
  ) {}

  /** @param resumes results of an earlier coordinator of this run are taken; else they are removed */
  async *draw(priority: number, resumes: boolean): AsyncGenerator<readonly PredictedInstance[], void, undefined> {
    const { host, model } = this;
    await nameModel(this.connection, model.hash, model.card.name);
    const board = await JobBoard.open(this.connection, model.hash, priority, {
      ended: (id, value) => {
        this.hear(id, value);
      },
    });
    const stop = (): void => {
      this.wake();
    };
    host.signal.addEventListener("abort", stop);
    try {
      if (!resumes) await board.remove(await board.find(`${this.run}-`));
      yield* this.predictJobs(board, planJobs(this.request, this.run, this.naming), resumes);
      yield* this.predictParked(board);
    } finally {
      host.signal.removeEventListener("abort", stop);
      // What nobody has begun is taken back; what is in work ends and is found again by --resume.
      await board.remove([...this.open.keys()]).catch(() => undefined);
      board.close();
    }
  }

  private async *predictJobs(
    board: JobBoard,
    jobs: AsyncIterable<PlannedJob> | readonly PlannedJob[],
    resumes: boolean,
  ): AsyncGenerator<readonly PredictedInstance[], void, undefined> {
    const source = Symbol.asyncIterator in jobs ? jobs[Symbol.asyncIterator]() : jobs[Symbol.iterator]();
    let isEnded = false;
    try {
      for (;;) {
        const fresh: PlannedJob[] = [];
        const ready: PredictedInstance[] = [];
        while (!isEnded && this.open.size + fresh.length < this.mostJobs()) {
          const next = await source.next();
          if (next.done === true) isEnded = true;
          else if (next.value.job === undefined) ready.push(...next.value.settled);
          else fresh.push(next.value);
        }
        await this.enqueue(board, fresh, resumes);
        if (ready.length > 0) yield ready;
        if (isEnded && this.open.size === 0) return;
        yield* this.collect(board);
        if (this.isStopped()) return;
      }
    } finally {
      await source.return?.(undefined);
    }
  }

  /**
   * Jobs that failed too often: image by image, one at a time, so that a job that kills its worker takes no other with
   * it.
   */
  private async *predictParked(board: JobBoard): AsyncGenerator<readonly PredictedInstance[], void, undefined> {
    for (const planned of this.parked.splice(0)) {
      if (this.isStopped()) return;
      const now = await board.stateOf(planned.id);
      if (now.kind === "open" || now.kind === "delayed" || now.kind === "done") {
        // `queue retry-failed` was asked for
        yield* this.predictJobs(board, [planned], true);
        if (!this.parked.includes(planned)) continue;
        this.parked.splice(this.parked.indexOf(planned), 1);
      }
      if (planned.settled.length > 0) yield planned.settled;
      for (const alone of splitByImage(planned)) {
        await board.remove([alone.id]);
        yield* this.predictJobs(board, [alone], false);
        if (this.isStopped()) return;
        if (this.parked.pop() === undefined) continue;
        const state = await board.stateOf(alone.id);
        const why = state.kind === "failed" ? state.why : "it failed";
        yield [...alone.instances.values()].map((instance) =>
          failedBy(instance, {
            reason: "worker-failed",
            message: `annotation ${instance.annotationId}: job ${alone.id} was set aside after ${this.naming.attempts} attempt(s) and one of its image alone: ${why}. Look at the worker's messages and the image, then run again with --resume.`,
          }),
        );
        await board.remove([alone.id]);
      }
    }
  }

  private async enqueue(board: JobBoard, fresh: readonly PlannedJob[], resumes: boolean): Promise<void> {
    if (resumes) {
      // what was set aside in an earlier run gets another chance
      const states = await Promise.all(fresh.map(async ({ id }) => ({ id, state: await board.stateOf(id) })));
      await board.remove(states.filter(({ state }) => state.kind === "failed").map(({ id }) => id));
      for (const { id, state } of states) if (state.kind === "done") this.toLookAt.add(id);
    }
    await board.add(fresh);
    for (const planned of fresh)
      this.open.set(planned.id, { planned, lookAt: performance.now() + LOOK_MS, delayedLooks: 0 });
  }

  /**
   * Waits for something to happen, then yields what came in one list, so that the journal is synced once for all of it.
   */
  private async *collect(board: JobBoard): AsyncGenerator<readonly PredictedInstance[], void, undefined> {
    await this.somethingHappened();
    this.lease.check();
    if (performance.now() >= this.nextLook) await this.lookAround();
    const answers: { readonly id: string; readonly value: unknown }[] = [];
    for (const [id, value] of this.arrived) answers.push({ id, value });
    this.arrived.clear();
    const ids = [...this.toLookAt];
    this.toLookAt.clear();
    for (const { id, state } of await Promise.all(ids.map(async (id) => ({ id, state: await board.stateOf(id) })))) {
      const job = this.open.get(id);
      if (job === undefined) continue;
      if (state.kind === "done") answers.push({ id, value: state.value });
      else if (state.kind === "failed") this.putAside(id, job.planned, state.why);
      else if (state.kind === "lost") await this.enqueueAgain(board, id, job.planned);
      else if (state.kind === "delayed" && ++job.delayedLooks >= HURRY_AFTER_LOOKS) await board.hurry(id);
    }
    const drawn: PredictedInstance[] = [];
    const finished: string[] = [];
    for (const { id, value } of answers) {
      const job = this.open.get(id);
      if (job === undefined || finished.includes(id)) continue;
      const received = receiveResult(job.planned, value);
      if (received.kind === "drawn") {
        drawn.push(...received.drawn);
        finished.push(id);
        this.count(received.result);
      } else {
        this.host.note(`a result of job ${id} was refused: ${received.why}; the job is done again`);
        await board.remove([id]);
        await board.add([job.planned]);
      }
    }
    for (const id of finished) this.open.delete(id);
    if (drawn.length > 0) yield drawn;
    await board.remove(finished);
  }

  private putAside(id: string, planned: PlannedJob, why: string): void {
    this.open.delete(id);
    this.parked.push(planned);
    this.host.note(`job ${id} was set aside: ${why}`);
  }

  private async enqueueAgain(board: JobBoard, id: string, planned: PlannedJob): Promise<void> {
    this.host.note(`Redis no longer knows job ${id}; it is put up again`);
    await board.add([planned]);
  }

  private hear(id: string, value: unknown): void {
    if (!this.open.has(id)) return;
    if (value === undefined) this.toLookAt.add(id);
    else this.arrived.set(id, parsed(value));
    this.wake();
  }

  /** Resolves at the next event, at the latest when it is time to look around. */
  private async somethingHappened(): Promise<void> {
    if (this.arrived.size > 0 || this.toLookAt.size > 0 || this.host.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, this.nextLook - performance.now()));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Once a second: every job that has been open for so long, and who is there to draw. */
  private async lookAround(): Promise<void> {
    const now = performance.now();
    this.nextLook = now + Math.max(LOOK_MS, this.open.size * LOOK_MS_PER_JOB);
    // A job that has only just been put up, as most are where jobs are short, was seen then.
    for (const [id, { lookAt }] of this.open) if (now >= lookAt) this.toLookAt.add(id);
    if (this.looks++ % FIRST_WORD_LOOKS !== 0) return;
    const workers = await listWorkers(this.connection);
    this.workers = workers.filter(({ model }) => model === this.model.hash).length;
    if (this.workers > 0) this.nextWord = this.looks + FIRST_WORD_LOOKS;
    else if (this.looks >= this.nextWord) {
      this.nextWord = this.looks + NEXT_WORD_LOOKS;
      const others = [...new Set(workers.map(({ modelName }) => modelName))].join(", ");
      this.host.note(
        `waiting: no worker has model ${this.model.card.name} (${this.model.hash.slice(0, 12)})${others === "" ? "" : `; workers with ${others} are there`}. ` +
          `Start one with: polyrnn worker --queue ${this.connection.address.shown} --model ${this.model.card.name}`,
      );
    }
  }

  private mostJobs(): number {
    return Math.min(MOST_JOBS, Math.max(FEWEST_JOBS, JOBS_PER_WORKER * this.workers));
  }

  /** A method, because the compiler takes a field it has seen false for false after every wait. */
  private isStopped(): boolean {
    return this.host.signal.aborted;
  }

  private count(result: JobResult): void {
    this.engines.add(result);
    for (const stage of ["decode", "crop", "encode", "steps"] as const)
      this.request.clock.add(stage, result.milliseconds[stage]);
  }
}

/** What drew, by the results. */
class EnginesSeen {
  private readonly names = new Set<string>();
  private readonly devices = new Set<string>();
  private readonly versions = new Set<string>();

  add({ engine, device, engineVersion }: JobResult): void {
    this.names.add(engine);
    this.devices.add(device);
    this.versions.add(engineVersion);
  }

  summary(): PredictingEngine {
    const one = (seen: ReadonlySet<string>): string =>
      seen.size === 0 ? "queue" : seen.size > 1 ? "several" : [...seen][0]!;
    // The schema of a result has let only names of engines and devices through.
    return {
      name: one(this.names) as PredictingEngine["name"],
      device: one(this.devices) as PredictingEngine["device"],
      version: this.versions.size === 0 ? "queue" : [...this.versions].sort().join(" + "),
    };
  }
}

/** BullMQ gives an event's value parsed or as text, depending on how it was written. */
function parsed(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
