/**
 * What every output format does: it receives each image with what became of its instances, in input order, and then
 * finishes. Memory stays bounded: a writer keeps nothing per instance except what its format requires.
 */
import { relative, resolve, sep } from "node:path";
import type { Category, Id, ImageRecord, Instance, JsonObject, Outcome, Ring } from "../types.js";

/** One annotation of the input with what became of it. `kept`: its polygon goes out unchanged (--existing keep). */
export type ResultItem =
  | { readonly kind: "outcome"; readonly instance: Instance; readonly outcome: Outcome }
  /** `raw` is the annotation as read; it had no instance (crowd, invalid, ...) or was kept. */
  | { readonly kind: "rejected"; readonly raw: JsonObject; readonly outcome: Outcome };

export interface ImageResult {
  readonly image: ImageRecord;
  /**
   * Size in pixels, in the frame of the polygons; absent when the image was never opened (missing, no boxes) and the
   * file does not say.
   */
  readonly size?: { readonly width: number; readonly height: number };
  /** Path of the image file; absent when it was not found. */
  readonly path?: string;
  readonly items: readonly ResultItem[];
  /** True when the input has no record of the image: annotations name it, or name none. */
  readonly isUnknown?: boolean;
  /** From the frame of the polygons to that of `size`, where a format asks for another (write/displayed-frame.ts). */
  readonly toDisplayed?: (ring: Ring) => Ring;
  /**
   * True when the input lists the image and has no annotation for it. Images that --limit left out have no items
   * either.
   */
  readonly isEmpty?: boolean;
}

/** The size that the annotation file gives an image. */
export function sizeOfRecord({ width, height }: ImageRecord): ImageResult["size"] {
  return width === undefined || height === undefined ? undefined : { width, height };
}

/** Choices within the formats; absent: the first that is named. */
export interface FormatOptions {
  /** coco: polygons that this run made as coordinates, or as run lengths. */
  readonly segmentation?: (typeof SEGMENTATIONS)[number];
  /** masks: which pictures; absent: instances and semantic. */
  readonly masks?: readonly MaskKind[];
  /** yolo-seg: how images/ holds the photographs; absent: symlink, where that fails hard, where that fails copy. */
  readonly link?: (typeof LINKS)[number];
  /** label-studio: what stands before each image's name in data.image; absent: the local file storage. */
  readonly labelStudioPrefix?: string;
  /** labelme: photographs within the files. */
  readonly embedImages?: boolean;
}

export const SEGMENTATIONS = ["polygon", "rle"] as const;
export const LINKS = ["symlink", "hard", "copy"] as const;
export const MASK_KINDS = ["instances", "semantic", "each"] as const;
export type MaskKind = (typeof MASK_KINDS)[number];

/** What is known of the run before the first image. */
export interface WriteContext {
  /** Output folder; exists. */
  readonly out: string;
  /** Folder of the images, to which formats that name images refer; absent: they use the names in the input. */
  readonly images?: string;
  readonly categories: readonly Category[];
  /** Top-level COCO fields to pass through (info, licenses, ...). */
  readonly header: JsonObject;
  /** "polyrnn 0.1.0, model mobile <hash>", for formats that have room for it. */
  readonly generator: string;
  readonly formatOptions?: FormatOptions;
}

export interface AnnotationWriter {
  image(result: ImageResult): Promise<void>;
  /** Puts everything in place. @returns paths written, relative to the output folder; a folder ends with "/" */
  finish(): Promise<readonly string[]>;
  /** Removes half-written files after an error. */
  abort(): Promise<void>;
}

export const OUTPUT_FORMATS = [
  "coco",
  "cityscapes",
  "labelme",
  "yolo-seg",
  "label-studio",
  "cvat",
  "via",
  "masks",
] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Names of the categories, by id. */
export type CategoryNames = ReadonlyMap<Id, string>;

/**
 * The name of an image as tools look for it: below the folder of the images, with slashes.
 * @returns the name in the input where the photograph was not found or no folder is known; and for photographs that were
 *   listed or named one by one, as they lie below nothing that was given
 */
export function imageName({ image, path }: ImageResult, { images }: WriteContext): string {
  if (path === undefined || images === undefined) return image.fileName;
  const way = relative(resolve(images), resolve(path));
  return way === "" || way.startsWith(`..${sep}`) ? image.fileName : way.replaceAll(sep, "/");
}
