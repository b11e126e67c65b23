/**
 * What `evaluate` is asked for, and what it tells its caller. The command line fills these in; tests and other programs
 * may as well.
 */
import type { BoxUnit } from "../dataset/relative-boxes.js";
import type { Rasterizer } from "../geometry/iou.js";
import type { ResultRow } from "../report/csv.js";
import type { GroupBy } from "../report/types.js";
import type { ShapeBaseline } from "./methods/baselines.js";
import type { LearnedName } from "./methods/learned-masks.js";
import type { OracleChoice } from "./methods/open-methods.js";
import type { MatchBy } from "./methods/match-predictions.js";

/** A method beside the predictions. */
export type Comparison =
  | { readonly kind: "shape"; readonly name: ShapeBaseline }
  | { readonly kind: "grabcut" }
  | { readonly kind: "mean-shape" }
  /** Starts from the maps of `mobile`. */
  | { readonly kind: "learned"; readonly name: LearnedName }
  | { readonly kind: "file"; readonly name: string; readonly path: string };

export interface EvaluateOptions {
  /** COCO file with annotations (annotations.json of a run), or COCO results list with segmentations. */
  readonly predictions: string;
  /** The run folder was named, not the file in it: its run.json has to be sound. */
  readonly isRunFolder?: boolean;
  /** Whatever the data set readers open. */
  readonly truth: string;
  /** What the numbers of the truth's boxes count; see `OpenDatasetOptions`. */
  readonly boxesAre?: BoxUnit;
  /** Image folder: for GrabCut, for pictures, and for the images' sizes where the truth does not give them. */
  readonly images?: string;
  readonly compare: readonly Comparison[];
  /** Parts of the truth that the network is given, to see what each would gain; none when absent. */
  readonly oracles?: readonly OracleChoice[];
  readonly rasterizer: Rasterizer;
  readonly groupBy: GroupBy;
  /** Parts of the truth below this area are left out of it, pixels; 0 keeps all. */
  readonly minArea: number;
  /** By ordinal: truth annotations that are evaluated, where a run predicted only some; all when absent. */
  readonly only?: (ordinal: number) => boolean;
  /** How predictions find their instance; absent: by id where the file has ids, else by box. */
  readonly matchBy?: MatchBy;
  /** Extra part of the box's long side in the network's square; absent: that of the run, else 0.15. */
  readonly context?: number;
  /** Whether the reports show published figures beside the measured ones. */
  readonly published?: boolean;
  readonly seed: number;
  /** Resamples of the bootstrap; 0 = no intervals. */
  readonly resamples: number;
  /** "polyrnn 0.1.0" */
  readonly generator: string;
}

export interface EvaluateHost {
  /** Aborted = stop after the current image; nothing is returned then. */
  readonly signal: AbortSignal;
  /** One line for people. */
  note(line: string): void;
  /** Truth annotations seen so far, and their number. */
  progress(seen: number, total: number): void;
  /** Names of the methods in the order of `EvaluatedRow.scores`; called once, before the first row. */
  methods(names: readonly string[]): Promise<void>;
  /** Every truth annotation and every prediction that fits none, as they come. */
  row(row: ResultRow): Promise<void>;
}
