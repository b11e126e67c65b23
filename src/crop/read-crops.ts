/**
 * Images and boxes in, crops out, in the order of the input and with bounded memory. An image is decoded once for all
 * its boxes. Images and crops are made ahead while the consumer computes, never more than the stated numbers of them.
 *
 * One walk in the background opens images and queues a promise per instance, and four gates hold it back. The consumer
 * takes from the queue.
 */
import { clipBox, squareWindow } from "../geometry/box.js";
import { CROP_SIZE } from "../geometry/grid.js";
import type { Failure, ImageRecord, Instance } from "../types.js";
import type { Crop, CropResult } from "./crop.js";
import { CHANNELS } from "./crop.js";
import { Gate } from "./gate.js";
import type { DecodedImage, OpenedImage, OpenResult } from "./open-image.js";
import { decodeImage, openImage, prepareImageLibrary } from "./open-image.js";
import { resampleWindow } from "./resample-window.js";

/** One image with its boxes. */
export interface CropSource {
  readonly image: Pick<ImageRecord, "width" | "height">;
  readonly location:
    | {
        readonly kind: "file";
        readonly path: string;
        /** Folder the file must still lie in when it is opened. */
        readonly root?: string;
      }
    | { readonly kind: "failed"; readonly failure: Failure };
  readonly instances: readonly Instance[];
}

export interface ReadCropsOptions {
  /** Margin around the box, as a part of its long side: 0.15 for 15 %. */
  readonly context: number;
  /** Decoded images in memory at once. */
  readonly maxDecodedImages?: number;
  /** Bytes of decoded images in memory at once; a single image above this is decoded while no other is held. */
  readonly maxDecodedBytes?: number;
  /** Crops waiting for the consumer; about twice the batch size keeps both sides busy. */
  readonly maxCropsAhead?: number;
  /** Called with the time a piece of work took. Pieces overlap, so that their sum may exceed the wall time. */
  readonly onTime?: (stage: "decode" | "crop", milliseconds: number) => void;
  /** Called whenever what is held in memory changes. */
  readonly onHeld?: (held: HeldInMemory) => void;
  /** Who decodes and cuts: this thread when absent, or threads of their own (crop/cutters.ts). */
  readonly maker?: CropMaker;
}

/** Does the work on images. Where to do it and when is for others to say. */
export interface CropMaker {
  /** Decoded images that keep it busy; 8 are held at least. */
  readonly imagesAtOnce: number;
  /** Windows being cut at once: each may copy 12 MB. */
  readonly cutsAtOnce: number;
  /** As `openImage`. */
  open(path: string, record: CropSource["image"], root: string | undefined): Promise<OpenResult>;
  /** @returns the image, which the caller releases, or `image-unreadable` */
  decode(image: OpenedImage): Promise<HeldImage | FailedImage>;
}

/** A decoded image, wherever it is held. */
export interface HeldImage {
  readonly kind: "held";
  /** As `cutWindow`. */
  cut(instance: CutInstance, context: number): Promise<CutResult>;
  /** Nothing is cut out of it any more. */
  release(): void;
}

export interface FailedImage {
  readonly kind: "failed";
  readonly failure: Failure;
}

/** What cutting needs of an instance. */
export type CutInstance = Pick<Instance, "box" | "annotationId">;
export type CutResult = { readonly kind: "cut"; readonly crop: Omit<Crop, "instance"> } | FailedImage;

export interface HeldInMemory {
  readonly images: number;
  readonly bytes: number;
  readonly crops: number;
}

const DEFAULT_MAX_IMAGES = 8;
const DEFAULT_MAX_BYTES = 256 * 2 ** 20;
const DEFAULT_MAX_CROPS = 64;

/** In this thread: sharp's part is done by libuv's threads: bin/polyrnn.js says how many. */
export const HERE: CropMaker = {
  imagesAtOnce: DEFAULT_MAX_IMAGES,
  cutsAtOnce: 4,
  open: openImage,
  async decode(opened) {
    const result = await decodeImage(opened);
    if (result.kind === "failed") return result;
    const { image } = result;
    return { kind: "held", cut: (instance, context) => cutWindow(image, instance, context), release: () => undefined };
  },
};

