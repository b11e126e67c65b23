/**
 * masks/: what each pixel belongs to, as PNG files to train on or to count with.
 *
 *     instances/<image>.png   16-bit gray: number of the instance within its image, from 1; 0 is background
 *     semantic/<image>.png    8-bit palette: number of the category, from 1; 0 is background
 *     each/<image>/<n>.png    8-bit gray, only on request: 255 where instance n lies, also below others
 *     instances.ndjson        a line per image: which annotation, category and score each number is, and its pixels
 *     legend.json             number, id, name and color of each category, and the rule for pixels with several owners
 *
 * A pixel that several instances claim goes to the highest score; of equal scores, to the earlier annotation. Polygons
 * of people have no score and lie above all others. Numbers follow the input and not the score. Filled by COCO's rule
 * (geometry/rasterize.ts), in the frame of the annotation file, as the COCO file is. One image is in memory at a time.
 * Source: the form is this project's; PASCAL VOC's SegmentationClass has the palette, Cityscapes' instanceIds 16 bits.
 */
import { join } from "node:path";
import { invalidData } from "../errors.js";
import { AtomicFile, writeAtomic } from "../files/atomic-file.js";
import { PathNames, toSafePath } from "../files/safe-path.js";
import { rasterizePolygon } from "../geometry/rasterize.js";
import type { Category, JsonObject, Rle } from "../types.js";
import type { Region } from "./labels.js";
import { isSettled, labelOf, nameCategories, regionsOf } from "./labels.js";
import { writePng } from "./png.js";
import type { AnnotationWriter, ImageResult, MaskKind, WriteContext } from "./writer.js";

const FOLDER = "masks";
const DEFAULT_KINDS: readonly MaskKind[] = ["instances", "semantic"];
/** Numbers that 16 bits have, less the background. */
const MOST_INSTANCES = 65_535;
/** Numbers that 8 bits have, less the background. */
const MOST_CATEGORIES = 255;
const RULE =
  "A pixel that several instances claim goes to the highest score; of equal scores, to the earlier annotation. " +
  "Polygons of people have no score and lie above all others.";

type Size = NonNullable<ImageResult["size"]>;

/** @throws E_DATA when there are more categories than 8 bits can number */
export function checkMasks(categories: readonly Category[], kinds: readonly MaskKind[] = DEFAULT_KINDS): void {
  if (!kinds.includes("semantic") || categories.length <= MOST_CATEGORIES) return;
  throw invalidData(
    `--format masks: expected at most ${MOST_CATEGORIES} categories for the 8 bits of a semantic mask, ` +
      `received ${categories.length}`,
    "Leave semantic masks out with --masks instances.",
  );
}

/** @throws E_DATA as `checkMasks`, and for an image with more than 65,535 instances */
export async function openMasksWriter(context: WriteContext): Promise<AnnotationWriter> {
  const kinds = new Set(context.formatOptions?.masks ?? DEFAULT_KINDS);
  checkMasks(context.categories, [...kinds]);
  const folder = join(context.out, FOLDER);
  const names = nameCategories(context.categories);
  const classes = new Map(context.categories.map(({ id }, index) => [id, index + 1]));
  const palette = [0, ...classes.values()].map(maskColor);
  const paths = new PathNames(".png");
  const list = await AtomicFile.open(join(folder, "instances.ndjson"));
  return {
    async image(result) {
      const path = paths.take(toSafePath(result.image.fileName));
      // Before anything is filled: that takes time for so many.
      checkCount(result.items.filter(({ outcome }) => outcome.status === "done").length, result.image.fileName);
      // A category that the data set does not list has no number.
      const regions = regionsOf(result, names).filter(({ categoryId }) => classes.has(categoryId));
      const { size } = result;
      if (size === undefined || !isSettled(result, regions)) return;
      checkCount(regions.length, result.image.fileName);
      const { values, masks } = paintInstances(regions, size);
      const classOf = Uint8Array.from([0, ...regions.map(({ categoryId }) => classes.get(categoryId)!)]);
      if (kinds.has("instances")) await writePng(join(folder, "instances", path), { ...size, values });
      if (kinds.has("semantic"))
        await writePng(join(folder, "semantic", path), {
          ...size,
          values: Uint8Array.from(values, (n) => classOf[n]!),
          palette,
        });
      if (kinds.has("each")) {
        for (const [i, mask] of masks.entries())
          await writePng(join(folder, "each", path.slice(0, -".png".length), `${i + 1}.png`), {
            ...size,
            values: wholeMask(mask),
          });
      }
      await list.write(
        `${JSON.stringify({ image: result.image.fileName, image_id: result.image.id, path, instances: rows(result, regions, values) })}\n`,
      );
    },
    async finish() {
      await list.commit();
      const categories = context.categories.map(({ id }, index) => ({
        value: index + 1,
        id,
        name: labelOf(id, names),
        color: maskColor(index + 1),
      }));
      const legend = { generator: context.generator, background: 0, overlap: RULE, categories };
      await writeAtomic(join(folder, "legend.json"), `${JSON.stringify(legend, null, 2)}\n`);
      return [`${FOLDER}/`];
    },
    abort: () => list.abort(),
  };
}

