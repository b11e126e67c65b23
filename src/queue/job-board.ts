/**
 * The coordinator's side of BullMQ: enqueue jobs, learn what became of them, remove them. BullMQ does the retries with
 * backoff, the recovery of stalled jobs, priorities and rate limits.
 *
 * Events only make answers come early: they are lost when Redis loses its data or trims its stream. What counts is the
 * state of a job, which is polled.
 */
import { count } from "../count.js";
import type { JobsOptions } from "bullmq";
import { Job as BullJob, Queue, QueueEvents } from "bullmq";
import { parseForeignJson } from "../foreign.js";
import { queueReason } from "./address.js";
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
  readonly events: QueueEvents;
  readonly listener: QueueConnection["client"];
}

export class JobBoard {
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
    // A connection of its own: reading the stream blocks it.
    const listener = connection.client.duplicate();
    listener.on("error", () => undefined); // the main connection has the same trouble and reports it
    const events = new QueueEvents(queueNameOf(model), { connection: listener, prefix: KEY_PREFIX });
    queue.on("error", () => undefined);
    events.on("error", () => undefined);
    events.on("completed", ({ jobId, returnvalue }) => {
      listeners.ended(jobId, returnvalue);
    });
    events.on("failed", ({ jobId }) => {
      listeners.ended(jobId);
    });
    const board = new JobBoard({ connection, queue, events, listener }, priority);
    await connection.ask(queue.waitUntilReady());
    return board;
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
    const text = await readField(queue, id, "returnvalue", connection);
    if (text === undefined) {
      await this.remove([id]); // gone meanwhile
      return { kind: "lost" };
    }
    return { kind: "done", value: parsed(text) };
  }

  /** Ends the wait for a retry: the worker whose clock set its time may be gone, and clocks differ. */
  async promote(id: string): Promise<void> {
    const { connection, queue } = this.wires;
    const job = await readJob(queue, id, connection);
    // It fails where the wait ended by itself meanwhile.
    await connection.ask((job?.promote() ?? Promise.resolve()).catch(() => undefined));
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
    // Ids only: the jobs of others may be of any size, and need not be JSON.
    const ids = await connection.ask(queue.getRanges(["waiting", "prioritized", "delayed", "completed", "failed"]));
    return ids.filter((id) => id.startsWith(start));
  }

  /** Closes without waiting for a server that may be gone. */
  close(): void {
    const { queue, events, listener } = this.wires;
    events.close().catch(() => undefined);
    queue.close().catch(() => undefined);
    listener.disconnect();
  }
}

/** Bytes of one field of a job that are read; the largest result of ours has some 6 MB. */
const MOST_FIELD_BYTES = 1 << 26;

/** What stands in place of a text that is too long to be read: no result of ours, and no reason of ours. */
const tooLong = (bytes: number): string => `text of ${count(bytes, "byte")}, which was not read`;

/** How long a field is is asked first: anyone who reaches the server can write there. */
async function readField(
  queue: Queue,
  id: string,
  field: string,
  { client, ask }: Pick<QueueConnection, "client" | "ask">,
): Promise<string | undefined> {
  const key = queue.toKey(id);
  const bytes = await ask(client.hstrlen(key, field));
  if (bytes > MOST_FIELD_BYTES) return tooLong(bytes);
  return (await ask(client.hget(key, field))) ?? undefined;
}

/** Why a job was set aside, in short. */
export async function readReason(
  queue: Queue,
  id: string,
  connection: Pick<QueueConnection, "client" | "ask">,
): Promise<string> {
  return queueReason((await readField(queue, id, "failedReason", connection)) ?? "it gave no reason");
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
 * A whole job as BullMQ keeps it.
 * @returns undefined when there is none of that id, when it is not JSON, or when it is too large to be one of ours
 */
export async function readJob(
  queue: Queue,
  id: string,
  { client, ask }: Pick<QueueConnection, "client" | "ask">,
): Promise<BullJob | undefined> {
  const key = queue.toKey(id);
  const bytes = await ask(
    Promise.all(
      ["data", "opts", "returnvalue", "failedReason", "stacktrace"].map((field) => client.hstrlen(key, field)),
    ),
  );
  if (bytes.some((length) => length > MOST_FIELD_BYTES)) return undefined;
  return ask(BullJob.fromId(queue, id).catch(notJson));
}

/** For a `catch`: BullMQ parses what it reads, and a job of somebody else need not be JSON. */
function notJson(error: unknown): undefined {
  if (!(error instanceof SyntaxError)) throw error;
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
