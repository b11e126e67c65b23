/**
 * A thread with an engine: does what predict/decoder-pool.ts asks for, one thing after the other, or lets the threads of
 * predict/judges.ts use its engine side by side. An engine that decodes in slots fills them with the rows of all.
 */
import type { MessagePort } from "node:worker_threads";
import { parentPort, workerData } from "node:worker_threads";
import { answerOn } from "../asking.js";
import type { CropFrame } from "../crop/crop.js";
import type { DeviceName, Engine } from "../engine/engine.js";
import type { OnnxModels } from "../engine/onnx/engine.js";
import { mapModels, openOnnxModels } from "../engine/onnx/engine.js";
import type { Reference } from "../engine/self-check.js";
import type { KernelModel } from "../engine/webgpu/engine.js";
import type { StateWidths } from "../network/polygon-rnn.js";
import type { ServedEngine } from "./engine-port.js";
import { serveEngine } from "./engine-port.js";
import type { DecodeOptions } from "./options.js";
import type { OutlinedBatch } from "./outline.js";
import { decodeOutlines } from "./outline.js";

interface OpenRequest {
  readonly kind: "open";
  readonly device: DeviceName;
  readonly widths: StateWidths;
  /** In memory that all threads share. */
  readonly models: OnnxModels<Uint8Array>;
  /** Threads inside one operation, on a CPU. */
  readonly threads: number;
}

interface OpenKernelsRequest {
  readonly kind: "openKernels";
  readonly model: KernelModel;
}

interface CheckRequest {
  readonly kind: "check";
  readonly reference: Reference;
}

interface DecodeRequest {
  readonly kind: "decode";
  /** [frames.length, 224, 224, 3] uint8 RGB */
  readonly pixels: Uint8Array;
  readonly frames: readonly CropFrame[];
  readonly options: DecodeOptions;
}

interface ServeRequest {
  readonly kind: "serve";
  /** Whoever has its other end may use the engine. */
  readonly port: MessagePort;
}

/** `close` ends the thread. After `stop` nothing touches the device. */
export type Request =
  | OpenRequest
  | OpenKernelsRequest
  | CheckRequest
  | DecodeRequest
  | ServeRequest
  | { readonly kind: "close" }
  | { readonly kind: "stop" };

export interface Answers {
  readonly open: { readonly version: string };
  readonly openKernels: { readonly version: string };
  readonly check: undefined;
  readonly decode: OutlinedBatch;
  readonly serve: undefined;
  readonly close: undefined;
  readonly stop: undefined;
}
/** What a thread is started with: set to 1 when `stop` is done. */
export interface ThreadData {
  readonly stopped: Int32Array;
}

const port = parentPort!;
const { stopped } = (workerData ?? {}) as Partial<ThreadData>;
let engine: Engine | undefined;
const served: ServedEngine[] = [];

async function open({ device, widths, models, threads }: OpenRequest): Promise<Answers["open"]> {
  const copies = mapModels(models, (model) => () => model.slice()); // onnxruntime takes no shared memory
  engine = await openOnnxModels(widths, copies, { device, threads });
  return { version: engine.version };
}

async function openOwnKernels({ model }: OpenKernelsRequest): Promise<Answers["openKernels"]> {
  const { openKernels } = await import("../engine/webgpu/engine.js");
  engine = await openKernels(model);
  return { version: engine.version };
}

async function check({ reference }: CheckRequest): Promise<void> {
  const { checkAgainst } = await import("../engine/self-check.js");
  await checkAgainst(engine!, reference);
}

async function answer(request: Exclude<Request, { kind: "stop" }>): Promise<Answers[keyof Answers]> {
  switch (request.kind) {
    case "open":
      return open(request);
    case "openKernels":
      return openOwnKernels(request);
    case "check":
      await check(request);
      return undefined;
    case "decode":
      return decodeOutlines(engine!, request.pixels, request.frames, request.options);
    case "serve":
      served.push(serveEngine(engine!, request.port));
      return undefined;
    case "close":
      await close();
      return undefined;
  }
}

let last: Promise<unknown> = Promise.resolve();
answerOn(port, async (request: Request) => {
  if (request.kind === "stop") {
    await stop();
    return { value: undefined };
  }
  // One at a time: onnxruntime computes on this thread. `serve` lets others in side by side.
  const answering = last.then(() => answer(request));
  last = answering.catch(() => undefined); // the asker hears of it
  return { value: await answering };
});

async function close(): Promise<void> {
  await Promise.all(served.map((one) => one.stop()));
  await engine?.dispose();
  port.close();
}

/**
 * The process is ending. Node ends threads wherever they are; Dawn aborts the process if that is inside one of its
 * calls. So the device is closed first, and the main thread waits for it.
 */
async function stop(): Promise<void> {
  const ending = served.map((one) => one.stop()); // what is under way fails once the device is closed
  if (engine === undefined) await last; // it is being opened
  await engine?.dispose();
  await Promise.all(ending);
  await last;
  if (stopped === undefined) return;
  Atomics.store(stopped, 0, 1);
  Atomics.notify(stopped, 0);
}

/**
 * An error out of a callback: the device is closed before it ends this thread, as above. Those who judge hear of it from
 * the main thread, and not first that the device was closed.
 */
function endWith(error: unknown): void {
  process.off("uncaughtException", endWith);
  for (const one of served) one.leave();
  const end = (): void => {
    setImmediate(() => {
      throw error;
    });
  };
  stop().then(end, end);
}

if (stopped !== undefined) process.on("uncaughtException", endWith);
