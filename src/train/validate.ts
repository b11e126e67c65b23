/**
 * Validation: what a model is judged on while it trains, and its scores. The truth's instances are cut as plain crops,
 * in input order, and read anew every time. Polygons are predicted as `annotate` predicts them. Scores are mean IoU per
 * source, at image resolution, with the COCO rasterizer.
 */
import type { Crop, CropResult } from "../crop/crop.js";
import type { CropSource } from "../crop/read-crops.js";
import { readCrops } from "../crop/read-crops.js";
import type { Engine } from "../engine/engine.js";
import { boxRing } from "../geometry/box.js";
import type { CropWindow } from "../geometry/grid.js";
import { CROP_SIZE } from "../geometry/grid.js";
import { fillPolygon, iouOfRles, rasterizeTruth } from "../geometry/iou.js";
import { traceMask } from "../geometry/trace-mask.js";
import type { BestSequence } from "../predict/candidates.js";
import { decodeBest } from "../predict/candidates.js";
import { DEFAULT_CANDIDATES } from "../predict/options.js";
import { sequenceToRing } from "../predict/outline.js";
import { stackPixels } from "../crop/crop.js";
import type { ImagePoint, Instance, Ring, Truth } from "../types.js";
import type { OpenTruthOptions } from "./data/open-truth.js";
import { openTruth, PLAIN_CONTEXT } from "./data/open-truth.js";
import type { ImageFile } from "./data/overlap.js";
import { countBySource } from "./data/truth.js";
import type { PictureCrop, PredictedCrop, SourceScore, ValidationLine } from "./events.js";

export interface ValidationSet {
  readonly instances: number;
  readonly bySource: ReadonlyMap<string, number>;
  /** Of everything the annotations were read from. */
  readonly sha256: string;
  /** Reason -> annotations left out. */
  readonly dropped: ReadonlyMap<string, number>;
  /** Images with at least one instance. */
  readonly files: readonly ImageFile[];
  /**
   * Context 0.15, no augmentation; `crop.instance` has `truth` as the file gives it (all rings) and an empty `raw`.
   * Instances on an image that cannot be decoded fail.
   */
  crops(): AsyncGenerator<CropResult, void, undefined>;
  /** Source of an instance of this set. @throws RangeError for another ordinal */
  sourceOf(ordinal: number): string;
}

/**
 * Limits of sequences do not apply: the model is also asked for rings that cannot be taught.
 * @throws E_MISSING, E_DATA and E_USAGE as `openTrainingSet`
 */
export async function openValidationSet(options: OpenTruthOptions): Promise<ValidationSet> {
  const kept = new Map<number, Instance>();
  // Without the record: its segmentation is in `truth` already and would double the memory.
  const truth = await openTruth(options, {
    onInstance: (instance) => {
      kept.set(instance.ordinal, { ...instance, raw: {} });
    },
  });
  const byImage = new Map<number, Instance[]>();
  const sources = new Map<number, string>();
  for (const { ordinal, image, source } of truth.instances) {
    byImage.set(image, [...(byImage.get(image) ?? []), kept.get(ordinal)!]);
    sources.set(ordinal, truth.sources[source]!);
  }
  kept.clear();

  function* groups(): Generator<CropSource> {
    for (const [number, instances] of byImage) {
      const {
        opened: { path, width, height },
        root,
      } = truth.images[number]!;
      yield {
        image: { width, height },
        location: { kind: "file", path, ...(root !== undefined && { root }) },
        instances,
      };
    }
  }
  return {
    instances: truth.instances.length,
    bySource: countBySource(truth),
    sha256: truth.sha256,
    dropped: truth.dropped,
    files: [...byImage.keys()]
      .map((number) => truth.images[number]!)
      .map(({ fileName, opened }) => ({ fileName, path: opened.path })),
    crops: () => readCrops(inOrder(groups()), { context: PLAIN_CONTEXT }),
    sourceOf(ordinal) {
      const source = sources.get(ordinal);
      if (source === undefined)
        throw new RangeError(`validation: expected an instance of the set, received ordinal ${ordinal}`);
      return source;
    },
  };
}

async function* inOrder<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

/** Crops that are shown for every validation. */
const PICTURES = 8;

export interface Validation {
  readonly line: Omit<ValidationLine, "step" | "isBest">;
  readonly pictures: readonly PictureCrop[];
}

export interface ValidateOptions {
  readonly batchSize: number;
  /** Decoder steps at most. */
  readonly maxSteps: number;
  readonly onProgress?: (done: number) => void | Promise<void>;
}

