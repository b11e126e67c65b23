/**
 * The coordinator's side of BullMQ: put jobs up, hear what became of them, take them down. BullMQ does the retries with
 * backoff, the recovery of stalled jobs, priorities and rate limits.
 *
 * Events are only a hint that makes answers come early: they are lost when Redis loses its data or trims its stream.
 * What counts is the state of a job, and that is asked for.
 */
import type { JobsOptions } from "bullmq";
import { Job as BullJob, Queue, QueueEvents } from "bullmq";
import type { QueueConnection } from "./connection.js";
import { KEY_PREFIX, queueNameOf } from "./connection.js";
import type { PlannedJob } from "./plan-jobs.js";

/** Kept for a coordinator that starts again; seconds. */
const RESULTS_LIVE_S = 24 * 3600;
const FAILURES_LIVE_S = 7 * 24 * 3600;
const JOB_NAME = "draw";
/** Events carry results; a long stream would hold each twice. */
const MOST_EVENTS = 200;
const FIRST_RETRY_MS = 1000;

export type JobState =
  | { readonly kind: "open" }
  /** Waits for a worker's clock to reach a retry. */
  | { readonly kind: "delayed" }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly why: string }
  /** Redis does not know the job: it lost its data, or somebody removed it. */
  | { readonly kind: "lost" };

export interface JobEvents {
  /** Something is to be looked at. @param value the result, when the event carried it */
  ended(id: string, value?: unknown): void;
}

export class JobBoard {
  private constructor(
    private readonly connection: QueueConnection,
    private readonly queue: Queue,
    private readonly events: QueueEvents,
    private readonly listener: QueueConnection["client"],
    private readonly priority: number,
  ) {}

  static async open(
    connection: QueueConnection,
    model: string,
    priority: number,
    events: JobEvents,
  ): Promise<JobBoard> {
    const queue = new Queue(queueNameOf(model), {
      connection: connection.client,
      prefix: KEY_PREFIX,
      streams: { events: { maxLen: MOST_EVENTS } },
    });
    // A connection of its own: reading the stream blocks it.
    const listener = connection.client.duplicate();
    listener.on("error", () => undefined); // the main connection has the same trouble, and tells it
    const queueEvents = new QueueEvents(queueNameOf(model), { connection: listener, prefix: KEY_PREFIX });
    queue.on("error", () => undefined);
    queueEvents.on("error", () => undefined);
    queueEvents.on("completed", ({ jobId, returnvalue }) => {
      events.ended(jobId, returnvalue);
    });
    queueEvents.on("failed", ({ jobId }) => {
      events.ended(jobId);
    });
    const board = new JobBoard(connection, queue, queueEvents, listener, priority);
    await connection.ask(queue.waitUntilReady());
    return board;
  }

  /** Puts jobs up; one that is there already stays as it is. */
  async add(planned: readonly PlannedJob[]): Promise<void> {
    const jobs = planned.map(({ id, job }) => ({
      name: JOB_NAME,
      data: job,
      opts: optionsOf(id, job?.attempts ?? 1, this.priority),
    }));
    if (jobs.length > 0) await this.connection.ask(this.queue.addBulk(jobs));
  }

  async stateOf(id: string): Promise<JobState> {
    const state = await this.connection.ask(this.queue.getJobState(id));
    if (state === "unknown") return { kind: "lost" };
    if (state === "delayed") return { kind: "delayed" };
    if (state !== "completed" && state !== "failed") return { kind: "open" };
    const job = await this.connection.ask(BullJob.fromId(this.queue, id).catch(notJson));
    if (job === undefined) {
      await this.remove([id]); // not there any more, or not even JSON: somebody wrote over it
      return { kind: "lost" };
    }
    return state === "completed" ? { kind: "done", value: job.returnvalue } : { kind: "failed", why: job.failedReason };
  }

  /**
   * Lets a job that waits for its retry go at once: the worker whose clock set the time may be gone, and clocks differ.
   */
  async hurry(id: string): Promise<void> {
    const job = await this.connection.ask(BullJob.fromId(this.queue, id));
    // it went by itself meanwhile
    await this.connection.ask((job?.promote() ?? Promise.resolve()).catch(() => undefined));
  }

  /** Takes jobs down; those in work stay. */
  async remove(ids: readonly string[]): Promise<void> {
    await this.connection.ask(
      Promise.all(
        ids.map((id) =>
          this.queue.remove(id).catch((error: unknown) => {
            if (!/lock/i.test(String(error))) throw error;
          }),
        ),
      ),
    );
  }

  /** Ids of all jobs whose id begins so. */
  async find(start: string): Promise<readonly string[]> {
    // Ids only: the jobs of others may be of any size, and no JSON.
    const ids = await this.connection.ask(
      this.queue.getRanges(["waiting", "prioritized", "delayed", "completed", "failed"]),
    );
    return ids.filter((id) => id.startsWith(start));
  }

  /** Closes without waiting for a server that may be gone. */
  close(): void {
    this.events.close().catch(() => undefined);
    this.queue.close().catch(() => undefined);
    this.listener.disconnect();
  }
}

/** BullMQ parses what it reads; a job of somebody else need not be JSON. */
export function notJson(error: unknown): undefined {
  if (!(error instanceof SyntaxError)) throw error;
}

function optionsOf(jobId: string, attempts: number, priority: number): JobsOptions {
  return {
    jobId,
    attempts,
    priority,
    backoff: { type: "exponential", delay: FIRST_RETRY_MS },
    removeOnComplete: { age: RESULTS_LIVE_S },
    removeOnFail: { age: FAILURES_LIVE_S },
  };
}
