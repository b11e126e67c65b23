/**
 * report.json: everything an evaluation or a click simulation found out, as data. The files for people (report.md,
 * report.html) are made from this and from report/published.ts, and hold no number that is in neither. One file of
 * more than 300 lines, because it is one document.
 *
 * Ratios (IoU, scores, means) run from 0 to 1; areas and sizes are image pixels; points are [x, y] in image pixels. A
 * mean over nothing is null, never 0 and never NaN. Names, ids and paths come from files: whoever prints them escapes
 * them.
 */
import type { Rasterizer } from "../geometry/iou.js";
import type { Id } from "../types.js";

/** Raised when a field changes its meaning or goes away; new fields keep it. */
export const REPORT_VERSION = 1;

/**
 * What instances are grouped by besides class and size: nothing, the file name up to its first "_", or a field of the
 * image record.
 */
export type GroupBy =
  { readonly kind: "none" } | { readonly kind: "prefix" } | { readonly kind: "field"; readonly field: string };

/** COCO's sizes by truth area in pixels: below 32^2, below 96^2, the rest. */
export type SizeName = "small" | "medium" | "large";

export interface EvaluationReport {
  readonly version: typeof REPORT_VERSION;
  /** "polyrnn 0.1.0" */
  readonly generator: string;
  readonly inputs: ReportInputs;
  readonly counts: ReportCounts;
  /**
   * "polyrnn" (the predictions file) first, then the baselines and other result files in the order they were asked for.
   */
  readonly methods: readonly MethodReport[];
  /**
   * The truth through the centers of a 28 x 28 grid: what a network reaches that always names the right cells, before
   * vertices are placed in them.
   */
  readonly gridCeiling: MethodReport;
  readonly histograms: Histograms;
  /** IoU of the predictions against truth area. */
  readonly iouBySize: IouBySize;
  /** IoU of the predictions against their score; absent when the predictions carry no scores. */
  readonly iouByScore?: IouByScore;
  readonly examples: Examples;
  /** Absent when no oracle was asked for. */
  readonly oracle?: OracleReport;
  /** Absent when no click simulation was asked for. */
  readonly clicks?: ClickReport;
}

/** A report and what its pages need beside it. */
export interface Evaluation {
  readonly report: EvaluationReport;
  /** Image files of the report's examples, by image id; empty without an image folder. */
  readonly imagePaths: ReadonlyMap<Id, string>;
}

/** What was compared, with which settings: enough to repeat it. */
export interface ReportInputs {
  /** Paths as the user gave them. */
  readonly predictions: string;
  readonly truth: string;
  readonly images?: string;
  /** Name of the model, from run.json beside the predictions or from the simulation. */
  readonly model?: string;
  readonly engine?: string;
  readonly device?: string;
  readonly rasterizer: Rasterizer;
  readonly groupBy: GroupBy;
  /** Truth parts below this area in pixels were left out of the truth (the paper's protocol: 100); 0 = none. */
  readonly minArea: number;
  /** Whether the reports show published figures, in columns named as such, beside the measured ones. */
  readonly published?: boolean;
  /** Seed and resamples of the bootstrap intervals. */
  readonly seed: number;
  readonly resamples: number;
}

export interface ReportCounts {
  /** Annotations in the truth file. */
  readonly truthAnnotations: number;
  readonly images: number;
  /** Instances every mean is taken over: those with a usable truth, failed ones included. */
  readonly evaluated: number;
  /** Evaluated instances without a usable prediction: counted as IoU 0. */
  readonly failed: number;
  /** The failed ones by reason. */
  readonly failures: readonly ListedReason[];
  /** Annotations and predictions that take no part in any mean, by reason. */
  readonly exclusions: readonly ListedReason[];
  /** What was evaluated although it looks wrong: self-crossing rings, thousands of vertices, and so on. */
  readonly remarks: readonly ListedReason[];
}

export interface ListedReason {
  /** Stable name such as "crowd", "truth-missing", "prediction-missing", "polygon-outside". */
  readonly reason: string;
  /** The reason, for people. */
  readonly words: string;
  readonly count: number;
  /**
   * The first ids (of truth annotations; of predictions where the reason starts with "prediction-"), at most
   * LISTED_IDS.
   */
  readonly firstIds: readonly Id[];
}

/** Ids listed per reason; all of them are in instances.csv. */
export const LISTED_IDS = 20;

/**
 * A mean with its 95 % bootstrap interval. All three are null when count is 0; of a single instance, and without
 * resamples, there is no interval and its ends are null.
 */
export interface Interval {
  readonly mean: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Instances (or, for a class mean, classes) behind the mean. */
  readonly count: number;
}

/** Means over one group of instances. */
export interface GroupScore {
  /** Class, size or source name. */
  readonly name: string;
  readonly iou: Interval;
  readonly boundaryIou: Interval;
}

