/** `openModel` and `predict` of the library: pixels and boxes in, polygons out, for those who have no files. */
import type { CropResult } from "../crop/crop.js";
import type { DecodedImage } from "../crop/open-image.js";
import { Gate } from "../crop/gate.js";
import type { Pixels } from "../crop/pixel-image.js";
import { invalidData, receivedOf, usageError } from "../errors.js";
import { isJsonObject } from "../foreign.js";
import { checkBox } from "../geometry/box.js";
import type { BatchDecoder } from "../predict/outline.js";
import type { Box, DoneOutcome, Failure, Instance, Outcome } from "../types.js";
import type { CallOptions, DeviceOptions, PredictingOptions } from "./options.js";
import {
  DEVICE_DEFAULT,
  DEVICE_ROWS,
  ignore,
  MODEL_DEFAULT,
  optionChecker,
  PREDICTING_DEFAULTS,
  PREDICTING_ROWS,
} from "./options.js";

/** Options of `openModel`. */
export interface OpenModelOptions extends CallOptions, DeviceOptions {}

/** A model that is loaded and ready to compute. It holds memory and threads until it is closed. */
export interface OpenedModel {
  readonly name: string;
  readonly version: string;
  /** sha256 of what decides its polygons: equal hashes predict equal polygons from equal pixels. */
  readonly hash: string;
  readonly device: "cpu" | "webgpu" | "cuda";
  /** Library that computes, and its version. */
  readonly engine: string;
  /** Waits for the batches under way, then frees memory and threads. A second call does nothing. */
  close(): Promise<void>;
}

/** Options of `predict`. */
export interface PredictOptions extends CallOptions, PredictingOptions {
  /** The bytes of an image file (JPEG, PNG, WebP, TIFF, GIF, AVIF; EXIF orientation is applied), or pixels. */
  readonly image: Uint8Array | Pixels;
  /** In pixels of the image as displayed, at least 1 x 1. A part outside the image is cut off. */
  readonly boxes: readonly Box[];
  /** Douglas-Peucker tolerance in image pixels, 0 or more; 0, the default, keeps every vertex. */
  readonly simplify?: number;
  /** Called after every batch. */
  readonly onProgress?: (progress: { readonly finished: number; readonly total: number }) => void;
}

/** What became of a box. Without its ids a line of the journal; see `DoneOutcome` for the fields. */
export type PredictedPolygon =
  Omit<DoneOutcome, "ordinal" | "annotationId" | "imageId"> | ({ readonly status: "failed" } & Failure);

/** Crops per call of the network where the caller does not say: as many as a device is quick with. */
const BATCH_SIZES = { cpu: 8, webgpu: 256, cuda: 256 } as const;

const checkOpening = optionChecker<OpenModelOptions>("openModel", DEVICE_ROWS, []);
const checkPredicting = optionChecker<PredictOptions>(
  "predict",
  { ...PREDICTING_ROWS, image: {}, boxes: { type: "array" }, simplify: { type: "number", minimum: 0 } },
  ["image", "boxes"],
);

interface Opened {
  readonly decoder: BatchDecoder;
  readonly context: number;
  /** Holds back batches that the decoder would only let lie. */
  readonly gate: Gate;
}

/** What is behind an opened model, and nobody else's business. */
const openModels = new WeakMap<OpenedModel, Opened>();

/**
 * Loads a model and opens an engine for it.
 * @param nameOrPath name of a bundled model, or path of a model folder
 * @throws PolyrnnError E_USAGE for wrong options; E_UNAVAILABLE when there is no such model, it is damaged, or no engine
 *   works on the device; the signal's reason once it is aborted
 */
export async function openModel(
  nameOrPath: string = MODEL_DEFAULT,
  options: OpenModelOptions = {},
): Promise<OpenedModel> {
  const { signal, ...asked } = checkOpening(options);
  const given: unknown = nameOrPath;
  if (typeof given !== "string" || given === "")
    throw usageError(`openModel(): expected the name or path of a model but received ${receivedOf(given)}`, NAME_IT);
  signal?.throwIfAborted();
  const [{ loadModel }, { openBatchDecoder }] = await Promise.all([
    import("../model/model.js"),
    import("../predict/decoder.js"),
  ]);
  const loaded = await loadModel(nameOrPath);
  signal?.throwIfAborted();
  const { decoder } = await openBatchDecoder(loaded, { device: DEVICE_DEFAULT, ...asked });
  const { card, hash } = loaded;
  const gate = new Gate(decoder.batchesAtOnce);
  const model: OpenedModel = {
    name: card.name,
    version: card.version,
    hash,
    device: decoder.device,
    engine: decoder.version,
    async close() {
      if (!openModels.delete(model)) return;
      await gate.enter(Infinity); // until it is empty
      await decoder.dispose();
    },
  };
  if (signal?.aborted === true) await decoder.dispose();
  signal?.throwIfAborted();
  openModels.set(model, { decoder, context: card.context, gate });
  return model;
}