/**
 * All 256 differ, and neighbors most. Source: PASCAL VOC's development kit, VOClabelcolormap: bits 0, 3 and 6 of the
 * number are the top bits of red, bits 1, 4 and 7 those of green, bits 2 and 5 those of blue.
 */
function maskColor(value: number): string {
  const bits = (first: number): number =>
    [first, first + 3, first + 6].reduce((sum, bit, i) => sum | (((value >> bit) & 1) << (7 - i)), 0);
  const number = (bits(0) << 16) | (bits(1) << 8) | bits(2);
  return `#${number.toString(16).toUpperCase().padStart(6, "0")}`;
}

function checkCount(count: number, fileName: string): void {
  if (count <= MOST_INSTANCES) return;
  throw invalidData(
    `${fileName}: expected at most ${MOST_INSTANCES} instances in an image for 16 bits, received ${count}`,
    "Leave --format masks out: COCO has no such limit.",
  );
}

/** An image filled. */
interface Painted {
  /** Number of the instance per pixel, row by row; 0 is background. */
  readonly values: Uint16Array<ArrayBuffer>;
  /** Each instance alone, whatever covers it. */
  readonly masks: readonly Rle[];
}

/** The one on top is painted last. */
function paintInstances(regions: readonly Region[], { width, height }: Size): Painted {
  const values = new Uint16Array(width * height);
  const masks = regions.map(({ polygon }) => rasterizePolygon(polygon, height, width));
  const fromBelow = regions
    .map(({ score = Infinity }, index) => ({ score, index }))
    .sort((a, b) => (a.score === b.score ? b.index - a.index : a.score - b.score));
  for (const { index } of fromBelow) paint(values, masks[index]!, index + 1);
  return { values, masks };
}

/** Run lengths go down the columns; files hold rows. */
function paint(values: Uint8Array | Uint16Array, { width, height, counts }: Rle, value: number): void {
  for (let i = 0, at = 0; i < counts.length; at += counts[i]!, i++) {
    if (i % 2 === 0) continue;
    for (let pixel = at; pixel < at + counts[i]!; pixel++)
      values[(pixel % height) * width + Math.floor(pixel / height)] = value;
  }
}

function wholeMask(mask: Rle): Uint8Array {
  const values = new Uint8Array(mask.width * mask.height);
  paint(values, mask, 255);
  return values;
}

/** What each number of the image stands for. `pixels` are those that are left to see. */
function rows({ items }: ImageResult, regions: readonly Region[], values: Uint16Array): JsonObject[] {
  const pixels = new Uint32Array(regions.length + 1);
  for (const value of values) pixels[value]!++;
  const ids = new Map(items.map(({ outcome }) => [outcome.ordinal, outcome.annotationId]));
  return regions.map(({ ordinal, categoryId, score }, index) => ({
    value: index + 1,
    annotation_id: ids.get(ordinal) ?? null,
    category_id: categoryId,
    pixels: pixels[index + 1]!,
    ...(score !== undefined && { polyrnn_score: score }),
  }));
}