export interface MethodReport {
  /** "polyrnn", "grid-ceiling", a method's own name such as "box", or the name given to --compare. */
  readonly name: string;
  /** What the method does and with which settings, for people. */
  readonly words: string;
  /** The file for methods that come from one. */
  readonly file?: string;
  /** "mask" where a mask is compared that no polygon was made of; absent for polygons and for files. */
  readonly comparedAs?: ComparedAs;
  /** Mean of the class means, and mean over instances. */
  readonly classMean: Interval;
  readonly instanceMean: Interval;
  readonly boundaryClassMean: Interval;
  readonly boundaryInstanceMean: Interval;
  /** Instances without a usable result of this method, counted as 0. */
  readonly failed: number;
  /** In the order of the truth's categories; classes without instances are left out. */
  readonly perClass: readonly GroupScore[];
  /** small, medium, large, in this order; always three. */
  readonly perSize: readonly GroupScore[];
  /** Sorted by name; absent when no grouping was asked for. */
  readonly perSource?: readonly GroupScore[];
  /** Seconds of computing for baselines worth timing (GrabCut). */
  readonly seconds?: number;
}

export interface Histograms {
  /** 20 bins of width 0.05 over IoU; 1 belongs to the last. Sum = evaluated. */
  readonly iou: readonly HistogramBin[];
  /**
   * Vertices per predicted polygon: one bin per number of vertices, 3 up to the last bin, which holds "that many and
   * more".
   */
  readonly vertices: readonly HistogramBin[];
}

/** Values v with low <= v < high; the last bin of a histogram includes high. high is null when the bin is open. */
export interface HistogramBin {
  readonly low: number;
  readonly high: number | null;
  readonly count: number;
}

export interface IouBySize {
  /**
   * Bins by the square root of the truth area, pixels, in doubling steps; empty ones included between the first and the
   * last.
   */
  readonly bins: readonly {
    readonly low: number;
    readonly high: number;
    readonly count: number;
    readonly meanIou: number | null;
  }[];
  /** Seeded sample without replacement, at most SAMPLE_POINTS: [square root of truth area in pixels, IoU]. */
  readonly sample: readonly (readonly [number, number])[];
}

/** Is the score worth trusting? */
export interface IouByScore {
  /** Ten bins of width 0.1 over the score; means are null where a bin is empty. */
  readonly bins: readonly {
    readonly low: number;
    readonly high: number;
    readonly count: number;
    readonly meanScore: number | null;
    readonly meanIou: number | null;
  }[];
  /** Seeded sample without replacement, at most SAMPLE_POINTS: [score, IoU]. */
  readonly sample: readonly (readonly [number, number])[];
  /** Spearman's rank correlation of score and IoU; null below three instances or without variation. */
  readonly rankCorrelation: number | null;
}

/** Points per sample in the report. */
export const SAMPLE_POINTS = 1000;

/**
 * Instances to look at. Worst: lowest IoU first; median: closest to the median; best: highest first. At most EXAMPLES
 * each.
 */
export interface Examples {
  readonly worst: readonly Example[];
  readonly median: readonly Example[];
  readonly best: readonly Example[];
}
export const EXAMPLES = 6;

/** Where the error comes from: the network given parts of the truth, against the predictions, on the same instances. */
export interface OracleReport {
  readonly oracles: readonly { readonly name: OracleShare["oracle"]; readonly words: string }[];
  /** All instances, then the three sizes, then groups by the truth's vertices on the grid; none is left out. */
  readonly groups: readonly OracleGroup[];
}

export interface OracleGroup {
  readonly kind: "all" | "size" | "vertices";
  /** "all", a SizeName, or a range of vertices, for people: "9 to 16". */
  readonly name: string;
  readonly count: number;
  /** IoU of the predictions. */
  readonly now: Interval;
  /** In the order of `oracles`. */
  readonly shares: readonly OracleShare[];
}

export interface OracleShare {
  readonly oracle: "first" | "steps" | "teacher" | "map" | "grid";
  /** IoU over that of the predictions, paired. */
  readonly gain: Interval;
  /** Gain as a part of the error, 1 - IoU; negative where the truth hurts; null without an error. */
  readonly ofError: number | null;
}

/** [x, y] pairs in image pixels; open (the first vertex is not repeated). */
export type ReportRing = readonly (readonly [number, number])[];

