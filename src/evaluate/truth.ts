/**
 * One image of the truth, made ready for the methods: which annotations are evaluated, with which mask, and which are
 * excluded and why. Masks lose their small parts as in the released Cityscapes protocol of Polygon-RNN++.
 */
import { openImage } from "../crop/open-image.js";
import type { Entry, ImageGroup } from "../dataset/dataset.js";
import { invalidData, PolyrnnError, receivedOf } from "../errors.js";
import type { Rasterizer } from "../geometry/iou.js";
import { rasterizeTruth } from "../geometry/iou.js";
import type { PixelWindow } from "../geometry/rle-window.js";
import { rleFromWindow, windowFromRle } from "../geometry/rle-window.js";
import { MAX_MASK_PIXELS, rleArea, rleBounds } from "../geometry/rle.js";
import type { Id, Instance, JsonObject, Rle } from "../types.js";
import type { SubjectImage } from "./methods/method.js";
import type { ImageSize } from "./methods/read-prediction.js";
import type { TruthReason } from "./reasons.js";

export interface TruthSettings {
  /** The truth's file or folder, for messages. */
  readonly truth: string;
  /** Whether the images were looked for. */
  readonly hasImages: boolean;
  readonly rasterizer: Rasterizer;
  /** Pixels. */
  readonly minArea: number;
  /** By ordinal: instances that are evaluated; all when absent. */
  readonly only?: (ordinal: number) => boolean;
}

/** Why an annotation of the truth takes no part. */
export interface Exclusion {
  readonly reason: TruthReason;
  readonly message?: string;
}

export interface PreparedImage {
  readonly subject: SubjectImage;
  /** By position in `subject.instances`. */
  readonly truths: readonly Rle[];
  readonly excluded: readonly ExcludedTruth[];
}

interface ExcludedTruth extends Exclusion {
  /** null where the annotation has none. */
  readonly annotationId: Id | null;
}

/** Gives the same answer on every call. @throws E_DATA when the image's size is needed and cannot be known */
export async function prepareImage(group: ImageGroup, settings: TruthSettings): Promise<PreparedImage> {
  const { image, location, entries } = group;
  const excluded: ExcludedTruth[] = [];
  const crowds: JsonObject[] = [];
  const candidates: Instance[] = [];
  for (const entry of entries) {
    if (entry.kind === "instance") {
      if (settings.only?.(entry.instance.ordinal) === false)
        excluded.push({ annotationId: entry.instance.annotationId, reason: "not-asked" });
      else candidates.push(entry.instance);
      continue;
    }
    excluded.push({ annotationId: entry.annotationId, ...exclusionOf(entry) });
    if (entry.kind === "skipped" && entry.reason === "crowd") crowds.push(entry.raw);
  }

  const instances: Instance[] = [];
  const truths: Rle[] = [];
  const sized = candidates.length === 0 ? undefined : await sizeOfImage(group, settings.truth, settings.hasImages);
  for (const instance of candidates) {
    const prepared =
      sized?.kind === "size"
        ? prepareTruth(instance, sized.size, settings.rasterizer, settings.minArea)
        : { ...sized!, kind: "excluded" as const };
    if (prepared.kind === "mask") {
      instances.push(instance);
      truths.push(prepared.mask);
    } else {
      const { reason, message } = prepared;
      excluded.push({ annotationId: instance.annotationId, reason, ...(message !== undefined && { message }) });
    }
  }
  const size = sized?.kind === "size" ? sized.size : { width: image.width ?? 0, height: image.height ?? 0 };
  const excludedIds = new Set(excluded.flatMap(({ annotationId }) => annotationId ?? []));
  return {
    subject: { image, location, width: size.width, height: size.height, instances, excludedIds, crowds },
    truths,
    excluded,
  };
}

type SizeResult = { readonly kind: "size"; readonly size: ImageSize } | ({ readonly kind: "unknown" } & Exclusion);

/**
 * Size of an image for rasterizing: the annotation file's, else a mask's, else that of the image's own header. No
 * pixels are decoded for it.
 * @param hasImages whether an image folder was given
 * @returns `unknown` when the image is missing or broken: its instances are excluded with that reason
 * @throws E_DATA when the truth gives no size and there is no folder to look in
 */
