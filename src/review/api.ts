/**
 * What the page and the server of `polyrnn review` say to each other: types only, so that both sides import it.
 *
 *     GET  /api/session                                    Session
 *     GET  /api/queue?after=<position>&limit=50            QueuePage
 *     GET  /api/instances/:ordinal                         InstanceView
 *     GET  /api/instances/:ordinal/picture?margin=0.5&side=1600   JPEG
 *     POST /api/instances/:ordinal/redraw                  RedrawRequest -> RedrawAnswer; 499 when a newer one came
 *     PUT  /api/instances/:ordinal                         DecisionRequest -> DecisionAnswer; 409 ApiError with current
 *     POST /api/undo                                       UndoRequest -> InstanceView
 *     POST /api/export                                     ExportAnswer
 *     GET  /api/statistics                                 Statistics
 *
 * Every request to /api carries the token in the header `x-polyrnn-token`; writes are `application/json`.
 * All coordinates are pixels of the image as it is displayed (EXIF turned), origin top-left, y down.
 */
import type { Id, ImagePoint, Ring } from "../types.js";

export const TOKEN_HEADER = "x-polyrnn-token";

/** [left, top, width, height] */
export type BoxXywh = readonly [number, number, number, number];

/** "open": nobody has looked at it. */
export type ReviewStatus = "open" | "accepted" | "edited" | "rejected" | "skipped" | "draft";
export type DecidedStatus = Exclude<ReviewStatus, "open">;
export const REJECT_REASONS = ["wrong-object", "several-parts", "hidden", "bad-box", "other"] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

export const CLICK_KINDS = [
  "move",
  "add",
  "delete",
  "redraw",
  "redrawTaken",
  "redrawLeft",
  "box",
  "manual",
  "category",
  "undo",
] as const;
/** What a person did to one instance, by kind. */
export type ClickCounts = Readonly<Record<(typeof CLICK_KINDS)[number], number>>;

/** What an instance has cost so far: whoever opens it again goes on from there. */
export interface Spent {
  readonly counts: ClickCounts;
  readonly activeMs: number;
  readonly openMs: number;
  readonly networkMs: number;
}

/** The category ids lie in the order of the file; the digit keys 1 to 9 mean the first nine. */
export interface CategoryName {
  readonly id: Id;
  readonly name: string;
}

export type StatusCounts = Readonly<Record<ReviewStatus, number>>;

export interface Session {
  /** Grows with every decision and undo of the run; drafts are neither. */
  readonly revision: number;
  /** Last part of the run folder's path. */
  readonly run: string;
  /** `available` false: the run's model is gone or another; `reason` says so, and redraw answers 409 E_NO_MODEL. */
  readonly model: { readonly name: string; readonly available: boolean; readonly reason?: string };
  readonly categories: readonly CategoryName[];
  /** Instances in the queue, after --below, --category and --sample. */
  readonly total: number;
  readonly counts: StatusCounts;
  readonly order: "score" | "input" | "category";
  readonly arm: "assist" | "manual" | "mixed";
  readonly reviewer: string | null;
  /** Of the decisions since this server started. */
  readonly own: StatisticsRow;
  /** Position in the queue of the first undecided instance; null when all are decided. */
  readonly next: number | null;
  readonly options: {
    readonly below?: number;
    readonly category?: readonly string[];
    readonly sample?: number;
    readonly seed?: number;
  };
}

export interface QueueRow {
  /** 0-based place in the queue. */
  readonly position: number;
  /** Names the instance in every other request. */
  readonly ordinal: number;
  /** 0..1; null where no polygon was predicted. */
  readonly score: number | null;
  readonly category: string;
  readonly status: ReviewStatus;
  readonly revision: number;
}

/** The rows behind `after` (from the first where absent), `limit` (1..200) at most. */
export interface QueuePage {
  readonly revision: number;
  readonly total: number;
  readonly rows: readonly QueueRow[];
}

/** Where the picture lies in the image, and its size in pixels: x = view.x + column / view.scale. */
export interface PictureView {
  readonly x: number;
  readonly y: number;
  /** Picture pixels per image pixel, at most 1. */
  readonly scale: number;
  readonly width: number;
  readonly height: number;
}

export interface InstanceView {
  readonly ordinal: number;
  readonly position: number;
  readonly imageId: Id;
  readonly annotationId: Id;
  readonly box: BoxXywh;
  readonly categoryId: Id;
  readonly category: string;
  /** The polygon in force: the decision's, else the automatic one; empty where there is none yet. */
  readonly rings: readonly Ring[];
  /** The automatic ring, for comparison. */
  readonly automatic: readonly Ring[];
  /** Pinned vertices of each ring. */
  readonly pins: readonly (readonly number[])[];
  readonly score: number | null;
  readonly status: ReviewStatus;
  readonly reason: RejectReason | null;
  /** 0 before the first decision. */
  readonly revision: number;
  /** Of all lines on it, also those that were taken back. */
  readonly spent: Spent;
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly view: PictureView;
  /** Other polygons of the image, for thin lines. */
  readonly others: readonly Ring[];
  /** "manual": drawn by hand for comparison; the network stays off and `rings` begins empty. */
  readonly arm: "assist" | "manual";
  /** Why there is no picture (the image vanished or changed its size); absent where there is one. */
  readonly problem?: string;
  /** The picture may be another one than the run saw: its file was written since. */
  readonly notice?: string;
  /** Positions before and behind in the queue. */
  readonly previous: number | null;
  readonly following: number | null;
}

