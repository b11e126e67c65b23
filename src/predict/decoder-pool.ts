/**
 * A decoder whose engines are in threads of their own (predict/decoder-thread.ts). onnxruntime-node computes, and waits
 * for a GPU, on the thread that calls it; so the calling thread stays free to read, cut and write. A GPU gets one
 * thread. A CPU gets one per core, each with a batch of its own: small operations do not spread well over cores (`npm
 * run bench -- stages`). Kernels of our own wait for nothing on their thread, but what judges polygons there takes time.
 */
import { Worker } from "node:worker_threads";
import type { DeviceName } from "../engine/engine.js";
import { mapModels } from "../engine/onnx/engine.js";
import { onnxModelsFor } from "../engine/onnx/models.js";
import type { PrecisionChoice } from "../engine/precision.js";
import { choosePrecision } from "../engine/precision.js";
import { referenceOf } from "../engine/self-check.js";
import { describeAdapter } from "../engine/webgpu/adapter.js";
import { kernelModelOf } from "../engine/webgpu/engine.js";
import { PolyrnnError, reasonOf } from "../errors.js";
import type { WeightedNetwork } from "../model/model.js";
import type { Answer, Answers, Request, ThreadData, ThreadError } from "./decoder-thread.js";
import type { BatchDecoder } from "./outline.js";

/**
 * Threads on a CPU at most: each holds the weights and the working memory of a batch. Further cores work inside the
 * operations.
 */
const MOST_THREADS = 8;

/**
 * @param cores at least 1
 * @throws Error when the network does not run in a thread
 */
export async function openDecodeThreads(
  model: WeightedNetwork,
  device: DeviceName,
  cores: number,
): Promise<BatchDecoder> {
  const count = device === "cpu" ? Math.min(cores, MOST_THREADS) : 1;
  const { widths } = model.network;
  const models = mapModels(onnxModelsFor(model, { device }), (make) => shared(make()));
  const pool = new ThreadPool(count, async (thread) => {
    const { version } = await thread.ask({ kind: "open", device, widths, models, threads: Math.floor(cores / count) });
    return version;
  });
  // One batch is decoded in each, one lies ready.
  return pool.decoder({ name: "onnxruntime", device, batchesAtOnce: 2 * count });
}

/** Batches whose rows may be in the slots of a device together, and one that is encoded meanwhile. */
const BATCHES_IN_SLOTS = 3;

/**
 * One thread with kernels of our own, after a self-check against the CPU.
 * @throws Error when the network does not run there, or gives other numbers
 */
export async function openKernelThread(
  model: WeightedNetwork,
  choice: PrecisionChoice = "auto",
): Promise<BatchDecoder> {
  const { precision, ...remark } = choosePrecision(choice, await describeAdapter());
  const pool = new ThreadPool(1, async (thread) => {
    const reference = referenceOf(model); // here, while the thread compiles
    reference.catch(() => undefined); // thrown below
    thread.holdsDevice();
    const { version } = await thread.ask({ kind: "openKernels", model: kernelModelOf(model, precision) });
    await thread.ask({ kind: "check", reference: await reference });
    return version;
  });
  const decoder = await pool.decoder({ name: "wgsl", device: "webgpu", batchesAtOnce: BATCHES_IN_SLOTS });
  return { ...decoder, precision, ...remark };
}

interface OpeningThread {
  readonly thread: DecodeThread;
  /** Version of its engine. */
  readonly opened: Promise<string>;
  /** Batches that it was given and has not answered. */
  batches: number;
}

/**
 * Threads with an engine each. The first starts at once, and each further one when a batch finds all others at work:
 * starting one takes as long as a small run. A further one that cannot start leaves its batch and the rest to the others.
 */
class ThreadPool {
  private readonly threads: OpeningThread[] = [];
  private isDisposed = false;
  /** undefined once all threads are started. */
  private open: ((thread: DecodeThread) => Promise<string>) | undefined;

  /** @param open opens the engine of a thread. @returns its version */
  constructor(
    private readonly most: number,
    open: (thread: DecodeThread) => Promise<string>,
  ) {
    this.open = open;
    this.start(open);
  }

