/**
 * A decoder whose engines are in threads of their own (predict/decoder-thread.ts). onnxruntime-node computes, and waits
 * for a GPU, on the thread that calls it; so the calling thread stays free to read, cut and write. A GPU gets one
 * thread. A CPU gets one per core, each with a batch of its own: small operations do not spread well over cores (`npm
 * run bench -- stages`). Kernels of our own wait for nothing on their thread, but what judges polygons there takes time.
 */
import { Worker } from "node:worker_threads";
import type { DeviceName } from "../engine/engine.js";
import { mapModels, onnxModelsFor } from "../engine/onnx/engine.js";
import { referenceOf } from "../engine/self-check.js";
import { kernelModelOf } from "../engine/webgpu/engine.js";
import { PolyrnnError } from "../errors.js";
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
  return openThreads(count, async (threads) => ({
    name: "onnxruntime",
    device,
    version: await openEngines(threads, model, device, Math.floor(cores / count)),
    batchesAtOnce: 2 * count, // one is decoded, one lies ready
  }));
}

/** Batches whose rows may be in the slots of a device together, and one that is encoded meanwhile. */
const BATCHES_IN_SLOTS = 3;

/**
 * One thread with kernels of our own, after a self-check against the CPU.
 * @throws Error when the network does not run there, or gives other numbers
 */
export function openKernelThread(model: WeightedNetwork): Promise<BatchDecoder> {
  return openThreads(1, async ([thread]) => {
    const reference = referenceOf(model); // here, while the thread compiles
    reference.catch(() => undefined); // thrown below
    thread!.holdsDevice();
    const { version } = await thread!.ask({ kind: "openKernels", model: kernelModelOf(model) });
    await thread!.ask({ kind: "check", reference: await reference });
    return { name: "wgsl", device: "webgpu", version, batchesAtOnce: BATCHES_IN_SLOTS };
  });
}

/** @param open opens an engine in each thread */
async function openThreads(
  count: number,
  open: (threads: readonly DecodeThread[]) => Promise<Omit<BatchDecoder, "decode" | "dispose">>,
): Promise<BatchDecoder> {
  const threads = Array.from({ length: count }, () => new DecodeThread());
  const dispose = async (): Promise<void> => {
    await Promise.all(threads.map((thread) => thread.close()));
  };
  try {
    return {
      ...(await open(threads)),
      dispose,
      decode(pixels, frames, options) {
        const free = threads.reduce((least, other) => (other.waiting < least.waiting ? other : least));
        // Handed over, not copied; a view into something larger would take that along.
        const isWhole = pixels.buffer instanceof ArrayBuffer && pixels.byteLength === pixels.buffer.byteLength;
        const plainFrames = frames.map(({ window, bounds }) => ({ window, bounds }));
        return free.ask({ kind: "decode", pixels, frames: plainFrames, options }, isWhole ? [pixels.buffer] : []);
      },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** A function of its own, so that nothing that lives on keeps the ONNX models. @returns the engines' version */
async function openEngines(
  threads: readonly DecodeThread[],
  model: WeightedNetwork,
  device: DeviceName,
  inside: number,
): Promise<string> {
  const { widths } = model.network;
  const models = mapModels(onnxModelsFor(model, { device }), (make) => shared(make()));
  const opened = await Promise.all(
    threads.map((thread) => thread.ask({ kind: "open", device, widths, models, threads: inside })),
  );
  return opened[0]!.version;
}

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

  /** Requests that are not answered yet. */
  get waiting(): number {
    return this.askers.length;
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
