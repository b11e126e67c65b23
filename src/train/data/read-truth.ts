/** Reads the truth of a data set: one ring per instance, and a count by reason of everything that is left out. */
import type { OpenedImage } from "../../crop/open-image.js";
import { openImage } from "../../crop/open-image.js";
import type { Dataset, ImageGroup } from "../../dataset/dataset.js";
import { usageError } from "../../errors.js";
import { clipBox, squareWindow } from "../../geometry/box.js";
import { numberText } from "../../json-text.js";
import type { Box, Id, ImageRecord, Instance, Ring } from "../../types.js";
import type { RingFilter, SequenceLimits } from "../options.js";
import type { SequenceReason } from "./targets.js";
import { targetCells } from "./targets.js";
import type { TrainingImage, TruthInstance, TruthSet } from "./truth.js";
import { packRing, pickRing, unpackRing } from "./truth.js";

export interface TruthFilter extends RingFilter, SequenceLimits {
  /** Ids of the categories wanted; all when absent. */
  readonly categories?: ReadonlySet<Id>;
}

export interface ReadTruthOptions {
  readonly filter: TruthFilter;
  /** Context of the crop in which a ring must be neither too long nor too short for the decoder; absent: any length. */
  readonly taughtIn?: number;
  /** Field of the image records that names the source; images without it are of one source, "all". */
  readonly sourceField: string;
  /** Images to leave out, by `Dataset.imageKey`; a value is set to true when the image is found. */
  readonly excluded: Map<string, boolean>;
  /** Called with every instance that is kept, in order. */
  readonly onInstance?: (instance: Instance, image: ImageRecord) => void;
}

/** A field with more values than this names images, not sources. */
const MOST_SOURCES = 200;
const ONE_SOURCE = "all";
/** Image headers read at once. */
const HEADERS_AT_ONCE = 8;

/** @throws E_USAGE with more than 200 sources; whatever the data set throws */
export async function readTruthSet(dataset: Dataset, options: ReadTruthOptions): Promise<TruthSet> {
  const collected = new Collector(options);
  let waiting: Waiting[] = [];
  const takeWaiting = async (): Promise<void> => {
    const opened = await Promise.all(waiting.map(({ group }) => openGroup(group)));
    waiting.forEach(({ group, candidates }, i) => {
      collected.add(group, candidates, opened[i]!);
    });
    waiting = [];
  };
  for await (const group of dataset.groups()) {
    const candidates = collected.pick(group, dataset.imageKey(group.image.fileName));
    if (candidates.length > 0) waiting.push({ group, candidates });
    if (waiting.length === HEADERS_AT_ONCE) await takeWaiting();
  }
  await takeWaiting();
  return collected.set;
}

interface Candidate {
  readonly instance: Instance;
  readonly ring: Ring;
}
interface Waiting {
  readonly group: ImageGroup;
  readonly candidates: readonly Candidate[];
}

async function openGroup({ image, location }: ImageGroup): Promise<OpenedImage | string> {
  if (location.kind === "failed") return location.failure.reason;
  const result = await openImage(location.path, image, location.root);
  return result.kind === "failed" ? result.failure.reason : result.image;
}

/** Instances and images as they are found. */
class Collector {
  private readonly instances: TruthInstance[] = [];
  private readonly images: TrainingImage[] = [];
  private readonly sourceNumbers = new Map<string, number>();
  private readonly dropped = new Map<string, number>();

  constructor(private readonly options: ReadTruthOptions) {}

  get set(): TruthSet {
    return {
      instances: this.instances,
      images: this.images,
      sources: [...this.sourceNumbers.keys()],
      dropped: this.dropped,
    };
  }

  /** What can be judged without the image. */
  pick(group: ImageGroup, imageKey: string): Candidate[] {
    const { categories } = this.options.filter;
    const candidates: Candidate[] = [];
    const { excluded } = this.options;
    if (excluded.has(imageKey)) {
      excluded.set(imageKey, true);
      this.drop("image-excluded", group.entries.length);
      return [];
    }
    for (const entry of group.entries) {
      if (entry.kind === "skipped") this.drop(entry.reason);
      else if (entry.kind === "failed") this.drop(entry.failure.reason);
      else if (categories?.has(entry.instance.categoryId) === false) this.drop("category");
      else {
        const ring = pickRing(entry.instance, this.options.filter);
        if (typeof ring === "string") this.drop(ring);
        else candidates.push({ instance: entry.instance, ring });
      }
    }
    return candidates;
  }

  add({ image: record, location }: ImageGroup, candidates: readonly Candidate[], opened: OpenedImage | string): void {
    if (typeof opened === "string") {
      this.drop(opened, candidates.length);
      return;
    }
    const image = this.images.length;
    let source: number | undefined;
    for (const { instance, ring } of candidates) {
      const clipped = clipBox(instance.box, opened.width, opened.height);
      if (clipped.kind === "outside") {
        this.drop("box-outside");
        continue;
      }
      const points = packRing(ring);
      // Judged as it is kept: rounding could make another sequence of it, too long or too short.
      const problem = this.sequenceProblem(unpackRing(points), clipped.box);
      if (problem !== undefined) {
        this.drop(problem);
        continue;
      }
      source ??= this.sourceOf(record);
      const { ordinal, annotationId, categoryId } = instance;
      this.instances.push({ ordinal, annotationId, categoryId, image, source, box: clipped.box, points });
      this.options.onInstance?.(instance, record);
    }
    if (source === undefined) return;
    const { root } = { root: undefined, ...location };
    this.images.push({ fileName: record.fileName, opened, ...(root !== undefined && { root }) });
  }

  private sequenceProblem(ring: Ring, box: Box): SequenceReason | undefined {
    const { taughtIn, filter } = this.options;
    if (taughtIn === undefined) return undefined;
    const cells = targetCells(ring, squareWindow(box, taughtIn), filter);
    return typeof cells === "string" ? cells : undefined;
  }

  private sourceOf({ raw }: ImageRecord): number {
    const { sourceField } = this.options;
    const value = Object.hasOwn(raw, sourceField) ? raw[sourceField] : undefined;
    const name = typeof value === "string" ? value : (numberText(raw, sourceField) ?? ONE_SOURCE);
    const known = this.sourceNumbers.get(name);
    if (known !== undefined) return known;
    if (this.sourceNumbers.size === MOST_SOURCES) {
      throw usageError(
        `images: expected at most ${MOST_SOURCES} sources in the field ${JSON.stringify(sourceField)}, received more`,
        "Name a field that many images share.",
      );
    }
    this.sourceNumbers.set(name, this.sourceNumbers.size);
    return this.sourceNumbers.size - 1;
  }

  private drop(reason: string, count = 1): void {
    if (count === 0) return;
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count);
  }
}
