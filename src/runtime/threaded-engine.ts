/**
 * One engine for the CPU that draws several batches at the same time: a thread per core, each with sessions of its own (engine-thread.ts).
 * Small operations do not spread well over cores; batches do. Two batches on two cores took .79 of the time of one after the other on
 * both, and the calling thread stays free to read, decode and write.
 */
import { Worker } from "node:worker_threads";
import { CELL_COUNT } from "../geometry/grid.js";
import type { PolygonRnn } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import type { Decoding, EncodedBatch, Engine, StepInput } from "./engine.js";
import type { Answer, Answers, Message, Order, Request } from "./engine-thread.js";
import { buildEncoderModel, buildStepModel } from "./onnx-model.js";
import type { WeightMap } from "./onnx-ops.js";
import { takeRows } from "./take-rows.js";

/** Threads at most: each holds the weights and the working memory of a batch. More cores work inside the operations. */
const MOST_THREADS = 8;

/**
 * @param cores at least 1
 * @throws Error when the network does not run in a thread
 */
export async function openThreadedEngine(network: PolygonRnn, weights: WeightMap, normalization: Normalization, cores: number): Promise<Engine> {
  const encoder = shared(buildEncoderModel(network, weights, normalization, "decoding"));
  const step = shared(buildStepModel(network, weights));
  const count = Math.min(cores, MOST_THREADS);
  const threads = Array.from({ length: count }, () => new EngineThread());
  try {
    const request = { kind: "open", widths: network.widths, encoder, step, threads: Math.floor(cores / count) } as const;
    const opened = await Promise.all(threads.map((thread) => thread.ask(request)));
    return new ThreadedEngine(threads, opened[0]!.version);
  } catch (thrown) {
    await Promise.allSettled(threads.map((thread) => thread.close()));
    throw thrown;
  }
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

class ThreadedEngine implements Engine {
  readonly name = "onnxruntime";
  readonly device = "cpu";
  /** Two per thread: one is computed while the other one's next vertices are chosen here. */
  readonly batchesAtOnce: number;

  constructor(private readonly threads: readonly EngineThread[], readonly version: string) {
    this.batchesAtOnce = 2 * threads.length;
  }

  async encode(pixels: Uint8Array, count: number): Promise<EncodedBatch> {
    const thread = this.threads.reduce((least, other) => (other.rows < least.rows ? other : least));
    return thread.encode(pixels, count);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.close()));
  }
}

/** The calling side of one thread. */
class EngineThread {
  /** Rows being encoded or drawn there. */
  rows = 0;
  private readonly worker = new Worker(new URL("./engine-thread.js", import.meta.url));
  private readonly waiting = new Map<number, { resolve: (value: Answers[Request["kind"]]) => void; reject: (error: Error) => void }>();
  private readonly ended: Promise<void>;
  private calls = 0;
  private decodings = 0;
  private failure: Error | undefined;

  constructor() {
    this.worker.on("message", (answer: Answer) => {
      const asked = this.waiting.get(answer.call);
      this.waiting.delete(answer.call);
      if ("error" in answer) asked?.reject(new Error(answer.error));
      else asked?.resolve(answer.value);
    });
    this.worker.on("error", (thrown) => { this.fail(thrown instanceof Error ? thrown : new Error(String(thrown))); });
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", () => {
        this.fail(new Error("the thread that draws has ended"));
        resolve();
      });
    });
  }

  ask<K extends keyof Answers>(request: Extract<Request, { kind: K }>, handedOver: readonly ArrayBuffer[] = []): Promise<Answers[K]> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const call = this.calls++;
    return new Promise((resolve, reject) => {
      this.waiting.set(call, { resolve: resolve as (value: Answers[Request["kind"]]) => void, reject });
      this.post({ ...request, call }, handedOver);
    });
  }

  order(order: Order): void {
    if (this.failure === undefined) this.post(order);
  }

  async encode(pixels: Uint8Array, count: number): Promise<EncodedBatch> {
    const decoding = this.nextDecoding(count);
    try {
      // A copy that is handed over: of a view into a larger buffer, all of that would be copied.
      const handedOver = pixels.slice();
      const encoded = await this.ask({ kind: "encode", decoding, pixels: handedOver, count }, [handedOver.buffer]);
      return Object.assign(new ThreadDecoding(this, decoding, count, encoded.firstVertexLogits), encoded);
    } catch (thrown) {
      this.rows -= count;
      throw thrown;
    }
  }

  /** @returns the number of a decoding that is to begin */
  nextDecoding(rows: number): number {
    this.rows += rows;
    return this.decodings++;
  }

  /** Whoever still waits for an answer gets an error. @returns when the thread has ended */
  async close(): Promise<void> {
    this.order({ kind: "close" });
    this.fail(new Error("the engine was disposed"));
    await this.ended;
  }

  private post(message: Message, handedOver: readonly ArrayBuffer[] = []): void { this.worker.postMessage(message, handedOver); }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
  }
}

class ThreadDecoding implements Decoding {
  constructor(
    private readonly thread: EngineThread, private readonly number: number, readonly size: number, readonly firstVertexLogits: Float32Array,
  ) {}

  step(input: StepInput): Promise<Float32Array> {
    return this.thread.ask({ kind: "step", decoding: this.number, input });
  }

  select(rows: readonly number[]): Decoding {
    const into = this.thread.nextDecoding(rows.length);
    this.thread.order({ kind: "select", decoding: this.number, into, rows });
    return new ThreadDecoding(this.thread, into, rows.length, takeRows(this.firstVertexLogits, CELL_COUNT, rows));
  }

  dispose(): void {
    this.thread.rows -= this.size;
    this.thread.order({ kind: "dispose", decoding: this.number });
  }
}
