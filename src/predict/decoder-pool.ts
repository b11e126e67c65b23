/**
 * A decoder whose engines are in threads of their own (predict/decoder-thread.ts). onnxruntime-node computes, and waits
 * for a GPU, on the thread that calls it; so the calling thread stays free to read, cut and write. A GPU gets one
 * thread. A CPU gets one per core, each with a batch of its own: small operations do not spread well over cores (`npm
 * run bench -- stages`).
 */
import { Worker } from "node:worker_threads";
import type { DeviceName } from "../engine/engine.js";
import { mapModels, onnxModelsFor } from "../engine/onnx/engine.js";
import type { WeightedNetwork } from "../model/model.js";
import type { Answer, Answers, Request } from "./decoder-thread.js";
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
  const threads = Array.from({ length: count }, () => new DecodeThread());
  const dispose = async (): Promise<void> => {
    await Promise.all(threads.map((thread) => thread.close()));
  };
  try {
    const version = await openEngines(threads, model, device, Math.floor(cores / count));
    return {
      name: "onnxruntime",
      device,
      version,
      dispose,
      batchesAtOnce: 2 * count, // one is decoded, one lies ready
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

/** The calling side of one thread. It answers in the order in which it was asked. */
class DecodeThread {
  private readonly worker = new Worker(new URL("./decoder-thread.js", import.meta.url));
  private readonly askers: Asker[] = [];
  private readonly ended: Promise<void>;
  private failure: Error | undefined;

  constructor() {
    this.worker.on("message", (answer: Answer) => {
      const asker = this.askers.shift(); // nobody after an error or after `close`
      if ("error" in answer) asker?.reject(new Error(answer.error));
      else asker?.resolve(answer.value);
    });
    this.worker.on("error", (error) => {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    });
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", () => {
        this.fail(new Error("a thread that draws has ended"));
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

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.askers.splice(0)) reject(this.failure);
  }
}