export interface Example {
  readonly annotationId: Id;
  readonly imageId: Id;
  readonly fileName: string;
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly category: string;
  /** [left, top, width, height], image pixels. */
  readonly box: readonly [number, number, number, number];
  readonly iou: number;
  readonly score?: number;
  /** Rings of truth and prediction that are too many for a report, the smallest ones; absent where all are there. */
  readonly hiddenParts?: number;
  /** Truth outlines; for RLE truths traced from the mask. */
  readonly truth: readonly ReportRing[];
  /** The prediction; several rings where the predictions file has them; empty when it failed. */
  readonly automatic: readonly ReportRing[];
  /** After simulated corrections at the smallest threshold simulated, and the clicks that took. */
  readonly corrected?: ReportRing;
  readonly correctedIou?: number;
  readonly correctedThreshold?: number;
  readonly clicks?: number;
}

export type ClickMetric = "chessboard" | "manhattan";
export type ClickMatch = "closest" | "ring" | "area" | "worst";
/** Which of the network's proposals an annotator takes: those that are truly better, none, or all. */
export type ClickChoice = "true" | "never" | "always";

/** What the simulated annotator did. */
export interface ClickReport {
  readonly metric: ClickMetric;
  readonly match: ClickMatch;
  /** With match "worst" only. */
  readonly choice?: ClickChoice;
  /** Most clicks per instance; null = no limit but that on the decoder's steps. */
  readonly maxClicks: number | null;
  /** The rules that were applied, for people: one sentence each. */
  readonly rules: readonly string[];
  /** Instances simulated. */
  readonly instances: number;
  /** Truth annotations the simulation could not take part in, by reason. */
  readonly exclusions: readonly ListedReason[];
  /** In the order of the thresholds asked for. */
  readonly perThreshold: readonly ThresholdReport[];
  /** Corrections needed to reach an IoU; targets 0.8, 0.85, 0.9. */
  readonly noc: readonly NocReport[];
  /**
   * Mean IoU after the k-th correction, k = 0 (automatic) up to the cap; instances that needed fewer keep their last
   * IoU.
   */
  readonly iouAfterClicks: readonly { readonly clicks: number; readonly iou: number }[];
  /** Simulated annotators and the people of a review, on the same instances. */
  readonly effort: readonly ClickEffort[];
  /** Folder of the run whose review was compared; absent without one. */
  readonly reviewed?: string;
  /** Threshold the NoC and the IoU after k corrections were taken at, grid cells. */
  readonly curveThreshold: number;
  /**
   * Device time of all simulations, those of the curve included, divided by the clicks of all thresholds; null when
   * there was no click.
   */
  readonly secondsPerClick: number | null;
  readonly wallSeconds: number;
  readonly model?: string;
  readonly engine?: string;
  readonly device?: string;
}

export interface ThresholdReport {
  /** T in grid cells (match "area": the limit on the local area error, cells^2). */
  readonly threshold: number;
  /** Clicks per instance. */
  readonly clicksClassMean: Interval;
  readonly clicksInstanceMean: Interval;
  readonly iouClassMean: Interval;
  readonly iouInstanceMean: Interval;
  /** Vertices of the truth on the grid, as compared; mean over instances. */
  readonly truthVertices: number | null;
  /** Truth vertices / clicks, of the instance means; null when there was no click. */
  readonly speedUp: number | null;
  readonly perClass: readonly ClassClicks[];
  /** Sorted by name; absent when no grouping was asked for. */
  readonly perSource?: readonly ClassClicks[];
}

export interface ClassClicks {
  readonly name: string;
  readonly count: number;
  readonly clicks: Interval;
  readonly iou: Interval;
  readonly truthVertices: number | null;
  readonly speedUp: number | null;
}

/** What one annotator did. */
export interface ClickEffort {
  /** "measured": people, in `polyrnn review`. */
  readonly who: "simulated" | "measured";
  /** null for people. */
  readonly threshold: number | null;
  readonly instances: number;
  /** Per instance; vertices moved, added or deleted, boxes, vertices drawn by hand. */
  readonly clicksMean: number;
  readonly clicksMedian: number;
  /** Proposals of the network, over all instances; null where none were made. */
  readonly redrawTaken: number | null;
  readonly redrawLeft: number | null;
  /** Mean IoU with the ground truth of the automatic polygons, and of those at the end. */
  readonly iouBefore: number;
  readonly iouAfter: number;
  /** Active seconds of people; null for simulated ones. */
  readonly secondsMedian: number | null;
}

export interface NocReport {
  /** IoU to reach: 0.8, 0.85, 0.9. */
  readonly target: number;
  /** Mean over instances; those that never reach it count with the cap. */
  readonly meanClicks: number | null;
  /** Instances that never reach it within the cap. */
  readonly failures: number;
  readonly cap: number;
}

/** In what shape a method's results were compared; a file may hold both. */
export type ComparedAs = "polygon" | "mask" | "polygons and masks";

/** Polygons are drawn before they are filled; a mask is compared as it is, without the loss that drawing means. */
export function comparedAs({ comparedAs, file }: MethodReport): string {
  return comparedAs ?? (file === undefined ? "polygon" : "as in its file");
}
