/**
 * Cuts a data set by images for --shard. All machines cut alike, from nothing but the box file:
 *
 *     images are sorted by the SHA-256 of their file name (UTF-8, as the box file has it; equal ones stay in input order);
 *     the image of rank r, from 0, of M lies in shard floor(r * N / M) + 1
 *
 * Sorting by a hash mixes folders and cameras, and cutting by rank makes sizes differ by one image at most; the remainder of the hash
 * would leave shards a quarter larger than others at 1,000 images and 16 shards. All boxes of an image stay together.
 */
import { createHash } from "node:crypto";
import type { Dataset, ImageGroup } from "../dataset/dataset.js";
import type { Shard } from "./shard.js";

/** The images and annotations of one shard. */
export interface ShardSize {
  readonly images: number;
  readonly annotations: number;
}

/** A data set of which `groups()` gives the shard's images only; counts, ordinals and hash stay those of the whole. */
export interface ShardedDataset extends Dataset {
  readonly shardSize: ShardSize;
}

/** Leading hex digits of the hash: as many as a number holds exactly. */
const KEY_DIGITS = 13;

/** @param names file names in input order. @returns for each its shard, from 1 */
export function shardsOf(names: readonly string[], count: number): Uint32Array {
  const keys = Float64Array.from(names, (name) =>
    parseInt(createHash("sha256").update(name).digest("hex").slice(0, KEY_DIGITS), 16),
  );
  const order = Uint32Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
  const shards = new Uint32Array(names.length);
  order.forEach((position, rank) => {
    shards[position] = Math.floor((rank * count) / names.length) + 1;
  });
  return shards;
}

/** Walks the data set once more than the run does. */
export async function cutShard(dataset: Dataset, { index, count }: Shard): Promise<ShardedDataset> {
  const names: string[] = [];
  const sizes: number[] = [];
  for await (const { image, entries } of dataset.groups()) {
    names.push(image.fileName);
    sizes.push(entries.length);
  }
  const shards = shardsOf(names, count);
  const own = sizes.filter((_, position) => shards[position] === index);
  const { format, source, categories, header, imageCount, annotationCount, sha256 } = dataset;
  return {
    format,
    source,
    categories,
    header,
    imageCount,
    annotationCount,
    sha256,
    shardSize: { images: own.length, annotations: own.reduce((sum, size) => sum + size, 0) },
    groups: () => groupsWhere(dataset, (position) => shards[position] === index),
    close: () => dataset.close(),
  };
}

async function* groupsWhere(dataset: Dataset, isOwn: (position: number) => boolean): AsyncGenerator<ImageGroup> {
  let position = 0;
  for await (const group of dataset.groups()) if (isOwn(position++)) yield group;
}