async function sizeOfImage(
  { image, location, entries }: ImageGroup,
  truth: string,
  hasImages: boolean,
): Promise<SizeResult> {
  const { width, height } = image;
  if (width !== undefined && height !== undefined) return checked({ width, height });
  for (const entry of entries) {
    if (entry.kind === "instance" && entry.instance.truth?.kind === "rle") return checked(entry.instance.truth.rle);
  }
  if (!hasImages && image.fileName !== "") {
    throw invalidData(
      `${truth}: image ${receivedOf(image.id)} (${receivedOf(image.fileName)}): expected width and height, ` +
        "received none: masks need the image's size",
      "Name the image folder with --images, or add width and height to the images of the truth.",
    );
  }
  if (location.kind === "failed") return unknown(location.failure.message);
  const opened = await openImage(location.path, image, location.root);
  return opened.kind === "failed" ? unknown(opened.failure.message) : checked(opened.image);
}

function checked({ width, height }: ImageSize): SizeResult {
  if (width * height <= MAX_MASK_PIXELS) return { kind: "size", size: { width, height } };
  return {
    kind: "unknown",
    reason: "image-too-large",
    message: `expected at most ${MAX_MASK_PIXELS} pixels, received ${width} x ${height}`,
  };
}

function unknown(message: string): SizeResult {
  return { kind: "unknown", reason: "image-size-unknown", message };
}

export type PreparedTruth = { readonly kind: "mask"; readonly mask: Rle } | ({ readonly kind: "excluded" } & Exclusion);

/** Why an annotation of the truth is no instance. */
export function exclusionOf(entry: Exclude<Entry, { kind: "instance" }>): Exclusion {
  if (entry.kind === "skipped") return { reason: entry.reason };
  return { reason: `truth-${entry.failure.reason}`, message: entry.failure.message };
}

/**
 * Union of the truth's parts, without those below `minArea` pixels.
 * @returns excluded: truth-missing, truth-invalid, truth-empty (covers no pixel of the image), truth-small (nothing is
 *   left)
 */
export function prepareTruth(instance: Instance, size: ImageSize, rule: Rasterizer, minArea: number): PreparedTruth {
  if (instance.truthProblem !== undefined)
    return { kind: "excluded", reason: "truth-invalid", message: instance.truthProblem };
  if (instance.truth === undefined) return { kind: "excluded", reason: "truth-missing" };
  let whole: Rle;
  try {
    whole = rasterizeTruth(instance.truth, size.height, size.width, rule);
  } catch (error) {
    if (!(error instanceof PolyrnnError)) throw error;
    return { kind: "excluded", reason: "truth-invalid", message: error.message };
  }
  if (rleArea(whole) === 0) return { kind: "excluded", reason: "truth-empty" };
  const mask = dropSmallParts(whole, minArea);
  if (rleArea(mask) === 0) return { kind: "excluded", reason: "truth-small" };
  return { kind: "mask", mask };
}

/**
 * The mask without its connected parts of fewer than `minArea` pixels; pixels that touch at a corner are connected.
 * Allocates the mask's bounds, not the image.
 */
export function dropSmallParts(mask: Rle, minArea: number): Rle {
  const bounds = rleBounds(mask);
  if (bounds === undefined || minArea <= 1) return mask;
  const window = { left: bounds.left, top: bounds.top, columns: bounds.width, rows: bounds.height };
  const bitmap = windowFromRle(mask, window);
  const part = new Int32Array(bitmap.length);
  let dropped = false;
  for (let start = 0; start < bitmap.length; start++) {
    if (bitmap[start] !== UNSEEN) continue;
    const size = collectPart(bitmap, window, start, part);
    if (size >= minArea) continue;
    dropped = true;
    for (let i = 0; i < size; i++) bitmap[part[i]!] = 0;
  }
  if (!dropped) return mask;
  for (let i = 0; i < bitmap.length; i++) if (bitmap[i] === SEEN) bitmap[i] = 1;
  return rleFromWindow(bitmap, window, mask.height, mask.width);
}

const UNSEEN = 1;
const SEEN = 2;

/** Marks the part around `start` as seen and writes its pixels into `pixels`. @returns their number */
function collectPart(bitmap: Uint8Array, { columns, rows }: PixelWindow, start: number, pixels: Int32Array): number {
  let found = 0;
  bitmap[start] = SEEN;
  pixels[found++] = start;
  for (let next = 0; next < found; next++) {
    const column = Math.floor(pixels[next]! / rows);
    const row = pixels[next]! % rows;
    for (let x = Math.max(0, column - 1); x <= Math.min(columns - 1, column + 1); x++) {
      for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
        const at = x * rows + y;
        if (bitmap[at] !== UNSEEN) continue;
        bitmap[at] = SEEN;
        pixels[found++] = at;
      }
    }
  }
  return found;
}
