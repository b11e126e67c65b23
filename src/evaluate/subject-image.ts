/** One image of the truth, made ready for the methods: which annotations are evaluated, with which mask, and which are not and why. */
import type { ImageGroup } from "../dataset/dataset.js";
import type { Id, Instance, JsonObject, Rle } from "../types.js";
import { sizeOfImage } from "./image-size.js";
import type { SubjectImage } from "./method.js";
import { exclusionOf, prepareTruth, type Exclusion } from "./prepare-truth.js";
import type { Rasterizer } from "./report-types.js";

export interface TruthSettings {
  /** The truth's file or folder, for messages. */
  readonly truth: string;
  /** Whether the images were looked for. */
  readonly hasImages: boolean;
  readonly rasterizer: Rasterizer;
  /** Pixels. */
  readonly minArea: number;
  /** By ordinal: instances that are evaluated; all when absent. */
  readonly only?: (ordinal: number) => boolean;
}

export interface ExcludedTruth extends Exclusion {
  readonly annotationId: Id;
}

export interface PreparedImage {
  readonly subject: SubjectImage;
  /** By position in `subject.instances`. */
  readonly truths: readonly Rle[];
  readonly excluded: readonly ExcludedTruth[];
}

/** Gives the same answer whenever it is called. @throws E_DATA when the image's size is needed and cannot be known */
export async function prepareImage(group: ImageGroup, settings: TruthSettings): Promise<PreparedImage> {
  const { image, location, entries } = group;
  const excluded: ExcludedTruth[] = [];
  const crowds: JsonObject[] = [];
  const candidates: Instance[] = [];
  for (const entry of entries) {
    if (entry.kind === "instance") {
      if (settings.only?.(entry.instance.ordinal) === false)
        excluded.push({ annotationId: entry.instance.annotationId, reason: "not-asked" });
      else candidates.push(entry.instance);
      continue;
    }
    excluded.push({ annotationId: entry.annotationId, ...exclusionOf(entry) });
    if (entry.kind === "skipped" && entry.reason === "crowd") crowds.push(entry.raw);
  }

  const instances: Instance[] = [];
  const truths: Rle[] = [];
  const sized = candidates.length === 0 ? undefined : await sizeOfImage(group, settings.truth, settings.hasImages);
  for (const instance of candidates) {
    const prepared =
      sized?.kind === "size"
        ? prepareTruth(instance, sized.size, settings.rasterizer, settings.minArea)
        : { ...sized!, kind: "excluded" as const };
    if (prepared.kind === "mask") {
      instances.push(instance);
      truths.push(prepared.mask);
    } else {
      const { reason, message } = prepared;
      excluded.push({ annotationId: instance.annotationId, reason, ...(message !== undefined && { message }) });
    }
  }
  const size = sized?.kind === "size" ? sized.size : { width: image.width ?? 0, height: image.height ?? 0 };
  const excludedIds = new Set(excluded.map(({ annotationId }) => annotationId));
  return {
    subject: { image, location, width: size.width, height: size.height, instances, excludedIds, crowds },
    truths,
    excluded,
  };
}
