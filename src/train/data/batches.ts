/**
 * Batches for training, in three steps: which instances come next, which samples make a batch, and their pixels.
 *
 * A batch costs as many decoder steps as its longest ring has vertices. So six batches are sampled together, sorted by
 * ring length, cut, and used in shuffled order; this alone about halves the time of training.
 *
 * An image whose header was sound can still be damaged further on. Its samples are replaced by others of the same batch
 * and it is reported: one file does not end a run of many hours, and a resumed run sees the same batches.
 */
import { CHANNELS, CROP_BYTES } from "../../crop/crop.js";
import { Gate } from "../../crop/gate.js";
import type { ImageCache } from "../../crop/image-cache.js";
import type { DecodedImage } from "../../crop/open-image.js";
import type { TrainingBatch } from "../../engine/trainer.js";
import { invalidData, receivedOf, usageError } from "../../errors.js";
import { CELL_COUNT, cellToIndex, EOS, FINE_COUNT } from "../../geometry/grid.js";
import type { Random } from "../../random.js";
import { createRandom } from "../../random.js";
import type { GridCell, Ring } from "../../types.js";
import type { PlannedSample } from "./sample.js";
import { outlineInCrop, renderSample } from "./sample.js";
import { targetFineMask, targetMaps } from "./targets.js";
import type { TruthSet } from "./truth.js";
import { unpackRing } from "./truth.js";

/** Positions of instances, 0..instances - 1, all on one image. */
export type PickInstances = (random: Random) => readonly number[];

type PickInstance = (random: Random) => number;

/**
 * Chooses a source by its weight, then any of its instances, then others on the same image.
 * @param weights by source, relative to each other; absent: every instance is as likely as any other
 * @param perImage instances sampled together from one image, at most as many as it has; a whole number of 1 or more
 * @throws E_USAGE for a negative weight, a source that has none or does not exist, or when all weights are 0
 */
export function sourceSampler(
  truth: Pick<TruthSet, "instances" | "sources">,
  weights: ReadonlyMap<string, number> | undefined,
  perImage: number,
): PickInstances {
  const first = firstSampler(truth, weights);
  if (perImage === 1) return (random) => [first(random)];
  const byImage = new Map<number, number[]>();
  truth.instances.forEach(({ image }, i) => {
    const known = byImage.get(image);
    if (known === undefined) byImage.set(image, [i]);
    else known.push(i);
  });
  return (random) => {
    const chosen = first(random);
    const others = byImage.get(truth.instances[chosen]!.image)!.filter((i) => i !== chosen);
    return [chosen, ...random.shuffle(others).slice(0, perImage - 1)];
  };
}

function firstSampler(
  { instances, sources }: Pick<TruthSet, "instances" | "sources">,
  weights: ReadonlyMap<string, number> | undefined,
): PickInstance {
  if (weights === undefined) return (random) => random.integer(instances.length);
  checkNames(sources, weights);
  const groups = sources
    .map((name, source) => {
      const members = Uint32Array.from([...instances.keys()].filter((i) => instances[i]!.source === source));
      return { members, weight: weights.get(name)! };
    })
    .filter(({ members, weight }) => members.length > 0 && weight > 0);
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  const last = groups.at(-1);
  if (last === undefined) {
    throw usageError(
      "source weights: expected at least one above 0 for a source with instances, received none",
      "Give a source with instances a weight.",
    );
  }
  return (random) => {
    let rest = random.next() * total;
    const { members } = groups.find(({ weight }) => (rest -= weight) < 0) ?? last;
    return members[random.integer(members.length)]!;
  };
}

function checkNames(sources: readonly string[], weights: ReadonlyMap<string, number>): void {
  const shown = sources.map(receivedOf).join(", ");
  for (const [name, weight] of weights) {
    if (!sources.includes(name))
      throw usageError(
        `source weights: expected names of sources (${shown}), received ${receivedOf(name)}`,
        "Correct the name, or leave it out.",
      );
    if (!(Number.isFinite(weight) && weight >= 0))
      throw usageError(
        `source weights: expected a number of 0 or more for ${receivedOf(name)}, received ${weight}`,
        "Weights are relative to each other: 2 is sampled twice as often as 1.",
      );
  }
  const without = sources.filter((name) => !weights.has(name));
  if (without.length > 0)
    throw usageError(
      `source weights: expected one for every source, received none for ${without.map(receivedOf).join(", ")}`,
      "Name it too; with weight 0 it is not sampled from.",
    );
}

/** Batches that are sampled together. */
export const BATCHES_PER_GROUP = 6;
/** Groups kept: the one in use, and the next one, which begins before the first is used up. */
const GROUPS_HELD = 2;

/** At least one sample; several when they share an image. */
export type SampleInstances = (random: Random) => readonly PlannedSample[];

/** @returns the samples of a step (0-based), the same whenever and in whatever order steps are asked for */
export function batchPlanner(
  sample: SampleInstances,
  batchSize: number,
  seed: number | string,
): (step: number) => readonly PlannedSample[] {
  const held = new Map<number, readonly (readonly PlannedSample[])[]>();
  return (step) => {
    const number = Math.floor(step / BATCHES_PER_GROUP);
    let group = held.get(number);
    if (group === undefined) {
      group = sampleGroup(sample, batchSize, createRandom(seed).fork(`batches ${number}`));
      held.set(number, group);
      if (held.size > GROUPS_HELD) held.delete(held.keys().next().value!);
    }
    return group[step % BATCHES_PER_GROUP]!;
  };
}

