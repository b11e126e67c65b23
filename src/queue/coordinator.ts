/**
 * The coordinator: the predictor of a run whose work is done by workers behind a queue. It keeps a bounded number of
 * jobs enqueued, yields results as they come, and removes a job when its result is journaled.
 *
 *     plan -> jobs -> queue -> workers -> results -> journal
 *
 * Nothing here relies on a message to arrive: jobs that have been open for a second are polled. A job that Redis lost
 * is enqueued again; one whose retry waits for a clock that is ahead is promoted; one that failed too often is parked.
 * Parked jobs are tried once more at the end, image by image and each alone, so that only the image that breaks workers
 * fails and not those beside it.
 *
 * Clocks: leases, cards and locks live by Redis' own clock, waits here by this process' monotonic one. BullMQ writes
 * the wall clock of a worker into a retry's due time; promoting keeps that from mattering.
 *
 * Above 300 lines because the life of a job, from enqueued to journaled or failed, is followed in one place.
 */
import { stat } from "node:fs/promises";
import { BATCH_SIZES } from "../annotate/local-predictor.js";
import type { AnnotateHost } from "../annotate/options.js";
import type { PredictedInstance } from "../annotate/predict-batch.js";
import type { OpenPredictor, Predictor, PredictRequest } from "../annotate/predictor.js";
import { count } from "../count.js";
import { usageError } from "../errors.js";
import type { Model } from "../model/model.js";
import type { PredictingEngine } from "../runs/run-file.js";
import type { Secret } from "../secret.js";
import type { RedisAddress } from "./address.js";
import type { QueueConnection } from "./connection.js";
import { connectToQueue } from "./connection.js";
import { JobBoard, parsed } from "./job-board.js";
import type { JobResult } from "./job.js";
import { Lease } from "./lease.js";
import type { JobNaming, PlannedJob } from "./plan-jobs.js";
import { failedBy, planJobs, receiveResult, runIdOf, splitByImage } from "./plan-jobs.js";
import { listWorkers, nameModel } from "./presence.js";

export interface QueueRunOptions {
  readonly queue: RedisAddress;
  /** Longest wait for an answer from Redis, milliseconds. */
  readonly timeoutMs: number;
  /** Workers that may fail at a job before it is set aside. */
  readonly attempts: number;
  /** 0 goes first, then 1, 2, ... */
  readonly priority: number;
  /** Where workers fetch the images, instead of their own folder; may hold a password or a signature. */
  readonly imageAddress?: Secret;
}

const POLL_MS = 1000;
/** Thousands of jobs are polled less often, because every one of them is a question to Redis. */
const POLL_MS_PER_JOB = 1;
/**
 * A retry that is delayed for more polls than this is promoted. Backoff doubles from one second, and three attempts are
 * the default.
 */
const PROMOTE_AFTER_POLLS = 10;
/**
 * Jobs on the queue per worker: one is predicted, one is cut, the others wait. They must last while the journal is
 * synced and the next ones are enqueued, which on a busy disk takes as long as several short jobs.
 */
const JOBS_PER_WORKER = 16;
const [FEWEST_JOBS, MOST_JOBS] = [128, 8192];
/** Workers are counted once in this many polls. */
const COUNT_WORKERS_POLLS = 5;
/** Polls without a worker before the user is told, and then between reminders. */
const [FIRST_NOTE_POLLS, NEXT_NOTE_POLLS] = [5, 60];

/** @returns the predictor for `annotate`; it connects when the model is loaded */
export function openQueuePredictor(options: QueueRunOptions): OpenPredictor {
  return async (model, { images, resume }, host): Promise<Predictor> => {
    await refuseFile(images);
    const connection = await connectToQueue({
      ...options,
      afterwards: "What was journaled is kept, and the same command with --resume goes on.",
    });
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
      async *predict(request) {
        const id = runIdOf(request, naming);
        const lease = await Lease.take(connection, id, (line) => {
          host.note(line);
        });
        const { priority } = options;
        const run: QueueRun = { id, connection, model, host, request, naming, lease, engines, priority, resume };
        try {
          yield* new Coordinator(run).predict();
        } finally {
          await lease.release().catch(() => undefined); // it expires by itself
        }
      },
      close: () => {
        connection.close();
        return Promise.resolve();
      },
    };
  };
}

/** @throws E_USAGE for a zip file, a list or one image: workers find images by their place below a folder */
async function refuseFile(images: string): Promise<void> {
  if ((await stat(images)).isDirectory()) return;
  throw usageError(
    `--queue: expected a folder of images that workers have as well, received a file (${images})`,
    "Unpack the images, or name the folder they lie in.",
  );
}

