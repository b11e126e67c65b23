/** A thread with an engine: does what predict/decoder-pool.ts asks for, in order, and answers in the same order. */
import { parentPort } from "node:worker_threads";
import type { CropFrame } from "../crop/crop.js";
import type { DeviceName, Engine } from "../engine/engine.js";
import type { OnnxModels } from "../engine/onnx/engine.js";
import { mapModels, openOnnxModels } from "../engine/onnx/engine.js";
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

interface DecodeRequest {
  readonly kind: "decode";
  /** [frames.length, 224, 224, 3] uint8 RGB */
  readonly pixels: Uint8Array;
  readonly frames: readonly CropFrame[];
  readonly options: DecodeOptions;
}

/** All but `close`, which ends the thread, are answered. */
export type Request = OpenRequest | DecodeRequest | { readonly kind: "close" };

export interface Answers {
  readonly open: { readonly version: string };
  readonly decode: OutlinedBatch;
}
export type Answer = { readonly value: Answers[keyof Answers] } | { readonly error: string };

const port = parentPort!;
let engine: Engine | undefined;

async function open({ device, widths, models, threads }: OpenRequest): Promise<Answers["open"]> {
  const copies = mapModels(models, (model) => () => model.slice()); // onnxruntime takes no shared memory
  engine = await openOnnxModels(widths, copies, { device, threads });
  return { version: engine.version };
}

async function serve(request: Request): Promise<void> {
  if (request.kind === "close") {
    await engine?.dispose();
    port.close();
    return;
  }
  try {
    const value =
      request.kind === "open"
        ? await open(request)
        : await decodeOutlines(engine!, request.pixels, request.frames, request.options);
    port.postMessage({ value } satisfies Answer);
  } catch (error) {
    port.postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Answer);
  }
}

let last = Promise.resolve();
port.on("message", (request: Request) => {
  last = last.then(() => serve(request));
});