function sampleGroup(sample: SampleInstances, batchSize: number, random: Random): (readonly PlannedSample[])[] {
  const samples: PlannedSample[] = [];
  for (let i = 0; samples.length < batchSize * BATCHES_PER_GROUP; i++) samples.push(...sample(random.fork(i)));
  samples.length = batchSize * BATCHES_PER_GROUP;
  samples.sort((a, b) => a.cells.length - b.cells.length);
  const batches = Array.from({ length: BATCHES_PER_GROUP }, (_, i) =>
    samples.slice(i * batchSize, (i + 1) * batchSize),
  );
  return random.shuffle(batches);
}

/** Bytes of images being decoded or cut, beside those in the cache; a larger image waits until it can be alone. */
const MAX_BYTES_IN_WORK = 128 * 2 ** 20;

/** Called once per image that cannot be decoded. */
export type OnDamaged = (image: number, message: string) => void;

/** Decodes images and cuts windows. Memory is bounded by the cache and by what is in work. */
export class BatchRenderer {
  private readonly inWork = new Gate(MAX_BYTES_IN_WORK);
  private readonly damaged = new Set<number>();

  constructor(
    private readonly truth: TruthSet,
    private readonly images: ImageCache,
    private readonly onDamaged: OnDamaged,
  ) {}

  /** @throws E_DATA when not one image of the batch can be decoded */
  async render(samples: readonly PlannedSample[]): Promise<TrainingBatch> {
    const crops = new Uint8Array(samples.length * CROP_BYTES);
    const problems = await Promise.all(
      samples.map((sample, i) => this.renderInto(crops.subarray(i * CROP_BYTES, (i + 1) * CROP_BYTES), sample)),
    );
    const good = [...samples.keys()].filter((i) => problems[i] === undefined);
    if (good.length === 0)
      throw invalidData(
        `training: expected images that can be decoded, received none in a whole batch; the first: ${problems[0]!}`,
        "Check the image folder.",
      );
    const taught = samples.map((sample, i) => {
      if (problems[i] === undefined) return sample;
      const other = good.find((row) => row > i) ?? good[0]!;
      crops.copyWithin(i * CROP_BYTES, other * CROP_BYTES, (other + 1) * CROP_BYTES);
      return samples[other]!;
    });
    const outlines = taught.map((sample) =>
      outlineInCrop(sample, unpackRing(this.truth.instances[sample.instance]!.points)),
    );
    return packBatch(
      crops,
      taught.map(({ cells }, i) => ({ cells, outline: outlines[i]! })),
    );
  }

  /** @returns undefined, or why there are no pixels */
  private async renderInto(target: Uint8Array, sample: PlannedSample): Promise<string | undefined> {
    const { image, points } = this.truth.instances[sample.instance]!;
    const numbers = sample.background === undefined ? [image] : [image, sample.background.image];
    const bytes = numbers.reduce((sum, number) => sum + this.bytesOf(number), 0);
    await this.inWork.enter(bytes);
    try {
      const [own, under] = await Promise.all(numbers.map((number) => this.decode(number)));
      if (typeof own === "string") return own;
      if (typeof under === "string") return under;
      target.set(await renderSample(sample, unpackRing(points), own!, under));
      return undefined;
    } finally {
      this.inWork.leave(bytes);
    }
  }

  private bytesOf(image: number): number {
    const { width, height } = this.truth.images[image]!.opened;
    return width * height * CHANNELS;
  }

  private async decode(image: number): Promise<DecodedImage | string> {
    const decoded = await this.images.get(this.truth.images[image]!.opened);
    if (decoded.kind === "decoded") return decoded.image;
    this.noteDamaged(image, decoded.failure.message);
    return decoded.failure.message;
  }

  private noteDamaged(image: number, message: string): void {
    if (this.damaged.has(image)) return;
    this.damaged.add(image);
    this.onDamaged(image, message);
  }
}

/** What one crop is taught. */
export interface TaughtRing {
  /** At least one. */
  readonly cells: readonly GridCell[];
  /** The truth in the crop, 0..1 both ways. */
  readonly outline: Ring;
}

/**
 * The arrays a trainer takes.
 * @param crops [B, 224, 224, 3]; becomes the batch's own
 */
export function packBatch(crops: Uint8Array, taught: readonly TaughtRing[]): TrainingBatch {
  const size = taught.length;
  const steps = Math.max(...taught.map((ring) => ring.cells.length));
  const cells = new Int32Array(size * (steps + 1)).fill(EOS);
  const edge = new Uint8Array(size * CELL_COUNT);
  const mask = new Float32Array(size * CELL_COUNT);
  const fineMask = new Float32Array(size * FINE_COUNT);
  taught.forEach((ring, i) => {
    cells.set(ring.cells.map(cellToIndex), i * (steps + 1));
    const maps = targetMaps(ring.cells);
    edge.set(maps.edge, i * CELL_COUNT);
    mask.set(maps.mask, i * CELL_COUNT);
    fineMask.set(targetFineMask(ring.outline), i * FINE_COUNT);
  });
  return { size, steps, crops, cells, edge, mask, fineMask };
}