  /**
   * @param known of the decoder
   * @throws Error when the first thread cannot start, after it has ended
   */
  async decoder(known: Pick<BatchDecoder, "name" | "device" | "batchesAtOnce">): Promise<BatchDecoder> {
    const dispose = async (): Promise<void> => {
      this.isDisposed = true;
      this.open = undefined; // no thread starts any more
      await Promise.all(this.threads.map(({ thread }) => thread.close()));
    };
    try {
      return { ...known, version: await this.threads[0]!.opened, decode: this.decode, dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  private readonly decode: BatchDecoder["decode"] = async (pixels, frames, options) => {
    const taken = this.leastBusy();
    taken.batches++;
    try {
      if (!(await this.isOpen(taken))) return await this.decode(pixels, frames, options);
      // Handed over, not copied; a view into something larger would take that along.
      const isWhole = pixels.buffer instanceof ArrayBuffer && pixels.byteLength === pixels.buffer.byteLength;
      const plainFrames = frames.map(({ window, bounds }) => ({ window, bounds }));
      return await taken.thread.ask(
        { kind: "decode", pixels, frames: plainFrames, options },
        isWhole ? [pixels.buffer] : [],
      );
    } finally {
      taken.batches--;
    }
  };

  /** False: it could not start, and is no longer among the threads. */
  private async isOpen(opening: OpeningThread): Promise<boolean> {
    try {
      await opening.opened;
      return true;
    } catch (error) {
      if (opening === this.threads[0] || this.isDisposed) throw error;
      const at = this.threads.indexOf(opening);
      if (at === -1) return false; // another batch has found out
      this.threads.splice(at, 1);
      this.open = undefined;
      process.emitWarning(`a thread that draws could not start, the others go on: ${reasonOf(error)}`);
      await opening.thread.close();
      return false;
    }
  }

  private leastBusy(): OpeningThread {
    const least = this.threads.reduce((one, other) => (other.batches < one.batches ? other : one));
    return least.batches === 0 || this.open === undefined ? least : this.start(this.open);
  }

  private start(open: (thread: DecodeThread) => Promise<string>): OpeningThread {
    const thread = new DecodeThread();
    const started = { thread, opened: open(thread), batches: 0 };
    started.opened.catch(() => undefined); // thrown where it is awaited
    // Nobody else is opened: what they would be opened with can go.
    if (this.threads.push(started) === this.most) this.open = undefined;
    return started;
  }
}

/** In memory that all threads share. */
function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

interface Asker {
  readonly resolve: (value: Answers[keyof Answers]) => void;
  readonly reject: (error: Error) => void;
}

/** A device that has not ended its work by then is left behind. */
const STOP_MS = 5000;

function errorOf({ message, code, exitCode, hint }: ThreadError): Error {
  if (code === undefined || exitCode === undefined || hint === undefined) return new Error(message);
  return new PolyrnnError(message, code, exitCode, hint);
}

/** The calling side of one thread. It answers in the order in which it was asked. */
class DecodeThread {
  private readonly data: ThreadData = { stopped: new Int32Array(new SharedArrayBuffer(4)) };
  private readonly worker = new Worker(new URL("./decoder-thread.js", import.meta.url), { workerData: this.data });
  private readonly askers: Asker[] = [];
  private readonly ended: Promise<void>;
  private failure: Error | undefined;

  constructor() {
    this.worker.on("message", (answer: Answer) => {
      const asker = this.askers.shift(); // nobody after an error or after `close`
      if ("value" in answer) asker?.resolve(answer.value);
      else asker?.reject(errorOf(answer.error));
    });
    this.worker.on("error", (error) => {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    });
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", () => {
        this.fail(new Error("a thread that draws has ended"));
        process.off("exit", this.stop);
        resolve();
      });
    });
  }

  /** @param handedOver buffers of the request, which the caller gives up */
  ask<K extends keyof Answers>(
    request: Extract<Request, { kind: K }>,
    handedOver: readonly ArrayBuffer[] = [],
  ): Promise<Answers[K]> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.askers.push({ resolve: resolve as Asker["resolve"], reject });
      this.worker.postMessage(request, handedOver);
    });
  }

  /** Fails the requests that still wait. @returns when the thread has ended, after the batch it is at */
  async close(): Promise<void> {
    this.fail(new Error("the decoder was disposed"));
    this.worker.postMessage({ kind: "close" } satisfies Request);
    await this.ended;
  }

  /** Before it opens a device of its own. */
  holdsDevice(): void {
    process.on("exit", this.stop);
  }

  /** Waits, however the process ends, until nothing of the thread is on a device: see predict/decoder-thread.ts. */
  private readonly stop = (): void => {
    this.worker.postMessage({ kind: "stop" } satisfies Request);
    Atomics.wait(this.data.stopped, 0, 0, STOP_MS);
  };

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.askers.splice(0)) reject(this.failure);
  }
}
