/**
 * What `evaluate` is asked, and what it tells its caller. The command line fills these in; tests and other programs may
 * as well.
 */
import type { EvaluationReport, GroupBy, Rasterizer, SizeName } from "../report/types.js";
import type { Id } from "../types.js";
import type { MethodScore } from "./instance-table.js";
import type { ShapeBaseline } from "./methods/baselines.js";
import type { MatchBy } from "./methods/match-predictions.js";
import type { LeftOverReason, MaskFailure, TruthReason } from "./reasons.js";

/** A method beside the predictions. */
export type Comparison =
  | { readonly kind: "shape"; readonly name: ShapeBaseline }
  | { readonly kind: "grabcut" }
  | { readonly kind: "file"; readonly name: string; readonly path: string };

export interface EvaluateOptions {
  /** COCO file with annotations (annotations.json of a run), or COCO results list with segmentations. */
  readonly predictions: string;
  /** Whatever the data set readers open. */
  readonly truth: string;
  /** Image folder: for GrabCut, for pictures, and where the truth does not say the images' sizes. */
  readonly images?: string;
  readonly compare: readonly Comparison[];
  readonly rasterizer: Rasterizer;
  readonly groupBy: GroupBy;
  /** Parts of the truth below this area are left out of it, pixels; 0 keeps all. */
  readonly minArea: number;
  /** By ordinal: truth annotations that are evaluated, where a run drew only some; all when absent. */
  readonly only?: (ordinal: number) => boolean;
  /** How predictions find their instance; absent: by id where the file has ids, else by box. */
  readonly matchBy?: MatchBy;
  /** Extra part of the box's long side in the network's square; absent: that of the run, else 0.15. */
  readonly context?: number;
  readonly seed: number;
  /** Draws of the bootstrap; 0 = no intervals. */
  readonly resamples: number;
  /** "polyrnn 0.1.0" */
  readonly generator: string;
}

export interface EvaluateHost {
  /** Aborted = stop after the image in work; nothing is returned then. */
  readonly signal: AbortSignal;
  /** One line for people. */
  note(line: string): void;
  /** Truth annotations seen so far, and their number. */
  progress(seen: number, total: number): void;
  /** Names of the methods in the order of `EvaluatedRow.scores`; told once, before the first row. */
  methods(names: readonly string[]): Promise<void>;
  /** Every truth annotation and every prediction that fits none, as they come. */
  row(row: ResultRow): Promise<void>;
}

/** A line of instances.csv. */
export type ResultRow = EvaluatedRow | ExcludedRow;

export interface EvaluatedRow {
  readonly status: "evaluated" | "failed";
  /** Why it failed. */
  readonly reason?: MaskFailure;
  readonly annotationId: Id;
  readonly imageId: Id;
  readonly fileName: string;
  readonly category: string;
  /** Absent when no grouping was asked for. */
  readonly source?: string;
  /** Pixels of the truth. */
  readonly area: number;
  readonly size: SizeName;
  readonly score?: number;
  readonly vertices: number;
  /** The predictions, the other methods, the grid ceiling. */
  readonly scores: readonly MethodScore[];
}

export interface ExcludedRow {
  readonly status: "excluded";
  readonly reason: TruthReason | LeftOverReason;
  /** Of the truth; of the prediction where the reason starts with "prediction-". */
  readonly annotationId: Id;
  readonly imageId?: Id;
  readonly fileName?: string;
  /** The file a prediction is from, where it is not the predictions file: the name given to --compare. */
  readonly method?: string;
}

export interface Evaluation {
  readonly report: EvaluationReport;
  /** Image files of the report's examples, by image id; empty without an image folder. */
  readonly imagePaths: ReadonlyMap<Id, string>;
}