/** What the coordinator of one run works with. */
interface QueueRun {
  /** See `runIdOf`. */
  readonly id: string;
  readonly connection: QueueConnection;
  readonly model: Model;
  readonly host: AnnotateHost;
  readonly request: PredictRequest;
  readonly naming: JobNaming;
  readonly lease: Lease;
  readonly engines: EnginesSeen;
  readonly priority: number;
  /** Results of an earlier coordinator of this run are taken; else they are removed. */
  readonly resume: boolean;
}

/** A job on the queue, when to poll it, how often it was found waiting for a retry, and how often a result was refused. */
interface OpenJob {
  readonly planned: PlannedJob;
  readonly pollAt: number;
  delayedPolls: number;
  refusals: number;
}

class Coordinator {
  private readonly open = new Map<string, OpenJob>();
  private readonly parked: PlannedJob[] = [];
  /** Results that came with an event, and ids of jobs to poll. */
  private readonly arrived = new Map<string, unknown>();
  private readonly toPoll = new Set<string>();
  private wake: () => void = () => undefined;
  private workers = 0;
  private polls = 0;
  private nextPoll = 0;
  private nextNote = FIRST_NOTE_POLLS;

  constructor(private readonly run: QueueRun) {}

  async *predict(): AsyncGenerator<readonly PredictedInstance[], void, undefined> {
    const { id, connection, host, model, request, naming, priority, resume } = this.run;
    await nameModel(connection, model.hash, model.card.name);
    const board = await JobBoard.open(connection, model.hash, priority, {
      ended: (jobId, value) => {
        this.onEnded(jobId, value);
      },
    });
    const stop = (): void => {
      this.wake();
    };
    host.signal.addEventListener("abort", stop);
    try {
      if (!resume) await board.remove(await board.find(`${id}-`));
      yield* this.predictJobs(board, planJobs(request, id, naming), resume);
      yield* this.predictParked(board);
    } finally {
      host.signal.removeEventListener("abort", stop);
      // What nobody has begun is removed; what is under way ends and is found again by --resume.
      await board.remove([...this.open.keys()]).catch(() => undefined);
      board.close();
    }
  }

