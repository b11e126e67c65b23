/**
 * The data side of training: truth in, batches out. Truth is read once and kept small; pixels are read again for every batch.
 * Follows Castrejon et al., CVPR 2017: square crops with context, constant orientation, random first vertex, batches of like lengths.
 */
import { ImageCache } from "../crop/image-cache.js";
import { prepareImageLibrary } from "../crop/open-image.js";
import { openDataset } from "../dataset/open-dataset.js";
import { selectCategories } from "../dataset/select-categories.js";
import { invalidData, receivedOf, usageError } from "../errors.js";
import type { TrainingBatch } from "../runtime/training-batch.js";
import type { Category } from "../types.js";
import { DEFAULT_RING_FILTER, type RingFilter } from "./pick-ring.js";
import { batchPlanner } from "./plan-batches.js";
import { planSample } from "./plan-sample.js";
import { readTruthSet } from "./read-truth.js";
import { BatchRenderer } from "./render-batch.js";
import { sourceSampler } from "./sample-sources.js";
import { selectSubset } from "./select-subset.js";
import { DEFAULT_SEQUENCE_LIMITS, type SequenceLimits } from "./target-cells.js";
import { countBySource, type TruthSet } from "./truth-instance.js";

/** The truth: where it is and what of it is used. The same words serve for validation. */
export interface TruthOptions {
  /** COCO file with segmentations, or Cityscapes folder. */
  readonly boxes: string;
  /** Folder of the images. */
  readonly images: string;
  readonly filter?: Partial<RingFilter & SequenceLimits>;
  /** Names or ids; every one of them must appear. Absent: all. */
  readonly categories?: readonly string[];
  /** Field of the image records that names the source, "source" by default. */
  readonly sourceField?: string;
  /** A seeded subset of this many instances; smaller ones are part of larger ones. */
  readonly maxInstances?: number;
  /** Chooses the subset, and in training everything that is drawn. */
  readonly seed: number | string;
}

export interface TrainingSetOptions extends TruthOptions {
  readonly batchSize: number;
  /** By source, relative to each other; absent: every instance is as likely as any other. */
  readonly sourceWeights?: ReadonlyMap<string, number>;
  /** Bytes of decoded images that are remembered; 256 MiB by default. */
  readonly cacheBytes?: number;
  /** Told once per image whose pixels turn out to be damaged; it is counted in `dropped` from then on. */
  readonly onDamaged?: (fileName: string, message: string) => void;
}

export interface TrainingSet {
  readonly instances: number;
  readonly images: number;
  readonly bySource: ReadonlyMap<string, number>;
  /** Reason -> annotations left out. Grows by "image-unreadable" when damaged pixels are met. */
  readonly dropped: ReadonlyMap<string, number>;
  /**
   * The batch of one step (0-based): a pure function of (data, options, seed, step). May be asked for in any order, and for several
   * steps at once; the arrays belong to the caller.
   * @throws E_DATA when not one image of the batch can be decoded
   */
  batch(step: number): Promise<TrainingBatch>;
  /** Forgets the images held. */
  close(): Promise<void>;
}

/** Context of the crop at use, in which a ring must be drawable to be kept. */
export const PLAIN_CONTEXT = 0.15;
const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;

/** @throws E_MISSING, E_DATA and E_USAGE: data that cannot be read, categories that never appear, options out of range */
export async function openTrainingSet(options: TrainingSetOptions): Promise<TrainingSet> {
  const { batchSize, seed } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 4096) throw usageError(`batch size: expected a whole number from 1 to 4096, received ${batchSize}`, "16 is a good start on a CPU.");
  prepareImageLibrary();
  const limits = { ...DEFAULT_SEQUENCE_LIMITS, ...options.filter };
  const truth = await openTruth(options);
  const drawInstance = sourceSampler(truth, options.sourceWeights);
  const plan = batchPlanner((random) => planSample(truth, drawInstance(random), { limits, context: PLAIN_CONTEXT }, random), batchSize, seed);
  const cache = new ImageCache(options.cacheBytes ?? DEFAULT_CACHE_BYTES);
  const renderer = new BatchRenderer(truth, cache, (image, message) => {
    const lost = truth.instances.filter((instance) => instance.image === image).length;
    truth.dropped.set("image-unreadable", (truth.dropped.get("image-unreadable") ?? 0) + lost);
    options.onDamaged?.(truth.images[image]!.fileName, message);
  });
  return {
    instances: truth.instances.length,
    images: new Set(truth.instances.map(({ image }) => image)).size,
    bySource: countBySource(truth),
    dropped: truth.dropped,
    batch: (step) => renderer.render(plan(step)),
    close: () => { cache.clear(); return Promise.resolve(); },
  };
}

/** Reads, filters and cuts to the subset. @throws as `openTrainingSet` */
export async function openTruth(options: TruthOptions, onInstance?: Parameters<typeof readTruthSet>[1]["onInstance"]): Promise<TruthSet> {
  const dataset = await openDataset({ boxes: options.boxes, images: options.images });
  try {
    const categories = selectCategories(dataset.categories, options.categories ?? []);
    const filter = { ...DEFAULT_RING_FILTER, ...DEFAULT_SEQUENCE_LIMITS, ...options.filter, ...(categories !== undefined && { categories }) };
    const truth = await readTruthSet(dataset, {
      filter, context: PLAIN_CONTEXT, sourceField: options.sourceField ?? "source", ...(onInstance !== undefined && { onInstance }),
    });
    checkPresence(truth, options.boxes, dataset.categories.filter(({ id }) => categories?.has(id) === true));
    return options.maxInstances === undefined ? truth : selectSubset(truth, options.maxInstances, options.seed);
  } finally {
    await dataset.close();
  }
}

function checkPresence({ instances, dropped }: TruthSet, boxes: string, wanted: readonly Category[]): void {
  const why = [...dropped].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${reason} ${count}`).join(", ");
  if (instances.length === 0) {
    throw invalidData(`${boxes}: expected instances with an outline to learn from, received none${why === "" ? "" : ` (left out: ${why})`}`,
      "Check the segmentations of the file, the image folder, and the limits of area and share.");
  }
  const present = new Set(instances.map(({ categoryId }) => categoryId));
  const absent = wanted.filter(({ id }) => !present.has(id)).map(({ name }) => receivedOf(name));
  if (absent.length > 0) {
    throw invalidData(`${boxes}: expected instances of every category asked for, received none of ${absent.join(", ")}${why === "" ? "" : ` (left out: ${why})`}`,
      "Leave the category out, or add data that has it.");
  }
}
