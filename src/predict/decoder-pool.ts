/**
 * A decoder whose engines are in threads of their own (predict/decoder-thread.ts). onnxruntime-node computes, and waits
 * for a GPU, on the thread that calls it; so the calling thread stays free to read, cut and write. A GPU gets one
 * thread. A CPU gets one per core, each with a batch of its own: small operations do not spread well over cores (`npm
 * run bench -- stages`).
 */
import { AskedThread, sharedCopy } from "../asking.js";
import { stackPixels } from "../crop/crop.js";
import type { DeviceName } from "../engine/engine.js";
import { mapModels } from "../engine/onnx/engine.js";
import { onnxModelsFor } from "../engine/onnx/models.js";
import { reasonOf } from "../errors.js";
import type { WeightedNetwork } from "../model/model.js";
import type { Answers, Request } from "./decoder-thread.js";
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
  const models = mapModels(onnxModelsFor(model, { device }), (make) => sharedCopy(make()));
  const pool = new ThreadPool(count, async (thread) => {
    const { version } = await thread.ask({ kind: "open", device, widths, models, threads: Math.floor(cores / count) });
    return version;
  });
  // One batch is decoded in each, one lies ready.
  return pool.decoder({ name: "onnxruntime", device, batchesAtOnce: 2 * count });
}

type DecoderThread = AskedThread<Request, Answers>;
const FILE = new URL("./decoder-thread.js", import.meta.url);
/** What those hear who still wait. */
const DISPOSED = "the decoder was disposed";

interface OpeningThread {
  readonly thread: DecoderThread;
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
  private open: ((thread: DecoderThread) => Promise<string>) | undefined;

  /** @param open opens the engine of a thread. @returns its version */
  constructor(
    private readonly most: number,
    open: (thread: DecoderThread) => Promise<string>,
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
      await Promise.all(this.threads.map(({ thread }) => thread.close(DISPOSED)));
    };
    try {
      return { ...known, version: await this.threads[0]!.opened, decode: this.decode, dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  private readonly decode: BatchDecoder["decode"] = async (crops, options) => {
    const taken = this.leastBusy();
    taken.batches++;
    try {
      if (!(await this.isOpen(taken))) return await this.decode(crops, options);
      const pixels = stackPixels(crops);
      const frames = crops.map(({ window, bounds }) => ({ window, bounds }));
      return await taken.thread.ask({ kind: "decode", pixels, frames, options }, [pixels.buffer as ArrayBuffer]);
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
      await opening.thread.close(DISPOSED);
      return false;
    }
  }

  private leastBusy(): OpeningThread {
    const least = this.threads.reduce((one, other) => (other.batches < one.batches ? other : one));
    return least.batches === 0 || this.open === undefined ? least : this.start(this.open);
  }

  private start(open: (thread: DecoderThread) => Promise<string>): OpeningThread {
    const thread = new AskedThread<Request, Answers>(FILE, "a thread that draws");
    const started = { thread, opened: open(thread), batches: 0 };
    started.opened.catch(() => undefined); // thrown where it is awaited
    // Nobody else is opened: what they would be opened with can go.
    if (this.threads.push(started) === this.most) this.open = undefined;
    return started;
  }
}