export interface RedrawRequest {
  /** Comes back in the answer; a higher one of the same window cancels those before it. */
  readonly request: number;
  /** Tells windows apart: each counts its own requests. */
  readonly window?: string;
  readonly revision: number;
  /** Open ring as it is now, the moved vertex in its new place; empty with `give: "all"`. */
  readonly ring: Ring;
  /** Indexes into `ring` that are never redrawn. */
  readonly pins: readonly number[];
  /** Index into `ring` of the vertex to go on from; 0 with "all". */
  readonly moved: number;
  /** "pin": to the next pinned vertex; "tail": all behind it; "all": from nothing. */
  readonly give: "pin" | "tail" | "all";
  /** "pin" only: vertices to redraw at most; those behind them stay. */
  readonly length?: number;
  /** A new box; the instance's where absent. */
  readonly box?: BoxXywh;
  /** 0 is the network's best; 1, 2, ... the next best beginnings of the way. */
  readonly candidate?: number;
}

export interface RedrawAnswer {
  readonly revision: number;
  readonly request: number;
  readonly ring: Ring;
  /** Indexes into `ring` of the vertices that stayed where they were. */
  readonly kept: readonly number[];
  /** Indexes into `ring` of the pinned vertices. */
  readonly pins: readonly number[];
  /** Index into `ring` of the moved vertex. */
  readonly moved: number;
  /** Expected IoU of the new ring and of the one sent; null where the model has no mask. */
  readonly score: number | null;
  readonly scoreBefore: number | null;
  readonly ms: number;
}

export interface DecisionRequest extends Spent {
  /** The instance's revision that the page worked on. */
  readonly revision: number;
  /** "accepted" or "edited": the server names it by whether ring, box or category changed. */
  readonly status: DecidedStatus;
  /**
   * One ring at most, its vertices on the image (0..imageWidth, 0..imageHeight); anything else is refused. Absent: ring
   * and pins stay as they are, which a polygon of more vertices than a request may have can be accepted by.
   */
  readonly rings?: readonly Ring[];
  readonly pins?: readonly (readonly number[])[];
  readonly box: BoxXywh;
  readonly categoryId: Id;
  readonly reason?: RejectReason | null;
}

export interface DecisionAnswer {
  readonly revision: number;
  /** Position of the next undecided instance behind this one, then from the first; null when none is left. */
  readonly next: number | null;
  readonly counts: StatusCounts;
  readonly own: StatisticsRow;
}

/** `revision` is that of the session: an undo takes back the last decision only if nothing came in between. */
export interface UndoRequest {
  readonly revision: number;
}

export interface ExportAnswer {
  readonly revision: number;
  readonly files: readonly string[];
  readonly counts: StatusCounts;
}

export interface ApiError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** With 409 E_STALE: what is in force. */
  readonly current?: InstanceView;
}

/** Mean, median and 90 % of active seconds, clicks, and what changed, of one group of decided instances. */
export interface StatisticsRow {
  readonly name: string;
  readonly count: number;
  readonly secondsMean: number | null;
  readonly secondsMedian: number | null;
  readonly seconds90: number | null;
  readonly clicksMean: number | null;
  readonly clicksMedian: number | null;
  /** Mean IoU of the automatic ring with the accepted one. */
  readonly iouBefore: number | null;
}

/** With its 95 % interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** What one arm took: instances, and mean seconds of each. */
export interface ArmSeconds {
  readonly count: number;
  readonly secondsMean: number;
}

export interface Statistics {
  readonly revision: number;
  readonly counts: StatusCounts;
  readonly all: StatisticsRow;
  /** Of the decisions since this server started; null without a server. */
  readonly own: StatisticsRow | null;
  readonly byCategory: readonly StatisticsRow[];
  /** Tenths of the automatic score, the lowest first. */
  readonly byScore: readonly StatisticsRow[];
  readonly acceptedUnchanged: number;
  readonly clicks: ClickCounts;
  readonly networkSeconds: number;
  /** Seconds of an instance by hand minus with help; null until both arms have five. */
  readonly saved:
    (Interval & { readonly manual: ArmSeconds; readonly assist: ArmSeconds; readonly times: Interval }) | null;
  /** Mean IoU of the whole queue (the accepted as truth) after the first n from the lowest score. */
  readonly curve: readonly { readonly reviewed: number; readonly meanIoU: number }[];
}

export type { Id, ImagePoint, Ring };
