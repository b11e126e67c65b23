/**
 * An engine in a thread of its own: does what threaded-engine.ts asks for, one message at a time, and answers. What is being drawn lives
 * here under a number that the other side gave it.
 */
import { type MessagePort, parentPort } from "node:worker_threads";
import type { StateWidths } from "../network/polygon-rnn.js";
import type { Decoding, Engine, StepInput } from "./engine.js";
import { openOnnxModels } from "./onnx-engine.js";

export interface OpenRequest {
  readonly kind: "open";
  readonly widths: StateWidths;
  /** ONNX models, in memory that all threads share. */
  readonly encoder: Uint8Array;
  readonly step: Uint8Array;
  /** Inside one operation. */
  readonly threads: number;
}
interface EncodeRequest { readonly kind: "encode"; readonly decoding: number; readonly pixels: Uint8Array; readonly count: number }
interface StepRequest { readonly kind: "step"; readonly decoding: number; readonly input: StepInput }

/** Each is answered. */
export type Request = OpenRequest | EncodeRequest | StepRequest;
/** Nobody waits for these; they are done in order with what was asked before and after. `close` ends the thread. */
export type Order =
  | { readonly kind: "select"; readonly decoding: number; readonly into: number; readonly rows: readonly number[] }
  | { readonly kind: "dispose"; readonly decoding: number }
  | { readonly kind: "close" };
export type Message = (Request & { readonly call: number }) | Order;

/** What each request is answered with. */
export interface Answers {
  readonly open: { readonly version: string };
  readonly encode: { readonly firstVertexLogits: Float32Array; readonly maskLogits?: Float32Array };
  /** Logits [size, 785]. */
  readonly step: Float32Array;
}
export type Answer = { readonly call: number } & ({ readonly value: Answers[Request["kind"]] } | { readonly error: string });

class EngineThread {
  private engine: Engine | undefined;
  private readonly decodings = new Map<number, Decoding>();
  private readonly inWork = new Set<Promise<unknown>>();

  constructor(private readonly port: MessagePort) {}

  async answer({ call, ...request }: Request & { readonly call: number }): Promise<void> {
    const work = this.compute(request);
    this.inWork.add(work);
    try {
      this.port.postMessage({ call, value: await work } satisfies Answer);
    } catch (thrown) {
      this.port.postMessage({ call, error: thrown instanceof Error ? thrown.message : String(thrown) } satisfies Answer);
    } finally {
      this.inWork.delete(work);
    }
  }

  async follow(order: Order): Promise<void> {
    switch (order.kind) {
      case "select": {
        this.decodings.set(order.into, this.decodings.get(order.decoding)!.select(order.rows));
        break;
      }
      case "dispose": {
        this.decodings.get(order.decoding)?.dispose(); // absent when its encoding failed
        this.decodings.delete(order.decoding);
        break;
      }
      case "close": {
        await Promise.allSettled(this.inWork);
        await this.engine?.dispose();
        this.port.close();
      }
    }
  }

  private async compute(request: Request): Promise<Answers[Request["kind"]]> {
    switch (request.kind) {
      case "open": {
        const { widths, encoder, step, threads } = request;
        // Copies: onnxruntime takes no shared memory.
        this.engine = await openOnnxModels({ widths, encoder: () => encoder.slice(), step: () => step.slice() }, { device: "cpu", threads });
        return { version: this.engine.version };
      }
      case "encode": {
        const encoded = await this.engine!.encode(request.pixels, request.count);
        this.decodings.set(request.decoding, encoded);
        const { firstVertexLogits, maskLogits } = encoded;
        return { firstVertexLogits, ...(maskLogits !== undefined && { maskLogits }) };
      }
      case "step": return this.decodings.get(request.decoding)!.step(request.input);
    }
  }
}

const thread = new EngineThread(parentPort!);
parentPort!.on("message", (message: Message) => {
  // An error in an order ends the thread, and the other side hears of it.
  void ("call" in message ? thread.answer(message) : thread.follow(message));
});
