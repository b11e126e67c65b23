/** What training learns from: one annotation with one outline, small in memory, and the image it lies on. */
import type { OpenedImage } from "../crop/open-image.js";
import type { Box, Id, Ring } from "../types.js";

/** An image with at least one instance to learn from. */
export interface TrainingImage {
  /** As the annotation file names it. */
  readonly fileName: string;
  readonly opened: OpenedImage;
  /** Folder without links that the file must still lie in when it is opened again. */
  readonly root?: string;
}

export interface TruthInstance {
  /** Position of the annotation in its file, from 0. */
  readonly ordinal: number;
  readonly annotationId: Id;
  readonly categoryId: Id;
  /** Position in `TruthSet.images`; likewise `source`. */
  readonly image: number;
  readonly source: number;
  /** The part of the annotation's box that lies on the image; image pixels. */
  readonly box: Box;
  /** x1, y1, x2, y2, ... of the largest ring, image pixels: a tenth of the memory a list of points takes. */
  readonly points: Float32Array;
}

/** Everything that was kept of a data set, and how many annotations were not, by reason. */
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
