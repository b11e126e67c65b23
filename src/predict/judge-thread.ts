/**
 * A thread that judges polygons and places their vertices, beside the one with the kernels: it runs the rules of
 * predict/candidates.ts and asks for what needs the device. For predict/judges.ts.
 */
import type { MessagePort } from "node:worker_threads";
import { parentPort } from "node:worker_threads";
import { answerOn } from "../asking.js";
import { stackPixels } from "../crop/crop.js";
import type { Engine } from "../engine/engine.js";
import { engineOver } from "./engine-port.js";
import type { DecodeOptions } from "./options.js";
import type { OutlinedBatch, PixelCrop } from "./outline.js";
import { decodeOutlines } from "./outline.js";

interface OpenQuestion {
  readonly kind: "open";
  /** Its other end is served by the thread with the kernels. */
  readonly port: MessagePort;
  readonly known: Pick<Engine, "name" | "device" | "version">;
}

interface DecodeQuestion {
  readonly kind: "decode";
  readonly crops: readonly PixelCrop[];
  readonly options: DecodeOptions;
}

export type Question = OpenQuestion | DecodeQuestion | { readonly kind: "close" };

export interface Answers {
  readonly open: undefined;
  readonly decode: OutlinedBatch;
  readonly close: undefined;
}

const port = parentPort!;
let engine: Engine | undefined;

answerOn(port, async (question: Question) => ({ value: await answer(question) }));

async function answer(question: Question): Promise<Answers[Question["kind"]]> {
  switch (question.kind) {
    case "open":
      engine = engineOver(question.port, question.known);
      return undefined;
    case "decode":
      return decodeOutlines(engine!, stackPixels(question.crops), question.crops, question.options);
    case "close":
      await engine?.dispose();
      port.close();
      return undefined;
  }
}
