/**
 * What every reader gives: one data set, opened once, walked in input order, one image at a time.
 *
 * Opening indexes the input as a stream and keeps a few numbers per annotation, so that a file of hundreds of megabytes
 * needs little memory. Walking reads each image's annotations by their byte range.
 */
import type { Category, Failure, Id, ImageRecord, Instance, JsonObject, SkipReason } from "../types.js";
import type { BoxUnit } from "./relative-boxes.js";

export type DatasetFormat =
  | "coco"
  | "coco-results"
  | "cityscapes"
  | "citypersons"
  | "yolo"
  | "voc"
  | "kitti"
  | "labelme"
  | "cvat"
  | "label-studio"
  | "csv"
  | "ndjson";

/** An annotation that cannot become an instance: passed over on purpose, or failed with a reason. */
export type Rejected =
  | {
      readonly kind: "skipped";
      readonly ordinal: number;
      readonly annotationId: Id;
      readonly imageId: Id;
      readonly reason: SkipReason;
      readonly raw: JsonObject;
    }
  | {
      readonly kind: "failed";
      readonly ordinal: number;
      /** null where the annotation has none, or none that can be kept: never one that is made up. */
      readonly annotationId: Id | null;
      readonly imageId: Id | null;
      readonly failure: Failure;
      readonly raw: JsonObject;
      /** True when only the box is unusable and the annotation has a polygon or mask that can be read. */
      readonly hasTruth?: true;
    };

export type Entry = { readonly kind: "instance"; readonly instance: Instance } | Rejected;

/**
 * Where an image's pixels are, or why that is not known. `root` is the image folder with links resolved: whoever opens
 * the file later checks again that it lies there, because a link can have replaced it by then.
 */
export type ImageLocation =
  | { readonly kind: "file"; readonly path: string; readonly root?: string; readonly isOtherCase?: true }
  | { readonly kind: "failed"; readonly failure: Failure };

/** One image with its annotations in input order. */
export interface ImageGroup {
  readonly image: ImageRecord;
  readonly location: ImageLocation;
  readonly entries: readonly Entry[];
}

export type WalkedParts = "boxes";

export interface Dataset {
  readonly format: DatasetFormat;
  /** Box file or folder, as the user gave it. */
  readonly source: string;
  readonly categories: readonly Category[];
  /**
   * Top-level fields of a COCO file beside images, annotations and categories (info, licenses, ...); passed through.
   */
  readonly header: JsonObject;
  readonly imageCount: number;
  /** Annotations in the input, rejected ones included. Ordinals run from 0 to annotationCount - 1. */
  readonly annotationCount: number;
  /** sha256 of everything that was read to build the data set: the input's identity for --resume. */
  readonly sha256: string;
  /** What the user should know of how the input was read, a line each. */
  readonly notes?: readonly string[];
  /**
   * Images in input order, those without annotations included. Annotations whose image id points nowhere form groups of
   * their own at the end, their location failed with `image-unknown`. Can be walked more than once.
   * @param parts "boxes" where `raw` of the instances is not wanted: it may be empty then, and the walk is faster; a
   *   file that was written to meanwhile may only be noticed at its end
   */
  groups(parts?: WalkedParts): AsyncIterable<ImageGroup>;
  /** The same text for all file names that mean one image; see `ImageFinder`. */
  imageKey(fileName: string): string;
  /** Frees open file handles. */
  close(): Promise<void>;
}

export interface OpenDatasetOptions {
  /**
   * Folder that is searched for images, at any depth. Absent: only annotations are wanted, and the location of every
   * image is a failure.
   */
  readonly images?: string;
  /** A file or folder in one of the formats of `DatasetFormat`. */
  readonly boxes: string;
  /** COCO file with `images` and `categories` for a results list. */
  readonly dataset?: string;
  /** What the numbers of the boxes count. Absent: pixels, and a file whose boxes look relative is refused. */
  readonly boxesAre?: BoxUnit;
  /** Reads an image's displayed size from its header; relative boxes need it where the box file does not say. */
  readonly imageSize?: (location: ImageLocation) => Promise<ImageSize | undefined>;
  /** Aborted while the data set is opened: opening throws the signal's reason. Walking it is the caller's to stop. */
  readonly signal?: AbortSignal;
}

/** Pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}
