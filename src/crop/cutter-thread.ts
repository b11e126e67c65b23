/** A thread that opens, decodes and cuts what crop/cutters.ts asks for. The pixels go back in memory that is shared. */
import { parentPort } from "node:worker_threads";
import { answerOn, sharedCopy } from "../asking.js";
import type { DecodedImage, OpenedImage, OpenResult } from "./open-image.js";
import { decodeImage, openImage, prepareImageLibrary } from "./open-image.js";
import type { CropSource, CutInstance, CutResult, FailedImage } from "./read-crops.js";
import { cutWindow } from "./read-crops.js";

interface OpenQuestion {
  readonly kind: "open";
  readonly path: string;
  readonly record: CropSource["image"];
  readonly root: string | undefined;
}

interface DecodeQuestion {
  readonly kind: "decode";
  readonly image: OpenedImage;
  /** What it is called from then on. */
  readonly id: number;
}

interface CutQuestion {
  readonly kind: "cut";
  /** A decoded image that was not released. */
  readonly id: number;
  readonly instance: CutInstance;
  readonly context: number;
}

export type Question =
  | OpenQuestion
  | DecodeQuestion
  | CutQuestion
  | { readonly kind: "release"; readonly id: number }
  | { readonly kind: "close" };

export interface Answers {
  readonly open: OpenResult;
  readonly decode: { readonly kind: "decoded" } | FailedImage;
  readonly cut: CutResult;
  readonly release: undefined;
  readonly close: undefined;
}

const port = parentPort!;
const held = new Map<number, DecodedImage>();

prepareImageLibrary();
answerOn(port, async (question: Question) => ({ value: await answer(question) }));

async function answer(question: Question): Promise<Answers[Question["kind"]]> {
  switch (question.kind) {
    case "open":
      return openImage(question.path, question.record, question.root);
    case "decode":
      return decode(question);
    case "cut":
      return cut(question);
    case "release":
      held.delete(question.id);
      return undefined;
    case "close":
      port.close();
      return undefined;
  }
}

async function decode({ image, id }: DecodeQuestion): Promise<Answers["decode"]> {
  const result = await decodeImage(image);
  if (result.kind === "failed") return result;
  held.set(id, result.image);
  return { kind: "decoded" };
}

async function cut({ id, instance, context }: CutQuestion): Promise<CutResult> {
  const result = await cutWindow(held.get(id)!, instance, context);
  if (result.kind === "failed") return result;
  return { kind: "cut", crop: { ...result.crop, pixels: sharedCopy(result.crop.pixels) } };
}