  private async *predictJobs(
    board: JobBoard,
    jobs: AsyncIterable<PlannedJob> | readonly PlannedJob[],
    resume: boolean,
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
        await this.enqueue(board, fresh, resume);
        if (ready.length > 0) yield ready;
        if (isEnded && this.open.size === 0) return;
        yield* this.collect(board);
        if (this.isStopped()) return;
      }
    } finally {
      await source.return?.(undefined);
    }
  }

  /** Jobs that failed too often: image by image, one at a time, so that one that kills its worker harms no other. */
  private async *predictParked(board: JobBoard): AsyncGenerator<readonly PredictedInstance[], void, undefined> {
    for (const planned of this.parked.splice(0)) {
      if (this.isStopped()) return;
      const now = await board.stateOf(planned.id);
      if (now.kind === "open" || now.kind === "delayed" || now.kind === "done") {
        // somebody ran `queue retry-failed`
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
        const why = state.kind === "failed" ? state.why : "its results were refused";
        const message =
          `job ${alone.id} was set aside after ${count(this.run.naming.attempts, "attempt")} and one of its image alone: ` +
          `${why}. Look at the worker's messages and the image, then run again with --resume.`;
        yield [...alone.instances.values()].map((instance) =>
          failedBy(instance, {
            reason: "worker-failed",
            message: `annotation ${instance.annotationId}: ${message}`,
          }),
        );
        await board.remove([alone.id]);
      }
    }
  }

  private async enqueue(board: JobBoard, fresh: readonly PlannedJob[], resume: boolean): Promise<void> {
    if (resume) {
      // what an earlier run parked gets another chance
      const states = await Promise.all(fresh.map(async ({ id }) => ({ id, state: await board.stateOf(id) })));
      await board.remove(states.filter(({ state }) => state.kind === "failed").map(({ id }) => id));
      for (const { id, state } of states) if (state.kind === "done") this.toPoll.add(id);
    }
    await board.enqueue(fresh);
    for (const planned of fresh)
      this.open.set(planned.id, { planned, pollAt: performance.now() + POLL_MS, delayedPolls: 0, refusals: 0 });
  }

  /** Waits for an event, then yields all that came in one list, so that the journal is synced once for all of it. */
  private async *collect(board: JobBoard): AsyncGenerator<readonly PredictedInstance[], void, undefined> {
    await this.waitForEvent();
    this.run.lease.check();
    if (performance.now() >= this.nextPoll) await this.poll();
    const answers: { readonly id: string; readonly value: unknown }[] = [];
    for (const [id, value] of this.arrived) answers.push({ id, value });
    this.arrived.clear();
    const ids = [...this.toPoll];
    this.toPoll.clear();
    for (const { id, state } of await Promise.all(ids.map(async (id) => ({ id, state: await board.stateOf(id) })))) {
      const job = this.open.get(id);
      if (job === undefined) continue;
      if (state.kind === "done") answers.push({ id, value: state.value });
      else if (state.kind === "failed") this.park(id, job.planned, state.why);
      else if (state.kind === "lost") await this.enqueueAgain(board, id, job.planned);
      else if (state.kind === "delayed" && ++job.delayedPolls >= PROMOTE_AFTER_POLLS) await board.promote(id);
    }
    const predicted: PredictedInstance[] = [];
    const finished: string[] = [];
    for (const { id, value } of answers) {
      const job = this.open.get(id);
      if (job === undefined || finished.includes(id)) continue;
      const received = receiveResult(job.planned, value);
      if (received.kind === "accepted") {
        predicted.push(...received.predicted);
        finished.push(id);
        this.count(received.result);
      } else {
        await board.remove([id]);
        // A worker that answers nonsense may be the only one: it gets as many attempts as one that fails.
        if (++job.refusals >= this.run.naming.attempts) {
          this.park(id, job.planned, `its results were refused: ${received.why}`);
          continue;
        }
        this.run.host.note(`a result of job ${id} was refused: ${received.why}; the job is done again`);
        await board.enqueue([job.planned]);
      }
    }
    for (const id of finished) this.open.delete(id);
    if (predicted.length > 0) yield predicted;
    await board.remove(finished);
  }

  private park(id: string, planned: PlannedJob, why: string): void {
    this.open.delete(id);
    this.parked.push(planned);
    this.run.host.note(`job ${id} was set aside: ${why}`);
  }

  private async enqueueAgain(board: JobBoard, id: string, planned: PlannedJob): Promise<void> {
    this.run.host.note(`Redis no longer knows job ${id}; it is enqueued again`);
    await board.enqueue([planned]);
  }

  private onEnded(id: string, value: unknown): void {
    if (!this.open.has(id)) return;
    if (value === undefined) this.toPoll.add(id);
    else this.arrived.set(id, parsed(value));
    this.wake();
  }

  /** Resolves at the next event, at the latest when it is time to poll. */
  private async waitForEvent(): Promise<void> {
    if (this.arrived.size > 0 || this.toPoll.size > 0 || this.isStopped()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, this.nextPoll - performance.now()));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Marks every job that has been open for a second, and counts the workers now and then. */
  private async poll(): Promise<void> {
    const { connection, host, model } = this.run;
    const { name } = model.card;
    const now = performance.now();
    this.nextPoll = now + Math.max(POLL_MS, this.open.size * POLL_MS_PER_JOB);
    // Where jobs are short, most were enqueued a moment ago and need no question.
    for (const [id, { pollAt }] of this.open) if (now >= pollAt) this.toPoll.add(id);
    if (this.polls++ % COUNT_WORKERS_POLLS !== 0) return;
    const workers = await listWorkers(connection);
    this.workers = workers.filter((worker) => worker.model === model.hash).length;
    if (this.workers > 0) this.nextNote = this.polls + FIRST_NOTE_POLLS;
    else if (this.polls >= this.nextNote) {
      this.nextNote = this.polls + NEXT_NOTE_POLLS;
      const others = [...new Set(workers.map(({ modelName }) => modelName))].join(", ");
      host.note(
        `waiting: no worker has model ${name} (${model.hash.slice(0, 12)})` +
          `${others === "" ? "" : `; workers with ${others} are there`}. ` +
          `Start one with: polyrnn worker --queue ${connection.address.shown} --model ${name}`,
      );
    }
  }

  private mostJobs(): number {
    return Math.min(MOST_JOBS, Math.max(FEWEST_JOBS, JOBS_PER_WORKER * this.workers));
  }

  /** A method, because the compiler takes a field it has seen false for false after every wait. */
  private isStopped(): boolean {
    return this.run.host.signal.aborted;
  }

  private count(result: JobResult): void {
    this.run.engines.add(result);
    for (const stage of ["decode", "crop", "encode", "steps"] as const)
      this.run.request.clock.add(stage, result.milliseconds[stage]);
  }
}

/** What does the work, by the results that have come. */
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
