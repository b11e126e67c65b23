/**
 * overlays/: photographs with their results drawn on them, to look at. One JPEG per chosen image.
 *
 * Big photographs are shown at 1600 pixels along the long side, tiny ones at 640. A photograph that cannot be read is
 * left out with a reason, or silently where its annotations failed for the same reason.
 */
import { join } from "node:path";
import type { Sharp } from "sharp";
import sharp from "sharp";
import { imageInput } from "../files/archive.js";
import { writeAtomic } from "../files/atomic-file.js";
import { PathNames, toSafePath } from "../files/safe-path.js";
import { whyUnreadable } from "../files/why-unreadable.js";
import { polygonBounds } from "../geometry/ring.js";
import type { Box, Id } from "../types.js";
import { isAsStored } from "./displayed-frame.js";
import { labelOf, nameCategories, regionOf } from "./labels.js";
import type { OverlayShape } from "./overlay-svg.js";
import { drawOverlaySvg } from "./overlay-svg.js";
import type { AnnotationWriter, CategoryNames, ImageResult, ResultItem, WriteContext } from "./writer.js";

const FOLDER = "overlays";
/** Images that `auto` shows. */
export const AUTO_LIMIT = 50;
/** Long side of an overlay, pixels. */
const MAX_SIDE = 1600;
const MIN_SIDE = 640;
const JPEG_QUALITY = 88;

export type OverlayMode = "auto" | "all" | "none";

/**
 * @param imageCount images to choose from
 * @returns whether to show the image with an index, 0..imageCount - 1. auto: all of up to 50 images, else an even
 * sample
 *   of 50
 */
export function chooseOverlays(mode: OverlayMode, imageCount: number): (index: number) => boolean {
  if (mode === "none") return () => false;
  return mode === "all" ? () => true : evenSample(imageCount, AUTO_LIMIT);
}

/** @returns whether the index, 0..size - 1, is among at most `most` that lie evenly; all where there are no more */
export function evenSample(size: number, most: number): (index: number) => boolean {
  if (size <= most) return () => true;
  return (index) => Math.floor(((index + 1) * most) / size) > Math.floor((index * most) / size);
}

export interface OverlayRun {
  readonly mode: OverlayMode;
  /** Images with at least one instance that was asked for. */
  readonly imageCount: number;
  /** One line for people: an overlay was left out, and why. */
  readonly onProblem: (line: string) => void;
}

export function openOverlays(context: WriteContext, { mode, imageCount, onProblem }: OverlayRun): AnnotationWriter {
  const names = nameCategories(context.categories);
  const paths = new PathNames(".jpg");
  const isChosen = chooseOverlays(mode, imageCount);
  let index = 0;
  let written = 0;
  let hasFonts: Promise<boolean> | undefined;
  return {
    async image(result) {
      const asked = result.items.filter(wasAskedFor);
      if (asked.length === 0 || !isChosen(index++) || asked.every(failedForItsImage)) return;
      const target = join(context.out, FOLDER, paths.take(toSafePath(result.image.fileName)));
      hasFonts ??= detectFonts();
      const outcome = await drawOverlay(target, result, { names, hasFonts: await hasFonts });
      if (outcome.kind === "drawn") written++;
      else onProblem(outcome.reason);
    },
    finish: () => Promise.resolve(written > 0 ? [`${FOLDER}/`] : []),
    abort: () => Promise.resolve(),
  };
}

/** Images that were only passed over have nothing to look at. */
function wasAskedFor({ kind, outcome }: ResultItem): boolean {
  return kind === "outcome" && (outcome.status !== "skipped" || outcome.reason === "score-below-minimum");
}

/** Nothing to see, and each annotation has given the reason. */
function failedForItsImage({ outcome }: ResultItem): boolean {
  return outcome.status === "failed" && outcome.reason.startsWith("image-");
}

export interface OverlayOptions {
  readonly names: CategoryNames;
  /** From `detectFonts`. */
  readonly hasFonts: boolean;
}

export type OverlayOutcome = { readonly kind: "drawn" } | { readonly kind: "skipped"; readonly reason: string };

/**
 * Draws one overlay.
 * @param target JPEG to write; missing folders are made
 * @throws E_WRITE when it cannot be written; a photograph that cannot be read is a reason, not an error
 */
