/** `evaluate` of the library: polygons against ground truth, as numbers. */
import type { ResultRow } from "../report/csv.js";
import type { EvaluationReport } from "../report/types.js";
import { packageVersion } from "../version.js";
import type { BoxOptions, CallOptions } from "./options.js";
import {
  BOX_ROWS,
  ignore,
  MEASURE_DEFAULTS,
  MEASURE_ROWS,
  NAMES,
  neverStops,
  oneOf,
  optionChecker,
  RATIO,
  TEXT,
} from "./options.js";
import type { MeasureOptions } from "./options.js";

/** Options of `evaluate`. */
export interface EvaluateOptions extends CallOptions, BoxOptions, MeasureOptions {
  /** A run folder, its annotations.json, or a COCO results list with segmentations. */
  readonly predictions: string;
  /** Ground truth: whatever is read as boxes and has polygons or masks. */
  readonly truth: string;
  /** Image folder, for GrabCut and for image sizes that the truth lacks. Absent: the run's. */
  readonly images?: string;
  /**
   * "box", "square", "ellipse", "mean-shape", "grabcut", "grabcut-mask", "deepmask", "sharpmask", "dilation", "crf", and
   * result files as "name=file.json". Default: box, square, ellipse.
   */
  readonly compare?: readonly string[];
  /**
   * Parts of the truth to give the network one at a time, for the share of each in the error: "first", "steps", "map",
   * "grid". Predicts each instance again, with the images. Default: none.
   */
  readonly oracle?: readonly string[];
  /** Parts of the truth below this area in pixels are left out of it, 0 or more. Default: 0. */
  readonly minArea?: number;
  /** How predictions find their instance. Absent: by id where the file has ids, else by box. */
  readonly matchBy?: "id" | "box";
  /** Extra part of the box's long side in the network's square, 0 to 1. Absent: the run's, else 0.15. */
  readonly context?: number;
  /** Truth annotations seen so far, and their number. */
  readonly onProgress?: (progress: { readonly finished: number; readonly total: number }) => void;
  /** Every truth annotation and every prediction that fits none, as they come. Waits for the promise. */
  readonly onRow?: (row: ResultRow) => void | Promise<void>;
  /** One line for people. */
  readonly onNote?: (line: string) => void;
}

export const EVALUATE_DEFAULTS = {
  ...MEASURE_DEFAULTS,
  compare: ["box", "square", "ellipse"],
  oracle: [],
  minArea: 0,
} as const;

const check = optionChecker<EvaluateOptions>(
  "evaluate",
  {
    ...BOX_ROWS,
    ...MEASURE_ROWS,
    predictions: TEXT,
    truth: TEXT,
    images: TEXT,
    compare: NAMES,
    oracle: NAMES,
    minArea: { type: "number", minimum: 0 },
    matchBy: oneOf("id", "box"),
    context: RATIO,
  },
  ["predictions", "truth"],
);

/**
 * Compares polygons with ground truth. Writes nothing.
 * @returns the numbers that report.json holds; schemas/report.json describes it
 * @throws PolyrnnError E_USAGE for wrong options; E_MISSING and E_DATA for inputs, also when there is nothing to
 *   compare; E_UNAVAILABLE for GrabCut without its package; the signal's reason once it is aborted
 */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationReport> {
  const { signal, onProgress, onRow, onNote, resamples, groupBy, oracle, ...asked } = {
    ...EVALUATE_DEFAULTS,
    ...check(options),
  };
  signal?.throwIfAborted();
  const [main, { parseGroupBy }, { parseComparisons, parseOracles, locateComparisons }, { predictionsAt }] =
    await Promise.all([
      import("../evaluate/evaluate.js"),
      import("../evaluate/groups.js"),
      import("../evaluate/methods/open-methods.js"),
      import("../evaluate/methods/prediction-file.js"),
    ]);
  const predictions = await predictionsAt(asked.predictions);
  const { report } = await main.evaluate(
    {
      ...asked,
      predictions,
      isRunFolder: predictions !== asked.predictions,
      compare: await locateComparisons(parseComparisons(asked.compare)),
      oracles: parseOracles(oracle),
      groupBy: parseGroupBy(groupBy),
      resamples,
      generator: `polyrnn ${packageVersion()}`,
    },
    {
      signal: signal ?? neverStops(),
      note: onNote ?? ignore,
      progress: (finished, total) => onProgress?.({ finished, total }),
      methods: () => Promise.resolve(),
      row: async (row) => {
        await onRow?.(row);
      },
    },
  );
  return report;
}
