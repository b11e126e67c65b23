/**
 * The nouns of the house: what travels from the readers to the writers. No code, no imports.
 * Frames of reference are types: a point in image pixels and a cell of the output grid cannot be mixed by accident.
 */

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/**
 * Full image as displayed (EXIF orientation applied unless the annotation file says otherwise); pixels, origin
 * top-left, y down.
 */
export interface ImagePoint {
  readonly x: number;
  readonly y: number;
}

/** Output grid, whole cells, 0..27 each way. */
export interface GridCell {
  readonly col: number;
  readonly row: number;
}

/**
 * Axis-parallel box in image pixels; floats. Readers pass through what the file says, checked only for being finite and
 * non-empty.
 */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * One closed outline, stored open (first vertex not repeated). Predicted rings are clockwise on screen: positive area
 * with y down.
 */
export type Ring = readonly ImagePoint[];

/** One or more rings, merged by union (COCO has no holes). */
export type Polygon = readonly Ring[];

/** COCO run-length mask: column-major, runs of 0 and 1 in turn, starting with 0. Counts sum to height * width. */
export interface Rle {
  readonly height: number;
  readonly width: number;
  readonly counts: Uint32Array;
}

/** Ground truth of an instance, as the file gives it. */
export type Truth =
  { readonly kind: "polygon"; readonly polygon: Polygon } | { readonly kind: "rle"; readonly rle: Rle };

/** COCO ids are numbers by custom and strings in the wild; both come out as they went in. */
export type Id = number | string;

export interface Category {
  readonly id: Id;
  readonly name: string;
  readonly raw: JsonObject;
}

/**
 * One image as the annotation file names it. `width` and `height` are what the file claims; the pixels decide later.
 */
export interface ImageRecord {
  readonly id: Id;
  readonly fileName: string;
  readonly width?: number;
  readonly height?: number;
  /** The record as read, unknown fields included; written out unchanged. */
  readonly raw: JsonObject;
}

/** One box to be turned into a polygon. */
export interface Instance {
  /**
   * Position of the annotation in its input, from 0; the key of an instance within a run. Input order is output order.
   */
  readonly ordinal: number;
  /** Id from the file; `ordinal + 1` where the format has none (COCO results lists, Cityscapes). */
  readonly annotationId: Id;
  readonly imageId: Id;
  readonly categoryId: Id;
  readonly box: Box;
  readonly truth?: Truth;
  /** Why the annotation's segmentation cannot serve as ground truth; `truth` is absent then. Evaluation lists it. */
  readonly truthProblem?: string;
  /** Which parts of the segmentation `truth` lacks, because they cannot be read, and why. */
  readonly truthLeftOut?: string;
  /** The annotation as read, unknown fields included (may hold `segmentation`). */
  readonly raw: JsonObject;
}

/** Why an instance was passed over on purpose. Counted in the summary; does not change the exit code. */
export type SkipReason =
  "crowd" | "group" | "ignored" | "deleted" | "hidden" | "category" | "kept" | "already-done" | "score-below-minimum";

/** Why an instance has no polygon although it was asked for. Listed in the summary; the run ends with exit code 1. */
export type FailReason =
  | "annotation-invalid"
  | "box-invalid"
  | "box-empty"
  | "box-outside"
  | "segmentation-invalid"
  | "duplicate-id"
  | "category-unknown"
  | "image-unknown"
  | "image-missing"
  | "image-ambiguous"
  | "image-outside"
  | "image-unreadable"
  | "image-too-large"
  | "image-size"
  | "too-few-vertices"
  | "worker-failed";

/** A failed instance is data, not an exception. `message` says where, expected, received and what to do next. */
export interface Failure {
  readonly reason: FailReason;
  readonly message: string;
}

/** One line of the journal: what became of one instance. */
export type Outcome = DoneOutcome | SkippedOutcome | FailedOutcome;

interface OutcomeOf {
  readonly ordinal: number;
  readonly annotationId: Id;
  readonly imageId: Id;
}

export interface DoneOutcome extends OutcomeOf {
  readonly status: "done";
  /** Image pixels, rounded to two decimals; at least three distinct vertices. */
  readonly ring: Ring;
  /**
   * Expected IoU with the network's mask map, 0..1, four decimals (predict/mask-agreement.ts); without such a map see
   * predict/choose-vertex.ts.
   */
  readonly score: number;
  /** False when the sequence was cut at the step limit before end-of-sequence. */
  readonly ended: boolean;
  /** True when the box reached over the border of the image and was cut there before cropping. */
  readonly clipped: boolean;
  /** Displayed size in pixels of the image the box was cut from. */
  readonly imageWidth: number;
  readonly imageHeight: number;
}
export interface SkippedOutcome extends OutcomeOf {
  readonly status: "skipped";
  readonly reason: SkipReason;
}
export interface FailedOutcome {
  readonly status: "failed";
  readonly ordinal: number;
  /** null where the annotation has no id of its own: a made-up one could be that of another. */
  readonly annotationId: Id | null;
  /** null where the annotation names no image. */
  readonly imageId: Id | null;
  readonly reason: FailReason;
  readonly message: string;
}
