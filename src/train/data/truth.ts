/**
 * What training learns from: annotations with one outline each, small in memory, and the images they lie on. The
 * network predicts one outline. Instances in several parts, with large holes, or too small for the grid would teach it
 * something wrong; they are left out, with the reason.
 */
import type { OpenedImage } from "../../crop/open-image.js";
import { usageError } from "../../errors.js";
import { signedArea } from "../../geometry/ring.js";
import { traceMask } from "../../geometry/trace-mask.js";
import { createRandom } from "../../random.js";
import type { Box, Id, Instance, Ring } from "../../types.js";
import type { RingFilter } from "../options.js";

/** An image with at least one instance to learn from. */
export interface TrainingImage {
  /** As the annotation file names it. */
  readonly fileName: string;
  readonly opened: OpenedImage;
  /** Real path of the folder that the file must still lie in when it is opened again. */
  readonly root?: string;
}

export interface TruthInstance {
  /** Position of the annotation in its file, from 0. */
  readonly ordinal: number;
  readonly annotationId: Id;
  readonly categoryId: Id;
  /** Position in `TruthSet.images`. */
  readonly image: number;
  /** Position in `TruthSet.sources`. */
  readonly source: number;
  /** The part of the annotation's box that lies on the image; image pixels. */
  readonly box: Box;
  /** x1, y1, x2, y2, ... of the largest ring, image pixels: a tenth of the memory a list of points takes. */
  readonly points: Float32Array;
}

/** Everything that was kept of a data set, and how many annotations were left out, by reason. */
export interface TruthSet {
  readonly instances: readonly TruthInstance[];
  readonly images: readonly TrainingImage[];
  /** Names of the sources in order of first appearance. */
  readonly sources: readonly string[];
  readonly dropped: Map<string, number>;
}

/** @returns the ring with its coordinates in 32 bits: one part in 16 million, far below a hundredth of a pixel */
export function packRing(ring: Ring): Float32Array {
  return Float32Array.from(ring.flatMap(({ x, y }) => [x, y]));
}

/** The inverse of `packRing`. */
export function unpackRing(points: Float32Array): Ring {
  return Array.from({ length: points.length / 2 }, (_, i) => ({ x: points[2 * i]!, y: points[2 * i + 1]! }));
}

/** Instances by the name of their source, in order of first appearance; sources without one are left out. */
export function countBySource({ instances, sources }: Pick<TruthSet, "instances" | "sources">): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { source } of instances) counts.set(sources[source]!, (counts.get(sources[source]!) ?? 0) + 1);
  return counts;
}

export type RingReason = "no-polygon" | "truth-invalid" | "several-parts" | "too-small";

/** Beyond this a coordinate cannot be a pixel; the limit of the COCO rasterizer. */
const MAX_COORDINATE = 4e8;

/**
 * @returns the largest ring of the instance's truth, as the file has it or traced around its mask, or why there is none
 */
export function pickRing(instance: Instance, filter: RingFilter): Ring | RingReason {
  const { truth } = instance;
  if (instance.truthProblem !== undefined) return "truth-invalid";
  if (truth === undefined) return "no-polygon";
  const rings = truth.kind === "polygon" ? truth.polygon : traceMask(truth.rle);
  if (rings.some((ring) => ring.some(({ x, y }) => !(Math.abs(x) <= MAX_COORDINATE && Math.abs(y) <= MAX_COORDINATE))))
    return "truth-invalid";
  const areas = rings.map((ring) => Math.abs(signedArea(ring)));
  const total = areas.reduce((sum, area) => sum + area, 0);
  const largest = areas.reduce((best, area, i) => (area > areas[best]! ? i : best), 0);
  const ring = rings[largest];
  if (ring === undefined || total === 0) return "no-polygon";
  if (total < filter.minAreaPx) return "too-small";
  if (areas[largest]! < filter.minLargestShare * total) return "several-parts";
  return ring;
}

/**
 * A seeded part of the instances, for learning curves. Parts are nested: more data means the same data and more.
 * @param most instances to keep; a whole number of 1 or more
 * @returns the set with the first `most` of its instances in shuffled order, in input order again; images and sources
 *   keep their numbers
 * @throws E_USAGE when `most` is no such number
 */
export function selectSubset(set: TruthSet, most: number, seed: number | string): TruthSet {
  if (!Number.isSafeInteger(most) || most < 1)
    throw usageError(
      `instances: expected a whole number of 1 or more, received ${most}`,
      "Leave it out to train on all.",
    );
  if (most >= set.instances.length) return set;
  const chosen = createRandom(seed)
    .fork("subset")
    .shuffle([...set.instances.keys()])
    .slice(0, most)
    .sort((a, b) => a - b);
  return { ...set, instances: chosen.map((i) => set.instances[i]!) };
}
