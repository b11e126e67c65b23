/**
 * Which part of a data set this machine works on: "3/16", or the job's number from the variables of its job system. The
 * data set is cut by images, on all machines alike, from nothing but the box file:
 *
 *     images are sorted by the SHA-256 of their file name (UTF-8, as in the box file); equal ones stay in input order;
 *     the image of rank r, from 0, of M lies in shard floor(r * N / M) + 1
 *
 * Sorting by a hash mixes folders and cameras, and cutting by rank makes sizes differ by one image at most. The
 * remainder of the hash would leave some shards much larger than others. All boxes of an image stay together.
 *
 * Shards count from 1, as test runners and GitLab do; Kubernetes counts jobs from 0, Slurm from where the user says.
 */
import { createHash } from "node:crypto";
import type { Dataset, ImageGroup, WalkedParts } from "../dataset/dataset.js";
import { receivedOf, usageError } from "../errors.js";
import type { Shard } from "../runs/identity.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** More is a typing error: a shard of the largest data sets would hold a handful of images. */
const MOST_SHARDS = 100_000;

/**
 * @param text "3/16" or "auto"
 * @param env  environment of the process, read for "auto" only
 * @throws E_USAGE saying what was expected and, for "auto", which variables were looked for
 */
export function parseShard(text: string, env: Environment): Shard {
  if (text === "auto") return shardOfJob(env);
  const [, index, count] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  if (index === undefined || count === undefined) {
    throw usageError(
      `--shard: expected I/N such as 3/16, or auto, but received ${receivedOf(text)}`,
      "Count from 1: the shards of four machines are 1/4, 2/4, 3/4 and 4/4.",
    );
  }
  return checked(Number(index), Number(count), `--shard ${text}`);
}

interface JobSystem {
  readonly name: string;
  /** Its variable that numbers the job; the others are needed beside it. */
  readonly marker: string;
  readonly others: readonly string[];
  /** What the user does where the others are missing. */
  readonly advice: string;
  read(numbers: Readonly<Record<string, number>>): Shard;
}

const JOB_SYSTEMS: readonly JobSystem[] = [
  {
    name: "Kubernetes indexed job",
    marker: "JOB_COMPLETION_INDEX",
    others: ["JOB_COMPLETIONS"],
    advice:
      "Kubernetes sets only the index: " +
      "add an env entry JOB_COMPLETIONS with the value of spec.completions to the container.",
    read: (n) => ({ index: n["JOB_COMPLETION_INDEX"]! + 1, count: n["JOB_COMPLETIONS"]! }),
  },
  {
    name: "Slurm job array",
    marker: "SLURM_ARRAY_TASK_ID",
    others: ["SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"],
    advice: "Number the tasks of the array one after the other, for example with --array=0-15.",
    read: (n) => ({
      index: n["SLURM_ARRAY_TASK_ID"]! - n["SLURM_ARRAY_TASK_MIN"]! + 1,
      count: n["SLURM_ARRAY_TASK_COUNT"]!,
    }),
  },
  {
    name: "GitLab parallel job",
    marker: "CI_NODE_INDEX",
    others: ["CI_NODE_TOTAL"],
    advice: 'Write "parallel: 16" in the job of .gitlab-ci.yml.',
    read: (n) => ({ index: n["CI_NODE_INDEX"]!, count: n["CI_NODE_TOTAL"]! }),
  },
];

function shardOfJob(env: Environment): Shard {
  const found = JOB_SYSTEMS.filter(({ marker }) => isSet(env[marker]));
  const [system, another] = found;
  if (system === undefined) {
    const looked = JOB_SYSTEMS.map(({ name, marker, others }) => `${[marker, ...others].join(" and ")} (${name})`).join(
      "; ",
    );
    throw usageError(
      `--shard auto: expected a job that numbers its parts, but none of these variables is set: ${looked}`,
      "Say which part with --shard I/N, for example 3/16.",
    );
  }
  if (another !== undefined) {
    throw usageError(
      `--shard auto: expected one job system, but both ${system.marker} (${system.name}) ` +
        `and ${another.marker} (${another.name}) are set`,
      "Say which part with --shard I/N.",
    );
  }
  const numbers = Object.fromEntries(
    [system.marker, ...system.others].map((name) => [name, numberOf(system, name, env[name])]),
  );
  const { index, count } = system.read(numbers);
  return checked(
    index,
    count,
    `--shard auto, ${Object.entries(numbers)
      .map(([name, value]) => `${name}=${value}`)
      .join(" ")}`,
    system.advice,
  );
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}

function numberOf({ name: system, advice }: JobSystem, name: string, value: string | undefined): number {
  if (isSet(value) && /^\d{1,9}$/.test(value)) return Number(value);
  const received = isSet(value) ? receivedOf(value) : "nothing";
  throw usageError(`--shard auto (${system}): expected a whole number in ${name} but received ${received}`, advice);
}

function checked(
  index: number,
  count: number,
  where: string,
  advice = "Count from 1: the shards of four machines are 1/4, 2/4, 3/4 and 4/4.",
): Shard {
  if (count < 1 || count > MOST_SHARDS)
    throw usageError(`${where}: expected 1 to ${MOST_SHARDS} shards but received ${count}`, advice);
  if (index < 1 || index > count)
    throw usageError(`${where}: expected a shard from 1 to ${count} but received ${index}`, advice);
  return { index, count };
}

/** The images and annotations of one shard. */
export interface ShardSize {
  readonly images: number;
  readonly annotations: number;
}

/** A data set of which `groups()` gives the shard's images only; counts, ordinals and hash stay those of the whole. */
export interface ShardedDataset extends Dataset {
  readonly shardSize: ShardSize;
}

/** Leading hex digits of the hash, as many as a double holds exactly. */
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
  for await (const { image, entries } of dataset.groups("boxes")) {
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
    groups: (parts) => groupsWhere(dataset, (position) => shards[position] === index, parts),
    imageKey: (fileName) => dataset.imageKey(fileName),
    close: () => dataset.close(),
  };
}

async function* groupsWhere(
  dataset: Dataset,
  isOwn: (position: number) => boolean,
  parts?: WalkedParts,
): AsyncGenerator<ImageGroup> {
  let position = 0;
  for await (const group of dataset.groups(parts)) if (isOwn(position++)) yield group;
}
