/** What a model is judged on while it trains: the truth's instances in plain crops, in input order, read anew at every validation. */
import type { CropResult } from "../crop/crop.js";
import { readCrops, type CropSource } from "../crop/read-crops.js";
import type { Instance } from "../types.js";
import type { ImageFile } from "./overlap.js";
import { PLAIN_CONTEXT, openTruth, type TruthOptions } from "./open-truth.js";
import { countBySource } from "./truth-instance.js";

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
   * Context 0.15, no augmentation; `crop.instance` has `truth` as the file gives it (all rings) and an empty `raw`. An image that cannot
   * be decoded fails its instances.
   */
  crops(): AsyncGenerator<CropResult, void, undefined>;
  /** Source of an instance of this set. @throws RangeError for another ordinal */
  sourceOf(ordinal: number): string;
}

/**
 * Limits of sequences do not apply: a ring that cannot be taught is still one that the model is asked to draw.
 * @throws E_MISSING, E_DATA and E_USAGE as `openTrainingSet`
 */
export async function openValidationSet(options: TruthOptions): Promise<ValidationSet> {
  const kept = new Map<number, Instance>();
  // Without the record: its segmentation is in `truth` already, and would double the memory.
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