/**
 * Yields one result per instance. A failed image fails each of its instances with its reason; an image without
 * instances is not opened. Returning early stops the work behind it.
 * @throws whatever `sources` throws, after the results before it
 */
export async function* readCrops(
  sources: AsyncIterable<CropSource>,
  options: ReadCropsOptions,
): AsyncGenerator<CropResult, void, undefined> {
  prepareImageLibrary();
  const ahead = new CropsAhead(options);
  const walk = ahead.fill(sources);
  walk.catch(() => undefined); // awaited below; until then it must not count as unhandled
  try {
    for (let next = await ahead.take(); next; next = await ahead.take()) yield next;
    await walk;
  } finally {
    await ahead.stop();
    await walk.catch(() => undefined);
  }
}

/**
 * Counts who still works on an image. A list of the crops' promises would keep every crop of the image in memory until
 * the last one is cut: 75 MB at 500 boxes.
 */
class Users {
  private count = 1; // whoever still adds
  private allLeft: () => void = () => undefined;
  /** Resolves when the last one has left. */
  readonly left: Promise<void>;

  /** @param onLeft called once, when the last one has left */
  constructor(onLeft: () => void | Promise<void>) {
    this.left = new Promise<void>((resolve) => {
      this.allLeft = resolve;
    }).then(onLeft);
  }

  /** @returns the same work */
  add<T>(work: Promise<T>): Promise<T> {
    this.count++;
    const leave = (): void => {
      this.leave();
    };
    work.then(leave, leave);
    return work;
  }

  /** One leaves; whoever adds calls it once, after the last. */
  leave(): void {
    if (--this.count === 0) this.allLeft();
  }
}

/** The queue between the walk over the images and the consumer. */
class CropsAhead {
  private readonly images: Gate;
  private readonly bytes: Gate;
  private readonly crops: Gate;
  private readonly cuts: Gate;
  private readonly maker: CropMaker;
  private readonly queue: Promise<CropResult>[] = [];
  private isEnded = false;
  private isStopped = false;
  private wake: () => void = () => undefined;

  constructor(private readonly options: ReadCropsOptions) {
    this.maker = options.maker ?? HERE;
    this.cuts = new Gate(this.maker.cutsAtOnce);
    this.images = new Gate(options.maxDecodedImages ?? Math.max(DEFAULT_MAX_IMAGES, this.maker.imagesAtOnce));
    this.bytes = new Gate(options.maxDecodedBytes ?? DEFAULT_MAX_BYTES);
    this.crops = new Gate(options.maxCropsAhead ?? DEFAULT_MAX_CROPS);
  }

  async fill(sources: AsyncIterable<CropSource>): Promise<void> {
    try {
      for await (const source of sources) {
        if (this.hasStopped()) break;
        if (source.instances.length > 0) await this.fillFromImage(source);
      }
    } finally {
      this.isEnded = true;
      this.wake();
    }
  }

  /** @returns undefined at the end */
  async take(): Promise<CropResult | undefined> {
    while (this.queue.length === 0) {
      if (this.isEnded) return undefined;
      await new Promise<void>((wake) => {
        this.wake = wake;
      });
    }
    const result = await this.queue.shift();
    this.crops.leave(1);
    this.report();
    return result;
  }

  /** Gives up: nothing new is started; resolves when what was in work has ended. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const gate of [this.images, this.bytes, this.crops, this.cuts]) gate.open();
    await Promise.allSettled(this.queue);
  }

  /** A method, because the compiler takes a field that it has seen to be false for false after every wait. */
  private hasStopped(): boolean {
    return this.isStopped;
  }

