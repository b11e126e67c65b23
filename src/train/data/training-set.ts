/**
 * The data side of training: truth in, batches out. Truth is read once and kept small; pixels are read again for every
 * batch. Follows Castrejon et al., CVPR 2017: square crops with context, constant orientation, random first vertex.
 * Batches have rings of similar lengths.
 */
import { ImageCache } from "../../crop/image-cache.js";
import { prepareImageLibrary } from "../../crop/open-image.js";
import type { TrainingBatch } from "../../engine/trainer.js";
import { usageError } from "../../errors.js";
import type { TrainingData } from "../options.js";
import { DEFAULT_SEQUENCE_LIMITS } from "../options.js";
import { checkAugmentation, DEFAULT_AUGMENTATION } from "./augmentation.js";
import { batchPlanner, BatchRenderer, sourceSampler } from "./batches.js";
import type { OpenTruthOptions } from "./open-truth.js";
import { openTruth, PLAIN_CONTEXT } from "./open-truth.js";
import type { ImageFile } from "./overlap.js";
import { planSample } from "./sample.js";
import { countBySource } from "./truth.js";

export interface TrainingSetOptions extends OpenTruthOptions, Omit<TrainingData, "sourceWeights"> {
  readonly batchSize: number;
  /** By source, relative to each other; absent: every instance is as likely as any other. */
  readonly sourceWeights?: ReadonlyMap<string, number>;
  /** Called once per image whose pixels turn out to be damaged; `dropped` counts it from then on. */
  readonly onDamaged?: (fileName: string, message: string) => void;
}

export interface TrainingSet {
  readonly instances: number;
  readonly images: number;
  /** Of everything the annotations were read from, so that a resumed run knows whether they are the same. */
  readonly sha256: string;
  /** The images with at least one instance. */
  readonly files: readonly ImageFile[];
  readonly bySource: ReadonlyMap<string, number>;
  /** Reason -> annotations left out. "image-unreadable" is added when damaged pixels are found. */
  readonly dropped: ReadonlyMap<string, number>;
  /**
   * The batch of one step (0-based): a pure function of data, options, seed and step. Steps may be asked for in any
   * order, several at once. The arrays belong to the caller.
   * @throws E_DATA when not one image of the batch can be decoded
   */
  batch(step: number): Promise<TrainingBatch>;
  /** Frees the images in memory. */
  close(): Promise<void>;
}

const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;

/**
 * @throws E_MISSING, E_DATA and E_USAGE: data that cannot be read, categories that never appear, options out of range
 */
export async function openTrainingSet(options: TrainingSetOptions): Promise<TrainingSet> {
  const { batchSize, seed } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 4096)
    throw usageError(
      `batch size: expected a whole number from 1 to 4096, received ${batchSize}`,
      "16 is a good start on a CPU.",
    );
  const { perImage = 1 } = options;
  if (!Number.isInteger(perImage) || perImage < 1 || perImage > 64)
    throw usageError(
      `instances per image: expected a whole number from 1 to 64, received ${perImage}`,
      "1 is best unless images are large.",
    );
  const augmentation = checkAugmentation({ ...DEFAULT_AUGMENTATION, ...options.augmentation });
  prepareImageLibrary();
  const limits = { ...DEFAULT_SEQUENCE_LIMITS, ...options.filter };
  const truth = await openTruth(options, { taughtIn: PLAIN_CONTEXT });
  const rules = { limits, augmentation, plainContext: PLAIN_CONTEXT };
  const sample = sourceSampler(truth, options.sourceWeights, perImage);
  const plan = batchPlanner(
    (random) => sample(random).map((instance, i) => planSample(truth, instance, rules, random.fork(i))),
    batchSize,
    seed,
  );
  const cache = new ImageCache(options.cacheBytes ?? DEFAULT_CACHE_BYTES);
  const renderer = new BatchRenderer(truth, cache, (image, message) => {
    const lost = truth.instances.filter((instance) => instance.image === image).length;
    truth.dropped.set("image-unreadable", (truth.dropped.get("image-unreadable") ?? 0) + lost);
    options.onDamaged?.(truth.images[image]!.fileName, message);
  });
  const files = [...new Set(truth.instances.map(({ image }) => image))]
    .map((image) => truth.images[image]!)
    .map(({ fileName, opened }) => ({ fileName, path: opened.path }));
  return {
    instances: truth.instances.length,
    images: files.length,
    sha256: truth.sha256,
    files,
    bySource: countBySource(truth),
    dropped: truth.dropped,
    batch: (step) => renderer.render(plan(step)),
    close: () => {
      cache.clear();
      return Promise.resolve();
    },
  };
}