/** Predicts and scores the whole set. @param engine with the weights that would be saved */
export async function validate(engine: Engine, set: ValidationSet, options: ValidateOptions): Promise<Validation> {
  const started = performance.now();
  const tally = new Tally(set);
  for await (const crops of inBatches(set.crops(), options.batchSize, (failed) => {
    tally.fail(failed);
  })) {
    const { sequences } = await decodeBest(engine, stackPixels(crops), crops, {
      maxSteps: options.maxSteps,
      candidates: DEFAULT_CANDIDATES,
    });
    crops.forEach((crop, at) => {
      tally.add(crop, sequences[at]!);
    });
    await options.onProgress?.(tally.done);
  }
  const seconds = (performance.now() - started) / 1000;
  return { line: { ...tally.line(), instancesPerSecond: tally.done / seconds }, pictures: tally.pictures };
}

type Failed = Extract<CropResult, { kind: "failed" }>;

async function* inBatches(
  results: AsyncIterable<CropResult>,
  size: number,
  onFailed: (failed: Failed) => void,
): AsyncGenerator<Crop[], void, undefined> {
  let batch: Crop[] = [];
  for await (const result of results) {
    if (result.kind === "failed") onFailed(result);
    else batch.push(result.crop);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

/** Sums per source, and the crops to show: an even spread over the set, the same at every validation. */
class Tally {
  readonly pictures: PictureCrop[] = [];
  readonly shown: PredictedCrop[] = [];
  done = 0;
  private failed = 0;
  private readonly sums = new Map<string, { iou: number; boxIou: number; count: number }>();

  constructor(private readonly set: ValidationSet) {}

  add(crop: Crop, { cells, maskLogits }: BestSequence): void {
    const { instance, imageWidth, imageHeight } = crop;
    const { ring, distinct } = sequenceToRing(cells, crop, maskLogits);
    const polygon = distinct < 3 ? [] : [ring];
    const truth = rasterizeTruth(instance.truth!, imageHeight, imageWidth);
    const iou = iouOfRles(fillPolygon(polygon, imageHeight, imageWidth, "coco"), truth);
    const boxIou = iouOfRles(fillPolygon([boxRing(crop.bounds)], imageHeight, imageWidth, "coco"), truth);
    if (polygon.length === 0) this.failed++;
    const source = this.set.sourceOf(instance.ordinal);
    if (this.isShown()) {
      const toCrop = (points: Ring): ImagePoint[] => points.map((point) => toCropPixels(point, crop.window));
      this.shown.push({
        annotationId: instance.annotationId,
        source,
        ring: polygon.flatMap(toCrop),
        iou: roundTo(iou, 4),
      });
      this.pictures.push({
        annotationId: instance.annotationId,
        source,
        pixels: crop.pixels,
        truth: ringsOf(instance.truth!).map(toCrop),
      });
    }
    this.count(source, iou, boxIou);
  }

  /** An instance on an image that cannot be decoded; it counts as IoU 0. */
  fail({ instance }: Failed): void {
    this.failed++;
    this.count(this.set.sourceOf(instance.ordinal), 0, 0);
  }

  private isShown(): boolean {
    const number = this.shown.length;
    return number < PICTURES && this.done >= Math.floor((number * this.set.instances) / PICTURES);
  }

  private count(source: string, iou: number, boxIou: number): void {
    const sum = this.sums.get(source) ?? { iou: 0, boxIou: 0, count: 0 };
    this.sums.set(source, { iou: sum.iou + iou, boxIou: sum.boxIou + boxIou, count: sum.count + 1 });
    this.done++;
  }

  /** Scores over everything that was added. */
  line(): Omit<ValidationLine, "step" | "isBest" | "instancesPerSecond"> {
    const sums = [...this.sums].sort(([a], [b]) => (a < b ? -1 : 1));
    const all = sums.reduce(
      (total, [, { iou, boxIou, count }]) => ({
        iou: total.iou + iou,
        boxIou: total.boxIou + boxIou,
        count: total.count + count,
      }),
      { iou: 0, boxIou: 0, count: 0 },
    );
    return {
      type: "validation",
      all: scoreOf(all),
      bySource: Object.fromEntries(sums.map(([source, sum]) => [source, scoreOf(sum)])),
      failed: this.failed,
      drawn: this.shown,
    };
  }
}

function scoreOf({ iou, boxIou, count }: { iou: number; boxIou: number; count: number }): SourceScore {
  return { iou: iou / count, boxIou: boxIou / count, instances: count };
}

function ringsOf(truth: Truth): readonly Ring[] {
  return truth.kind === "polygon" ? truth.polygon : traceMask(truth.rle);
}

function toCropPixels({ x, y }: ImagePoint, { left, top, side }: CropWindow): ImagePoint {
  return { x: roundTo(((x - left) / side) * CROP_SIZE, 2), y: roundTo(((y - top) / side) * CROP_SIZE, 2) };
}

function roundTo(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
