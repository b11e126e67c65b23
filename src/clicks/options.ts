/**
 * What `simulateClicks` is asked for, and what it tells its caller. The command line fills these in; tests and other
 * programs may as well.
 */
import type { DeviceChoice } from "../engine/devices.js";
import type { PrecisionChoice } from "../engine/precision.js";
import { usageError } from "../errors.js";
import type { Rasterizer } from "../geometry/iou.js";
import type { ClickRow } from "../report/csv.js";
import type { ClickChoice, ClickMatch, ClickMetric, ClickReport, GroupBy } from "../report/types.js";
import type { FailReason, Id, Ring } from "../types.js";
import type { ComparedReview } from "./effort.js";
import type { SubjectOptions } from "./subjects.js";

export interface SimulateOptions extends SubjectOptions {
  /** Folder that is searched for images, at any depth. */
  readonly images: string;
  /** Boxes with ground truth: COCO file or Cityscapes folder. */
  readonly truth: string;
  /** Name of a bundled model or path of a model folder. */
  readonly model: string;
  readonly device: DeviceChoice;
  /** Of kernels on a GPU; auto when absent. */
  readonly precision?: PrecisionChoice;
  /** Crops per encoder call, 1 to 256; chosen from the device when absent. */
  readonly batchSize?: number;
  /** Cores to compute on where the CPU computes, 1 to 256; all when absent. */
  readonly threads?: number;
  /** Added to the long side of the box, as a ratio, 0 to 1; the model card's when absent. */
  readonly context?: number;
  /** Decoder steps at most, 3 to 500. */
  readonly maxSteps: number;
  /** Most polygons predicted per instance to find the one an annotator is shown first, 1 to 10. */
  readonly candidates: number;
  /** As in AnnotateOptions. */
  readonly sure?: number;
  /**
   * T in grid cells; with match "area" the limit on the area error in cells of area. At least one, distinct, 0 or more.
   */
  readonly thresholds: readonly number[];
  readonly match: ClickMatch;
  /** With match "worst" only; "true" when absent. */
  readonly choice?: ClickChoice;
  /** Absent: Manhattan for "ring", as in its source, else chessboard. */
  readonly metric?: ClickMetric;
  /** Clicks an annotator has per instance, 0 or more; no limit when absent. */
  readonly maxClicks?: number;
  readonly rasterizer: Rasterizer;
  readonly groupBy: GroupBy;
  /** Seed and resamples of the bootstrap intervals; 0 resamples = no intervals. */
  readonly seed: number;
  readonly resamples: number;
  /** Where the automatic polygons are written as a COCO file, for evaluation; nowhere when absent. */
  readonly automaticFile?: string;
  /** A review of the same annotations, by image and annotation id; the caller closes it. */
  readonly review?: ComparedReview;
}

export interface SimulateHost {
  /** Aborted = finish the batch and return with `stopped: true`. */
  readonly signal: AbortSignal;
  /** One line for people. */
  note(line: string): void;
  progress(progress: {
    readonly finished: number;
    readonly total: number;
    readonly failed: number;
    readonly finishedNow: number;
  }): void;
  /** An instance whose image or box gives no crop. */
  failure(failure: {
    readonly annotationId: Id;
    readonly imageId: Id;
    readonly reason: FailReason;
    readonly message: string;
  }): void;
  /** Every simulated instance, as it comes. */
  row(row: ClickRow): Promise<void>;
}

export interface ClickStudy {
  readonly report: ClickReport;
  /** True when the user stopped it: the report covers the instances simulated by then. */
  readonly stopped: boolean;
  /** Instances that could not be simulated because of their image or box. */
  readonly failed: number;
  /** Extra part of the box's long side that the network saw. */
  readonly context: number;
  /** True for truth annotations within categories and limit, by ordinal. */
  isAsked(ordinal: number): boolean;
  /** Result at the smallest threshold, for pictures; undefined for an instance that was not simulated. */
  corrected(annotationId: Id): CorrectedPolygon | undefined;
}

export interface CorrectedPolygon {
  /** Image pixels, clockwise; may have fewer than three distinct vertices. */
  readonly ring: Ring;
  readonly iou: number;
  readonly clicks: number;
  readonly threshold: number;
}

/** More than anybody compares; each costs rows of the decoder. */
const MOST_THRESHOLDS = 16;

/**
 * Args of `--threshold` and `--simulate-clicks` to numbers.
 * @param place the option as typed, opens the message
 * @throws E_USAGE unless they are different numbers of 0 or more, at most 16
 */
export function parseThresholds(args: readonly string[], place: string): number[] {
  const hint = "Give distances in grid cells, for example 1,2,3,4.";
  const thresholds = args.map((arg) => {
    // Number() alone would accept "", "0x10" and "Infinity".
    const value = /^(\d+(\.\d*)?|\.\d+)$/.test(arg) ? Number(arg) : NaN;
    if (!Number.isFinite(value))
      throw usageError(`${place}: expected numbers of 0 or more but received ${JSON.stringify(arg)}`, hint);
    return value;
  });
  const twice = thresholds.find((threshold, at) => thresholds.indexOf(threshold) !== at);
  if (twice !== undefined)
    throw usageError(`${place}: expected every threshold once but received ${twice} twice`, hint);
  if (thresholds.length === 0 || thresholds.length > MOST_THRESHOLDS) {
    throw usageError(`${place}: expected 1 to ${MOST_THRESHOLDS} thresholds but received ${thresholds.length}`, hint);
  }
  return thresholds;
}
