/** What an operator does with the queues of a Redis server: look, pause, resume, drain, retry failed jobs. */
import { Queue } from "bullmq";
import { EXIT, PolyrnnError } from "../errors.js";
import { cutText } from "../foreign.js";
import type { RedisAddress } from "./address.js";
import { readMembers } from "./bounded-reads.js";
import type { QueueConnection } from "./connection.js";
import { connectToQueue, KEY_PREFIX, queueNameOf } from "./connection.js";
import { JOB_NAME, optionsOf, readJob, readReason } from "./job-board.js";
import type { Job, WorkerCard } from "./job.js";
import { checkJob } from "./job.js";
import { LEASE_PATTERN, nameOf } from "./lease.js";
import type { NamedModel } from "./presence.js";
import { listModels, listWorkers, valuesOf } from "./presence.js";

export interface ModelQueue extends NamedModel {
  readonly isPaused: boolean;
  readonly waiting: number;
  readonly active: number;
  /** Jobs that wait for a retry. */
  readonly delayed: number;
  /** Parked jobs. */
  readonly failed: number;
  /** Done and not yet fetched by a coordinator. */
  readonly completed: number;
  readonly workers: readonly WorkerCard[];
  /** The first of the parked jobs, and why they were. */
  readonly failedJobs: readonly { readonly id: string; readonly reason: string }[];
}

export interface QueueStatus {
  readonly version: 1;
  readonly type: "queue-status";
  /** Without user and password. */
  readonly server: string;
  readonly queues: readonly ModelQueue[];
  /** Coordinators at work, as "process 4711 on box". */
  readonly coordinators: readonly string[];
  /** Present when the server names more models than are read: queues of others were neither shown nor touched. */
  readonly isCut?: true;
}

export const QUEUE_ACTIONS = ["status", "pause", "resume", "drain", "retry-failed"] as const;
export type QueueAction = (typeof QUEUE_ACTIONS)[number];

const LISTED_FAILURES = 10;
/** Jobs moved in one go. */
const CHUNK = 1000;

/**
 * @returns the state after the action, and how many jobs it touched
 * @throws E_UNAVAILABLE when the server does not answer; E_RUN_IN_USE for drain while a coordinator is at work, because
 *   it would enqueue its jobs again
 */
export async function operateQueue(
  action: QueueAction,
  options: { readonly queue: RedisAddress; readonly timeoutMs: number },
): Promise<QueueStatus & { readonly touched: number }> {
  const connection = await connectToQueue({ ...options, afterwards: "Then run the command again." });
  try {
    const { models, isWhole } = await listModels(connection);
    const coordinators = (await valuesOf(connection, LEASE_PATTERN)).map(nameOf);
    if (action === "drain" && coordinators.length > 0) {
      throw new PolyrnnError(
        `${connection.address.shown}: expected no coordinator at work but there is ${coordinators.join(", ")}`,
        "E_RUN_IN_USE",
        EXIT.unavailable,
        "Stop it first: it would enqueue its jobs again.",
      );
    }
    const workers = await listWorkers(connection);
    let touched = 0;
    const queues: ModelQueue[] = [];
    for (const model of models) {
      const queue = new Queue(queueNameOf(model.model), {
        connection: connection.client,
        prefix: KEY_PREFIX,
        skipMetasUpdate: true,
      });
      queue.on("error", () => undefined); // `ask` reports it
      touched += await act(action, queue, connection);
      queues.push(await look(model, queue, connection, workers));
    }
    const server = connection.address.shown;
    return {
      version: 1,
      type: "queue-status",
      server,
      queues,
      coordinators,
      ...(isWhole ? {} : { isCut: true as const }),
      touched,
    };
  } finally {
    connection.close();
  }
}

async function act(action: QueueAction, queue: Queue, connection: QueueConnection): Promise<number> {
  const { ask } = connection;
  switch (action) {
    case "status":
      return 0;
    case "pause":
      await ask(queue.pause());
      return 1;
    case "resume":
      await ask(queue.resume());
      return 1;
    case "drain": {
      const before = await ask(queue.getJobCountByTypes("waiting", "prioritized", "delayed"));
      await ask(queue.drain(true));
      // Results and failures of runs that nobody waits for are removed as well.
      return before + (await clean("completed", queue, connection)) + (await clean("failed", queue, connection));
    }
    case "retry-failed":
      return retryFailed(queue, connection);
  }
}

/** In steps, because the answer names every job. @returns how many were removed */
async function clean(kind: "completed" | "failed", queue: Queue, { ask }: QueueConnection): Promise<number> {
  let cleaned = 0;
  for (;;) {
    const ids = await ask(queue.clean(0, CHUNK, kind));
    if (ids.length === 0) return cleaned;
    cleaned += ids.length;
  }
}

/** Failed jobs are enqueued anew, because BullMQ keeps the count of workers that died on a job it moves back. */
async function retryFailed(queue: Queue, connection: QueueConnection): Promise<number> {
  const { ask } = connection;
  let [count, left] = [0, await ask(queue.getFailedCount())];
  // Those that stay, because they are not ours, are passed over; those that fail again come after the last.
  for (let kept = 0; left > 0;) {
    const { seen, names } = await readMembers(connection, queue.keys["failed"]!, {
      first: kept,
      last: kept + left - 1,
    });
    if (seen === 0) break;
    left -= seen;
    kept += seen;
    for (const id of names) {
      // One by one, so that a job that is not JSON, or very large, spoils no other.
      const job = await readJob(queue, id, connection);
      // It would be rejected again; what is written back is ours, field for field.
      if (job === undefined || checkJob(job.data) !== undefined) continue;
      const data = job.data as Job;
      await ask(queue.remove(id));
      await ask(queue.add(JOB_NAME, data, optionsOf(id, data.attempts, priorityOf(job.options))));
      count++;
      kept--;
    }
  }
  return count;
}

/** As BullMQ takes it. */
function priorityOf(options: unknown): number {
  const { priority } = (options ?? {}) as { priority?: unknown };
  return Number.isInteger(priority) && Number(priority) >= 0 && Number(priority) <= 2 ** 21 ? Number(priority) : 0;
}

async function look(
  model: NamedModel,
  queue: Queue,
  connection: QueueConnection,
  workers: readonly WorkerCard[],
): Promise<ModelQueue> {
  const { ask } = connection;
  const counts = await ask(queue.getJobCounts("waiting", "prioritized", "active", "delayed", "failed", "completed"));
  const of = (state: string): number => counts[state] ?? 0;
  const failedJobs: { id: string; reason: string }[] = [];
  const { names } = await readMembers(connection, queue.keys["failed"]!, { first: 0, last: LISTED_FAILURES - 1 });
  for (const id of names)
    failedJobs.push({ id: cutText(id, 100), reason: cutText(await readReason(queue, id, connection), 300) });
  return {
    ...model,
    isPaused: await ask(queue.isPaused()),
    waiting: of("waiting") + of("prioritized"),
    active: of("active"),
    delayed: of("delayed"),
    failed: of("failed"),
    completed: of("completed"),
    workers: workers.filter((worker) => worker.model === model.model),
    failedJobs,
  };
}
