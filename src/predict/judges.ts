/**
 * A decoder with kernels of our own in one thread, and threads that judge beside it. Judging and placing a polygon takes
 * a processor longer than drawing takes a card, so the thread with the kernels only encodes and decodes. A batch is cut
 * into parts, one judge each: what else is in a batch does not change an outline.
 */
import type { MessagePort } from "node:worker_threads";
import { MessageChannel } from "node:worker_threads";
import { AskedThread } from "../asking.js";
import type { PrecisionChoice } from "../engine/precision.js";
import { choosePrecision } from "../engine/precision.js";
import { referenceOf } from "../engine/self-check.js";
import { describeAdapter } from "../engine/webgpu/adapter.js";
import { kernelModelOf } from "../engine/webgpu/engine.js";
import type { WeightedNetwork } from "../model/model.js";
import type * as Kernels from "./decoder-thread.js";
import type * as Judging from "./judge-thread.js";
import type { BatchDecoder, DecodeBatch, OutlinedBatch } from "./outline.js";

/** Batches whose rows may be in the slots of a device together, and one that is encoded meanwhile. */
const BATCHES_IN_SLOTS = 3;
/** Crops of a part: as many as the encoder takes at once. */
const PART = 64;
const MOST_JUDGES = 8;
/** A device that has not ended its work by then is left behind. */
const STOP_MS = 5000;
const DISPOSED = "the decoder was disposed";

/** How many threads should judge beside a graphics card, at least 1. @param cores that may be used */
export function judgesFor(cores: number): number {
  return Math.min(MOST_JUDGES, Math.max(1, Math.floor((cores - 1) / 3)));
}

type KernelThread = AskedThread<Kernels.Request, Kernels.Answers>;
interface Judge {
  readonly thread: AskedThread<Judging.Question, Judging.Answers>;
  readonly opened: Promise<unknown>;
  /** Parts that it was given and has not answered. */
  parts: number;
}

/**
 * After a self-check against the CPU.
 * @param count judges, at least 1
 * @throws Error when the network does not run there, or gives other numbers
 */
export async function openKernelThread(
  model: WeightedNetwork,
  count: number,
  choice: PrecisionChoice = "auto",
): Promise<BatchDecoder> {
  const { precision, ...remark } = choosePrecision(choice, await describeAdapter());
  const judges: Judge[] = [];
  const data: Kernels.ThreadData = { stopped: new Int32Array(new SharedArrayBuffer(4)) };
  const kernels: KernelThread = new AskedThread(
    new URL("./decoder-thread.js", import.meta.url),
    "the thread that draws",
    {
      workerData: data,
      // Those who judge wait for it, and would wait for ever.
      onFailure: (error) => {
        for (const { thread } of judges) thread.fail(error);
      },
    },
  );
  /** Waits, however the process ends, until nothing of the thread is on a device: see predict/decoder-thread.ts. */
  const stop = (): void => {
    kernels.tell({ kind: "stop" });
    Atomics.wait(data.stopped, 0, 0, STOP_MS);
  };
  process.on("exit", stop);
  // Nobody would answer any more: the process would stand still for the whole of STOP_MS before it ends.
  void kernels.ended.then(() => process.off("exit", stop));
  const dispose = async (): Promise<void> => {
    await Promise.all(judges.map(({ thread }) => thread.close(DISPOSED)));
    await kernels.close(DISPOSED);
  };
  try {
    const reference = referenceOf(model); // here, while the thread compiles
    reference.catch(() => undefined); // thrown below
    const { version } = await kernels.ask({ kind: "openKernels", model: kernelModelOf(model, precision) });
    await kernels.ask({ kind: "check", reference: await reference });
    const known = { name: "wgsl", device: "webgpu", version } as const;
    const serve = (port: MessagePort): Promise<void> => kernels.ask({ kind: "serve", port }, [port]);
    for (const judge of openJudges(known, count, serve)) judges.push(judge);
    await Promise.all(judges.map(({ opened }) => opened));
    return { ...known, precision, ...remark, batchesAtOnce: BATCHES_IN_SLOTS, decode: decodeWith(judges), dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/**
 * @param known of the engine
 * @param serve lets whoever has the other end of a port use the engine (predict/engine-port.ts)
 */
export function openJudges(
  known: Pick<BatchDecoder, "name" | "device" | "version">,
  count: number,
  serve: (port: MessagePort) => Promise<void>,
): Judge[] {
  return Array.from({ length: count }, (_, at): Judge => {
    const { port1, port2 } = new MessageChannel();
    const file = new URL("./judge-thread.js", import.meta.url);
    const thread: Judge["thread"] = new AskedThread(file, `thread ${at + 1} of ${count} that judge polygons`);
    const opened = Promise.all([serve(port1), thread.ask({ kind: "open", port: port2, known }, [port2])]);
    opened.catch(() => undefined); // thrown where it is awaited
    return { thread, opened, parts: 0 };
  });
}

/** Cuts every batch into parts, each for the judge that has the fewest. */
export function decodeWith(judges: readonly Judge[]): DecodeBatch {
  return async (crops, options) => {
    const plain = crops.map(({ window, bounds, pixels }) => ({ window, bounds, pixels }));
    const parts = Array.from({ length: Math.ceil(plain.length / PART) }, async (_, at) => {
      const judge = judges.reduce((one, other) => (other.parts < one.parts ? other : one));
      judge.parts++;
      try {
        return await judge.thread.ask({ kind: "decode", crops: plain.slice(at * PART, (at + 1) * PART), options });
      } finally {
        judge.parts--;
      }
    });
    return joined(await Promise.all(parts));
  };
}

/** The parts run side by side: the batch took as long as the longest of them. */
function joined(parts: readonly OutlinedBatch[]): OutlinedBatch {
  return {
    outlines: parts.flatMap(({ outlines }) => outlines),
    times: {
      encodeMs: Math.max(0, ...parts.map(({ times }) => times.encodeMs)),
      stepsMs: Math.max(0, ...parts.map(({ times }) => times.stepsMs)),
    },
  };
}
