/**
 * The coordinator's side of BullMQ: enqueue jobs, learn what became of them, remove them. BullMQ does the retries with
 * backoff, the recovery of stalled jobs, priorities and rate limits.
 *
 * Events only make answers come early: they are lost when Redis loses its data or trims its stream. What counts is the
 * state of a job, which is polled.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { JobsOptions } from "bullmq";
import { Queue } from "bullmq";
import { count } from "../count.js";
import { parseForeignJson } from "../foreign.js";
import { queueReason } from "./address.js";
import { readEvents, readField, readMembers } from "./bounded-reads.js";
import type { QueueConnection } from "./connection.js";
import { KEY_PREFIX, queueNameOf } from "./connection.js";
import type { PlannedJob } from "./plan-jobs.js";

/** Kept for a coordinator that starts again; seconds. */
const RESULTS_LIVE_S = 24 * 3600;
const FAILURES_LIVE_S = 7 * 24 * 3600;
/** What Redis shows; workers do not look at it. */
export const JOB_NAME = "draw";
/** Events carry results, so a long stream would hold each result twice. */
const MOST_EVENTS = 200;
const FIRST_RETRY_MS = 1000;

export type JobState =
  | { readonly kind: "open" }
  /** Waits for a worker's clock to reach a retry. */
  | { readonly kind: "delayed" }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly why: string }
  /** Redis does not know the job: it lost its data, or the job was removed. */
  | { readonly kind: "lost" };

export interface JobEvents {
  /** A job is done or failed. @param value the result, when the event carried it */
  ended(id: string, value?: unknown): void;
}

/** The connections of a board. */
interface Wires {
  readonly connection: QueueConnection;
  readonly queue: Queue;
}

/** How soon a new event is seen, milliseconds. */
const EVENTS_MS = 50;
/** After an error, as long as jobs are polled anyway. */
const EVENTS_RETRY_MS = 1000;
/** Events read at once, and bytes of a result that is taken from one; a longer result is read when its job is polled. */
const EVENTS_STEP = { most: 100, longest: 1 << 18 };

export class JobBoard {
  private isClosed = false;
  private constructor(
    private readonly wires: Wires,
    private readonly priority: number,
  ) {}

  /** @param priority of all jobs of this board; 0 goes first */
  static async open(
    connection: QueueConnection,
    model: string,
    priority: number,
    listeners: JobEvents,
  ): Promise<JobBoard> {
    const queue = new Queue(queueNameOf(model), {
      connection: connection.client,
      prefix: KEY_PREFIX,
      streams: { events: { maxLen: MOST_EVENTS } },
    });
    queue.on("error", () => undefined); // `ask` reports it
    const board = new JobBoard({ connection, queue }, priority);
    await connection.ask(queue.waitUntilReady());
    void board.follow(listeners);
    return board;
  }

  /** BullMQ's own reader takes events of any size and number, and ends at the first that is not JSON. Never throws. */
  private async follow(listeners: JobEvents): Promise<void> {
    const { connection, queue } = this.wires;
    let last: string | undefined;
    while (!this.isClosed) {
      try {
        const events = await readEvents(connection, queue.keys["events"]!, last, EVENTS_STEP);
        last = events.last;
        for (const { id, result } of events.ended) listeners.ended(id, result);
        if (events.ended.length === 0) await wait(EVENTS_MS, undefined, { ref: false });
      } catch {
        // Polling has the same trouble and reports it, or goes without events.
        await wait(EVENTS_RETRY_MS, undefined, { ref: false });
      }
    }
  }

  /** A job that is on the queue already stays as it is. */
  async enqueue(planned: readonly PlannedJob[]): Promise<void> {
    const jobs = planned.map(({ id, job }) => ({
      name: JOB_NAME,
      data: job,
      opts: optionsOf(id, job?.attempts ?? 1, this.priority),
    }));
    const { connection, queue } = this.wires;
    if (jobs.length > 0) await connection.ask(queue.addBulk(jobs));
  }

