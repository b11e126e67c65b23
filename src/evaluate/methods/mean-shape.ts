/**
 * What a box and its category say without the image: the mean truth mask of the category in boxes of the same shape,
 * stretched into the box and cut at one half. Whatever a network gains over this, it has seen in the image.
 *
 * The means are of the evaluated truth itself, in folds: images are spread over five folds, and an instance gets the
 * mean of the other four, never of its own image.
 */
import type { Dataset } from "../../dataset/dataset.js";
import { clipBox } from "../../geometry/box.js";
import { windowFromRle } from "../../geometry/rle-window.js";
import { createRandom } from "../../random.js";
import type { Box, Id, Instance, Rle } from "../../types.js";
import type { TruthSettings } from "../truth.js";
import { prepareImage } from "../truth.js";
import { maskFromArea } from "./mask-from-map.js";
import type { MaskResult, Method } from "./method.js";

const FOLDS = 5;
/** Cells along each side of a box. */
const SIDE = 32;
const CELLS = SIDE * SIDE;
/** Steps of the aspect ratio per doubling. */
const STEPS_PER_DOUBLING = 2;
/** Fewer others than this give no shape; the next larger group is taken. */
const FEWEST = 5;
/** 4 KB each; further categories count among all. */
const MOST_GROUPS = 10_000;

export interface ShapeTruth {
  readonly dataset: Dataset;
  readonly settings: TruthSettings;
  readonly signal: AbortSignal;
}

/** Sums of truth masks by group, one for each fold. */
class ShapeSums {
  private readonly groups = new Map<string, { readonly sum: Float32Array; count: number }>();

  add(names: readonly string[], fold: number, shape: Uint8Array): void {
    for (const name of names) {
      const key = `${fold}/${name}`;
      let group = this.groups.get(key);
      if (group === undefined) {
        if (this.groups.size >= MOST_GROUPS) continue;
        group = { sum: new Float32Array(CELLS), count: 0 };
        this.groups.set(key, group);
      }
      group.count += 1;
      for (let cell = 0; cell < CELLS; cell++) group.sum[cell]! += shape[cell]!;
    }
  }

  /** Mean of the first group with enough members in the other folds. @returns undefined where none has */
  meanWithout(names: readonly string[], fold: number): Float32Array | undefined {
    for (const name of names) {
      const mean = new Float32Array(CELLS);
      let count = 0;
      for (let other = 0; other < FOLDS; other++) {
        const group = other === fold ? undefined : this.groups.get(`${other}/${name}`);
        if (group === undefined) continue;
        count += group.count;
        for (let cell = 0; cell < CELLS; cell++) mean[cell]! += group.sum[cell]!;
      }
      if (count >= FEWEST) return mean.map((sum) => sum / count);
    }
    return undefined;
  }
}

/** Walks the whole truth once. @throws what walking it throws */
export async function meanShapeMethod({ dataset, settings, signal }: ShapeTruth): Promise<Method> {
  const sums = new ShapeSums();
  for await (const group of dataset.groups()) {
    signal.throwIfAborted();
    const { subject, truths } = await prepareImage(group, settings);
    const fold = foldOf(subject.image.id);
    for (const [i, instance] of subject.instances.entries()) {
      const clipped = clipBox(instance.box, subject.width, subject.height);
      if (clipped.kind === "outside") continue;
      sums.add(groupNames(instance, clipped.box), fold, shapeIn(truths[i]!, clipped.box));
    }
  }
  return {
    name: "mean-shape",
    words:
      `no image: mean truth mask of the category and the box's aspect ratio (else of all categories), of this data set ` +
      `in ${FOLDS} folds of images, never of the own fold`,
    comparedAs: "mask",
    masksOf: ({ image, instances, width, height }) =>
      Promise.resolve(
        instances.map((instance): MaskResult => {
          const clipped = clipBox(instance.box, width, height);
          if (clipped.kind === "outside") return { kind: "failed", reason: "box-outside" };
          const mean = sums.meanWithout(groupNames(instance, clipped.box), foldOf(image.id));
          const box = new Float32Array(CELLS).fill(1);
          return maskFromArea(mean ?? box, clipped.box, clipped.box, { width, height });
        }),
      ),
  };
}

/** Spread evenly, the same for an image every time. */
function foldOf(imageId: Id): number {
  return createRandom(0).fork(`fold of image ${imageId}`).integer(FOLDS);
}

/** From the narrowest group to the widest. */
function groupNames({ categoryId }: Instance, { width, height }: Box): string[] {
  const aspect = Math.round(STEPS_PER_DOUBLING * Math.log2(width / height));
  return [`${aspect} of ${JSON.stringify(categoryId)}`, `${aspect}`, "all"];
}

/** Whether the mask has the pixels at the centers of the cells: 0 and 1, row-major. */
function shapeIn(mask: Rle, { left, top, width, height }: Box): Uint8Array {
  const window = { left: Math.floor(left), top: Math.floor(top), columns: 0, rows: 0 };
  const columns = Math.min(mask.width, Math.ceil(left + width)) - window.left;
  const rows = Math.min(mask.height, Math.ceil(top + height)) - window.top;
  const bitmap = windowFromRle(mask, { ...window, columns, rows });
  return Uint8Array.from({ length: CELLS }, (_, cell) => {
    const x = Math.floor(left - window.left + (((cell % SIDE) + 0.5) / SIDE) * width);
    const y = Math.floor(top - window.top + ((Math.floor(cell / SIDE) + 0.5) / SIDE) * height);
    return bitmap[Math.min(columns - 1, x) * rows + Math.min(rows - 1, y)]!;
  });
}
