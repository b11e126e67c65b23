/** A thread that opens, decodes and cuts what crop/cutters.ts asks for. The pixels go back in memory that is shared. */
import { parentPort } from "node:worker_threads";
import { answerOn, sharedCopy } from "../asking.js";
import type { PackedPlace } from "../files/archive.js";
import { readPlace } from "../files/archive.js";
import type { DecodedImage, OpenedImage, OpenResult } from "./open-image.js";
import { decodeImage, openImage, prepareImageLibrary } from "./open-image.js";
import type { CropSource, CutInstance, CutResult, FailedImage } from "./read-crops.js";
import { cutWindow } from "./read-crops.js";

interface OpenQuestion {
  readonly kind: "open";
  readonly path: string;
  readonly record: CropSource["image"];
  readonly root: string | undefined;
  /** Where it lies in a zip file; undefined: it is a file. */
  readonly place: PackedPlace | undefined;
}

interface DecodeQuestion {
  readonly kind: "decode";
  readonly image: OpenedImage;
  readonly place: PackedPlace | undefined;
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

/** A member of a zip file that could not be read: whoever has the zip file's directory says why. */
interface NotUnpacked {
  readonly kind: "not-unpacked";
}

export interface Answers {
  readonly open: OpenResult | NotUnpacked;
  readonly decode: { readonly kind: "decoded" } | FailedImage | NotUnpacked;
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
      return open(question);
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

async function open({ path, record, root, place }: OpenQuestion): Promise<Answers["open"]> {
  const bytes = await unpack(place);
  return bytes === "not-unpacked" ? { kind: bytes } : openImage(path, record, root, bytes);
}

/** Read again where it is decoded: held in between, members would take memory that nobody counts. */
async function unpack(place: PackedPlace | undefined): Promise<Uint8Array | undefined | "not-unpacked"> {
  if (place === undefined) return undefined;
  try {
    return await readPlace(place);
  } catch {
    return "not-unpacked";
  }
}

async function decode({ image, id, place }: DecodeQuestion): Promise<Answers["decode"]> {
  const bytes = await unpack(place);
  if (bytes === "not-unpacked") return { kind: bytes };
  const result = await decodeImage(bytes === undefined ? image : { ...image, bytes });
  if (result.kind === "failed") return result;
  held.set(id, result.image);
  return { kind: "decoded" };
}

async function cut({ id, instance, context }: CutQuestion): Promise<CutResult> {
  const result = await cutWindow(held.get(id)!, instance, context);
  if (result.kind === "failed") return result;
  return { kind: "cut", crop: { ...result.crop, pixels: sharedCopy(result.crop.pixels) } };
}
