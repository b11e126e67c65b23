/** Looks at the threads that something starts, and ends them where the real thing would not die by itself. */
import { syncBuiltinESMExports } from "node:module";
import type { WorkerOptions } from "node:worker_threads";
import workerThreads from "node:worker_threads";

/**
 * @param work    gets the list of threads, which grows as they are started
 * @param options over those that a thread is started with
 */
export async function withThreads<T>(
  work: (started: readonly workerThreads.Worker[]) => Promise<T>,
  options: WorkerOptions = {},
): Promise<T> {
  const Whole = workerThreads.Worker;
  const started: workerThreads.Worker[] = [];
  workerThreads.Worker = class extends Whole {
    constructor(file: string | URL, given: WorkerOptions) {
      super(file, { ...given, ...options });
      started.push(this);
    }
  };
  syncBuiltinESMExports();
  try {
    return await work(started);
  } finally {
    workerThreads.Worker = Whole;
    syncBuiltinESMExports();
  }
}

/** Whether a thread has ended. */
export function hasEnded({ threadId }: workerThreads.Worker): boolean {
  return threadId === -1;
}