  private async fillFromImage({ image, location, instances }: CropSource): Promise<void> {
    if (location.kind === "failed") return this.fillWithFailure(instances, location.failure);
    const opened = await this.maker.open(location.path, image, location.root);
    if (opened.kind === "failed") return this.fillWithFailure(instances, opened.failure);
    const size = opened.image.width * opened.image.height * CHANNELS;
    await this.images.enter(1);
    await this.bytes.enter(size);
    this.report();
    if (this.hasStopped()) return;
    // Not awaited: the walk goes on to the next image while this one is decoded and cut.
    const users = new Users(() => {
      this.images.leave(1);
      this.bytes.leave(size);
      this.report();
      return release();
    });
    const decoding = this.decode(opened.image);
    const release = (): Promise<void> => decoding.then(releaseHeld, () => undefined); // the crops tell of the error
    const decoded = users.add(decoding);
    for (const instance of instances) {
      await this.crops.enter(1);
      if (this.hasStopped()) break;
      void users.add(this.put(this.cut(decoded, instance)));
    }
    users.leave();
    if (this.hasStopped()) await users.left;
  }

  private async fillWithFailure(instances: readonly Instance[], failure: Failure): Promise<void> {
    for (const instance of instances) {
      await this.crops.enter(1);
      if (this.hasStopped()) return;
      void this.put(Promise.resolve({ kind: "failed", instance, failure }));
    }
  }

  private put(result: Promise<CropResult>): Promise<CropResult> {
    result.catch(() => undefined); // the consumer meets a rejection when it takes the result
    this.queue.push(result);
    this.report();
    this.wake();
    return result;
  }

  private async decode(image: OpenedImage): Promise<HeldImage | FailedImage> {
    const start = performance.now();
    const result = await this.maker.decode(image);
    this.options.onTime?.("decode", performance.now() - start);
    return result;
  }

  private async cut(decoded: Promise<HeldImage | FailedImage>, instance: Instance): Promise<CropResult> {
    const result = await decoded;
    if (result.kind === "failed") return { kind: "failed", instance, failure: result.failure };
    await this.cuts.enter(1);
    try {
      if (this.hasStopped()) throw new Error("given up: nobody takes this crop");
      const start = performance.now();
      const cut = await result.cut(instance, this.options.context);
      this.options.onTime?.("crop", performance.now() - start);
      return withInstance(cut, instance);
    } finally {
      this.cuts.leave(1);
    }
  }

  private report(): void {
    this.options.onHeld?.({ images: this.images.inside, bytes: this.bytes.inside, crops: this.crops.inside });
  }
}

function releaseHeld(result: HeldImage | FailedImage): void {
  if (result.kind === "held") result.release();
}

function withInstance(cut: CutResult, instance: Instance): CropResult {
  if (cut.kind === "failed") return { kind: "failed", instance, failure: cut.failure };
  return { kind: "crop", crop: { instance, ...cut.crop } };
}

/** `cutWindow` with the instance in its result. */
export async function cutCrop(image: DecodedImage, instance: Instance, context: number): Promise<CropResult> {
  return withInstance(await cutWindow(image, instance, context), instance);
}

/**
 * Cuts the square crop around one box out of a decoded image: the box is clipped and framed (geometry/box.ts), the
 * window resampled. Source of the crop: Castrejon et al., CVPR 2017 (224 x 224, zero outside the image).
 * @param context margin around the box, as a part of its long side, 0.15 for 15 %
 * @returns the crop, or `box-outside` when the box does not touch the image
 */
export async function cutWindow(
  image: DecodedImage,
  { box, annotationId }: CutInstance,
  context: number,
): Promise<CutResult> {
  const clipped = clipBox(box, image.width, image.height);
  if (clipped.kind === "outside") {
    const { left, top, width, height } = box;
    const message =
      `${image.path}, annotation ${annotationId}: ` +
      `expected a box on the image of ${image.width} x ${image.height} pixels, ` +
      `received [${left}, ${top}, ${width}, ${height}], which lies outside. ` +
      "Check that box and image belong together and that the box is [left, top, width, height].";
    return { kind: "failed", failure: { reason: "box-outside", message } };
  }
  const window = squareWindow(clipped.box, context);
  const pixels = await resampleWindow(image, window, CROP_SIZE);
  return {
    kind: "cut",
    crop: {
      pixels,
      window,
      bounds: clipped.box,
      clipped: clipped.kind === "clipped",
      imageWidth: image.width,
      imageHeight: image.height,
    },
  };
}