  async stateOf(id: string): Promise<JobState> {
    const { connection, queue } = this.wires;
    const state = await connection.ask(queue.getJobState(id));
    if (state === "unknown") return { kind: "lost" };
    if (state === "delayed") return { kind: "delayed" };
    if (state !== "completed" && state !== "failed") return { kind: "open" };
    if (state === "failed") return { kind: "failed", why: await readReason(queue, id, connection) };
    const text = await readField(connection, queue.toKey(id), "returnvalue", MOST_FIELD_BYTES);
    if (text === undefined) {
      await this.remove([id]); // gone meanwhile
      return { kind: "lost" };
    }
    return { kind: "done", value: typeof text === "number" ? tooLong(text) : parsed(text) };
  }

  /** Ends the wait for a retry: the worker whose clock set its time may be gone, and clocks differ. */
  async promote(id: string): Promise<void> {
    const { connection, queue } = this.wires;
    // It fails where the wait ended by itself meanwhile.
    await connection.ask(
      queue
        .getBackend()
        .promote(id)
        .catch(() => undefined),
    );
  }

  /** Jobs that a worker holds stay. */
  async remove(ids: readonly string[]): Promise<void> {
    const { connection, queue } = this.wires;
    await connection.ask(
      Promise.all(
        ids.map((id) =>
          queue.remove(id).catch((error: unknown) => {
            if (!/lock/i.test(String(error))) throw error;
          }),
        ),
      ),
    );
  }

  /** Ids of all jobs that no worker holds and whose id begins with `start`. */
  async find(start: string): Promise<readonly string[]> {
    const { connection, queue } = this.wires;
    const ids: string[] = [];
    for (const kind of ["wait", "paused", "prioritized", "delayed", "completed", "failed"]) {
      for (let first = 0; ;) {
        const { seen, names } = await readMembers(connection, queue.keys[kind]!, { first, last: Infinity, start });
        if (seen === 0) break;
        first += seen;
        ids.push(...names);
      }
    }
    return ids;
  }

  /** Closes without waiting for a server that may be gone. */
  close(): void {
    this.isClosed = true;
    this.wires.queue.close().catch(() => undefined);
  }
}

/** Bytes of one field of a job that are read; the largest result of ours has some 6 MB. */
export const MOST_FIELD_BYTES = 1 << 26;

type Asking = Pick<QueueConnection, "client" | "ask">;

/** What stands in place of a text that is too long to be read: no result of ours, and no reason of ours. */
const tooLong = (bytes: number): string => `text of ${count(bytes, "byte")}, which was not read`;

/** Why a job was set aside, in short. */
export async function readReason(queue: Queue, id: string, connection: Asking): Promise<string> {
  const text = await readField(connection, queue.toKey(id), "failedReason", MOST_FIELD_BYTES);
  return queueReason(typeof text === "number" ? tooLong(text) : (text ?? "it gave no reason"));
}

/** A result as BullMQ gives it, parsed or as text. What is no JSON is no result, and is refused as the text it is. */
export function parsed(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return parseForeignJson(value);
  } catch {
    return value;
  }
}

/**
 * What a job was enqueued with.
 * @returns undefined when there is none of that id, when it is not JSON, or when it is too large to be one of ours
 */
export async function readJob(
  queue: Queue,
  id: string,
  connection: Asking,
): Promise<{ readonly data: unknown; readonly options: unknown } | undefined> {
  const read = async (field: string): Promise<unknown> => {
    const text = await readField(connection, queue.toKey(id), field, MOST_FIELD_BYTES);
    return typeof text === "string" ? parsed(text) : undefined;
  };
  const [data, options] = [await read("data"), await read("opts")];
  return data === undefined ? undefined : { data, options };
}

export function optionsOf(jobId: string, attempts: number, priority: number): JobsOptions {
  return {
    jobId,
    attempts,
    priority,
    backoff: { type: "exponential", delay: FIRST_RETRY_MS },
    removeOnComplete: { age: RESULTS_LIVE_S },
    removeOnFail: { age: FAILURES_LIVE_S },
  };
}