const NAME_IT = 'Pass "mobile", or the folder of a model.';

/**
 * Predicts a polygon for every box of one image. Calls may overlap. Neither the batch nor other boxes change a polygon.
 * @returns one result per box, in order; a box that gives no polygon has status "failed" and a reason
 * @throws PolyrnnError E_USAGE for wrong options or a closed model, E_DATA for an image that cannot be read; the
 *   signal's reason once it is aborted, when the batches under way have ended
 */
export async function predict(model: OpenedModel, options: PredictOptions): Promise<PredictedPolygon[]> {
  const { signal, image, boxes, onProgress = ignore, batchSize, ...asked } = checkPredicting(options);
  const opened = openModels.get(model);
  if (opened === undefined) throw closed();
  signal?.throwIfAborted();
  const instances = boxes.map(toInstance);
  const [crops, { predictInstances }, { StageClock }] = await Promise.all([
    import("../crop/read-crops.js"),
    import("../annotate/predict-batch.js"),
    import("../annotate/summary.js"),
  ]);
  const decoded = await decodeAny(image);
  const { decoder, context, gate } = opened;
  const settings = { ...PREDICTING_DEFAULTS, minScore: 0, simplify: 0, ...asked };
  const size = batchSize ?? BATCH_SIZES[decoder.device];
  const clock = new StageClock();
  let finished = 0;
  const predictBatch = async (first: number): Promise<PredictedPolygon[]> => {
    await gate.enter(1);
    try {
      signal?.throwIfAborted();
      if (!openModels.has(model)) throw closed();
      const cut = await Promise.all(
        instances
          .slice(first, first + size)
          .map(async (instance) =>
            "failure" in instance ? instance : crops.cutCrop(decoded, instance, asked.context ?? context),
          ),
      );
      const batch = await predictInstances(decoder.decode, cut, settings, clock);
      finished += batch.length;
      onProgress({ finished, total: boxes.length });
      return batch.map(({ outcome }) => withoutIds(outcome));
    } finally {
      gate.leave(1);
    }
  };
  if (!openModels.has(model)) throw closed(); // Nothing may wait at the gate of a closed model.
  const starts = Array.from({ length: Math.ceil(boxes.length / size) }, (_, at) => at * size);
  const batches = await Promise.allSettled(starts.map(predictBatch));
  return batches.flatMap((batch) => {
    if (batch.status === "rejected") throw batch.reason;
    return batch.value;
  });
}

function closed(): Error {
  return usageError(
    "predict(): expected an open model but received one that was closed, or none",
    "Pass what openModel() gives, and close it when the last call has returned.",
  );
}

/** @returns the instance, or why the box cannot be one */
function toInstance(box: Box, at: number): Instance | Extract<CropResult, { kind: "failed" }> {
  const given: unknown = box;
  const sides = isJsonObject(given) ? [box.left, box.top, box.width, box.height] : given;
  const name = `boxes[${at}]`;
  const checked = checkBox(sides, name);
  const of = (sound: Box): Instance => ({
    ordinal: at,
    annotationId: name,
    imageId: IMAGE,
    categoryId: 1,
    box: sound,
    raw: {},
  });
  return checked.kind === "box"
    ? of(checked.box)
    : { kind: "failed", instance: of({ left: 0, top: 0, width: 0, height: 0 }), failure: checked.failure };
}

/** Stands for the image's path in messages. */
const IMAGE = "image";

/** @throws E_DATA */
async function decodeAny(image: Uint8Array | Pixels): Promise<DecodedImage> {
  const [{ decodeImage, openImageBytes, prepareImageLibrary }, { imageFromPixels }] = await Promise.all([
    import("../crop/open-image.js"),
    import("../crop/pixel-image.js"),
  ]);
  prepareImageLibrary();
  const given: unknown = image;
  if (typeof given !== "object" || given === null) {
    throw usageError(
      `predict(): expected image to be bytes or pixels but received ${receivedOf(given)}`,
      "Read the file first: await readFile(path).",
    );
  }
  if (!(image instanceof Uint8Array)) return imageFromPixels(IMAGE, image);
  const header = await openImageBytes(IMAGE, image);
  const result = header.kind === "failed" ? header : await decodeImage(header.image);
  if (result.kind === "decoded") return result.image;
  throw invalidData(result.failure.message, "Pass the bytes of a whole JPEG, PNG, WebP, TIFF, GIF or AVIF file.");
}

function withoutIds(outcome: Outcome): PredictedPolygon {
  if (outcome.status === "failed") return { status: "failed", reason: outcome.reason, message: outcome.message };
  if (outcome.status !== "done") throw new Error("without a minimum score no polygon is passed over");
  const { ordinal, annotationId, imageId, ...polygon } = outcome;
  return polygon;
}
