/**
 * The pixels of a batch: images decoded (or remembered), windows cut. Memory is bounded by the cache and by what is in work.
 *
 * An image whose header was fine can still be damaged further on. Its samples are replaced by others of the same batch, and it is
 * counted: a run of many hours does not end for one file, and sees the same batches when it is resumed.
 */
import { CROP_BYTES } from "../crop/crop.js";
import { Gate } from "../crop/gate.js";
import type { ImageCache } from "../crop/image-cache.js";
import { CHANNELS, type DecodedImage } from "../crop/open-image.js";
import { invalidData } from "../errors.js";
import type { TrainingBatch } from "../runtime/training-batch.js";
import { packBatch } from "./pack-batch.js";
import type { PlannedSample } from "./plan-sample.js";
import { renderSample } from "./render-sample.js";
import { unpackRing, type TruthSet } from "./truth-instance.js";

/** Bytes of images in work beside those in the cache; a single image above it is worked on alone. */
const MAX_BYTES_IN_WORK = 128 * 2 ** 20;

/** Told once per image that cannot be decoded. */
export type OnDamaged = (image: number, message: string) => void;

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
    const rings = samples.map(({ cells }, i) => {
      if (problems[i] === undefined) return cells;
      const other = good.find((row) => row > i) ?? good[0]!;
      crops.copyWithin(i * CROP_BYTES, other * CROP_BYTES, (other + 1) * CROP_BYTES);
      return samples[other]!.cells;
    });
    return packBatch(crops, rings);
  }

  /** @returns why there are no pixels; undefined when there are */
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
