/**
 * A thread with an engine: does what predict/decoder-pool.ts asks for and answers in the order in which it was asked.
 * An engine that decodes in slots gets several batches at once, so that the next one fills the slots that the one
 * before leaves.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { CropFrame } from "../crop/crop.js";
import type { DeviceName, Engine } from "../engine/engine.js";
import type { OnnxModels } from "../engine/onnx/engine.js";
import { mapModels, openOnnxModels } from "../engine/onnx/engine.js";
import type { Reference } from "../engine/self-check.js";
import type { KernelModel } from "../engine/webgpu/engine.js";
import { PolyrnnError, reasonOf } from "../errors.js";
import type { StateWidths } from "../network/polygon-rnn.js";
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

/** All but `close`, which ends the thread, and `stop`, after which nothing touches the device, are answered. */
export type Request =
  | OpenRequest
  | OpenKernelsRequest
  | CheckRequest
  | DecodeRequest
  | { readonly kind: "close" }
  | { readonly kind: "stop" };

export interface Answers {
  readonly open: { readonly version: string };
  readonly openKernels: { readonly version: string };
  readonly check: undefined;
  readonly decode: OutlinedBatch;
}
export type Answer = { readonly value: Answers[keyof Answers] } | { readonly error: ThreadError };

/** An error on its way to another thread: of a PolyrnnError's fields the class would be lost. */
export type ThreadError = Pick<Error, "message"> & Partial<Pick<PolyrnnError, "code" | "exitCode" | "hint">>;

/** What a thread is started with: set to 1 when `stop` is done. */
export interface ThreadData {
  readonly stopped: Int32Array;
}

const port = parentPort!;
const { stopped } = workerData as ThreadData;
let engine: Engine | undefined;

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

async function answer(request: Exclude<Request, { kind: "close" | "stop" }>): Promise<Answer> {
  try {
    switch (request.kind) {
      case "open":
        return { value: await open(request) };
      case "openKernels":
        return { value: await openOwnKernels(request) };
      case "check":
        await check(request);
        return { value: undefined };
      case "decode":
        return { value: await decodeOutlines(engine!, request.pixels, request.frames, request.options) };
    }
  } catch (error) {
    if (!(error instanceof PolyrnnError)) return { error: { message: reasonOf(error) } };
    const { message, code, exitCode, hint } = error;
    return { error: { message, code, exitCode, hint } };
  }
}

let last: Promise<unknown> = Promise.resolve();
port.on("message", (request: Request) => {
  if (request.kind === "stop") {
    void stop();
    return;
  }
  const before = last;
  last =
    request.kind === "close"
      ? before.then(close)
      : answerAfter(request, engine?.name === "wgsl" ? Promise.resolve() : before).then(async (answered) => {
          await before;
          port.postMessage(answered);
        });
});

async function answerAfter(request: Parameters<typeof answer>[0], before: Promise<unknown>): Promise<Answer> {
  await before;
  return answer(request);
}

async function close(): Promise<void> {
  await engine?.dispose();
  port.close();
}

/**
 * The process is ending. Node ends threads wherever they are; Dawn aborts the process if that is inside one of its
 * calls. So the device is closed first, and the main thread waits for it.
 */
async function stop(): Promise<void> {
  if (engine === undefined) await last; // it is being opened
  await engine?.dispose();
  await last;
  Atomics.store(stopped, 0, 1);
  Atomics.notify(stopped, 0);
}