export async function drawOverlay(
  target: string,
  result: ImageResult,
  options: OverlayOptions,
): Promise<OverlayOutcome> {
  if (result.path === undefined)
    return { kind: "skipped", reason: `${result.image.fileName}: no overlay, the image was not found` };
  let jpeg: Buffer;
  try {
    jpeg = await composeJpeg(result.path, result, options);
  } catch {
    const [, why] = await whyUnreadable(result.path, "pixels");
    return { kind: "skipped", reason: `${why} It has no overlay.` };
  }
  await writeAtomic(target, jpeg);
  return { kind: "drawn" };
}

async function composeJpeg(path: string, result: ImageResult, { names, hasFonts }: OverlayOptions): Promise<Buffer> {
  const { photograph, width, height } = await openPhotograph(path, result.size);
  const zoom = zoomOf(Math.max(width, height));
  const frame = { width: Math.max(1, Math.round(width * zoom)), height: Math.max(1, Math.round(height * zoom)) };
  const svg = drawOverlaySvg(shapesOf(result, names), {
    ...frame,
    scaleX: frame.width / width,
    scaleY: frame.height / height,
    hasFonts,
  });
  // In two steps: 16-bit and CMYK pixels would be mixed with the drawing before they become sRGB.
  const { data, info } = await photograph
    .resize({ ...frame, fit: "fill" })
    .toColourspace("srgb")
    .flatten({ background: "#808080" })
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } })
    .toColourspace("srgb")
    .composite([{ input: Buffer.from(svg) }])
    .jpeg({ quality: JPEG_QUALITY, chromaSubsampling: "4:4:4" })
    .toBuffer();
}

function zoomOf(longSide: number): number {
  return Math.min(MAX_SIDE, Math.max(MIN_SIDE, longSide)) / longSide;
}

/** The photograph in its EXIF orientation, unless the polygons are in the frame of the stored pixels. */
async function openPhotograph(
  path: string,
  size: ImageResult["size"],
): Promise<{ photograph: Sharp; width: number; height: number }> {
  const input = await imageInput(path);
  const metadata = await sharp(input).metadata();
  const isStored = size !== undefined && isAsStored(metadata, size);
  const photograph = sharp(input, { failOn: "error", autoOrient: !isStored });
  return {
    photograph,
    ...(isStored ? size : { width: metadata.autoOrient.width, height: metadata.autoOrient.height }),
  };
}

function shapesOf(result: ImageResult, names: CategoryNames): OverlayShape[] {
  const order = new Map<Id, number>([...names.keys()].map((id, index) => [id, index]));
  return result.items.flatMap((item) => {
    const shape = toShape(item, names);
    return shape === undefined ? [] : [{ ...shape, categoryIndex: order.get(shape.categoryId) ?? order.size }];
  });
}

function toShape(
  item: ResultItem,
  names: CategoryNames,
): (Omit<OverlayShape, "categoryIndex"> & { readonly categoryId: Id }) | undefined {
  const { outcome } = item;
  if (item.kind === "outcome" && outcome.status === "failed") {
    const { categoryId, box } = item.instance;
    const note = outcome.reason.replaceAll("-", " ");
    return isDrawable(box)
      ? { kind: "failed", box, polygon: [], categoryId, category: labelOf(categoryId, names), note }
      : undefined;
  }
  const region = regionOf(item, names);
  if (region === undefined) return undefined;
  const { categoryId, label, polygon, score } = region;
  const box = item.kind === "outcome" ? item.instance.box : polygonBounds(polygon);
  if (box === undefined) return undefined;
  const shape = { box, polygon, categoryId, category: label };
  return score === undefined
    ? { ...shape, kind: "existing", note: "(kept)" }
    : { ...shape, kind: "drawn", note: score.toFixed(2) };
}

function isDrawable({ left, top, width, height }: Box): boolean {
  return [left, top, width, height].every((value) => Number.isFinite(value) && Math.abs(value) < 1e7);
}

/** Whether this machine can draw text: without fonts every letter becomes the same empty frame. */
export async function detectFonts(): Promise<boolean> {
  const [narrow, wide] = await Promise.all(["i", "W"].map(drawLetter));
  return !narrow!.equals(wide!);
}

function drawLetter(letter: string): Promise<Buffer> {
  const text = `<text x="5" y="30" font-size="24" font-family="sans-serif">${letter}</text>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">${text}</svg>`;
  return sharp(Buffer.from(svg)).raw().toBuffer();
}
