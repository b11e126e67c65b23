/** How long a polygon may become and how many compete for a crop. Imports nothing, so that option tables stay quick. */

/** Decoder steps per polygon at most, end-of-sequence included, as in the authors' released code. */
export const MAX_STEPS = 71;
/** What one may ask for instead. */
export const MAX_STEPS_RANGE = { low: 3, high: 500 } as const;

/** Polygons per crop at most, unless a user asks for another number. */
export const DEFAULT_CANDIDATES = 4;
/** The largest number one may ask for. */
export const MAX_CANDIDATES = 10;

/** A candidate score from which on a polygon is not doubted, unless a user asks for another. */
export const SURE_FROM = {
  /** Judged by a map of 28 x 28 cells. */
  coarse: 0.7,
  /** Judged by the refined mask. */
  fine: 0.8,
} as const;

export interface DecodeOptions {
  /** Decoder steps at most, at least 1. */
  readonly maxSteps: number;
  /** Polygons per crop at most, 1..10; with 1, or without a mask map, there is one for each crop. */
  readonly candidates: number;
  /** Candidate score from which on a polygon is not doubted, 0..1; SURE_FROM when absent. */
  readonly sure?: number;
}

/** Polygons with a lower score are those to look at first. */
export const DOUBTFUL_BELOW = 0.5;
