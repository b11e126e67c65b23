/** `simulateClicks` of the library: how much an annotator would have to correct. */
import type { ClickStudy } from "../clicks/options.js";
import { usageError } from "../errors.js";
import type { ClickRow } from "../report/csv.js";
import type { ClickChoice, ClickMatch, ClickMetric } from "../report/types.js";
import type { DataSetOptions, MeasureOptions } from "./options.js";
import {
  DATA_SET_DEFAULTS,
  DATA_SET_ROWS,
  from,
  hostOf,
  MEASURE_DEFAULTS,
  MEASURE_ROWS,
  oneOf,
  optionChecker,
  TEXT,
} from "./options.js";

/** Truth annotations so far, of how many; without a polygon; and those of this call. */
interface ClickProgress {
  readonly finished: number;
  readonly total: number;
  readonly failed: number;
  readonly finishedNow: number;
}

/** Options of `simulateClicks`. */
export interface SimulateClicksOptions extends DataSetOptions<ClickProgress>, MeasureOptions {
  /** Boxes with ground truth polygons or masks. */
  readonly truth: string;
  /** What annotators tolerate, in grid cells; with match "area" in cells of area. 1 to 16 different numbers of 0 or more. Default: 1, 2, 3, 4. */
  readonly thresholds?: readonly number[];
  /**
   * Judge a vertex by the closest true one, by its place in the ring, or by the area between; or correct whole polygons,
   * the worst place first. Default: "closest".
   */
  readonly match?: ClickMatch;
  /** With match "worst" only: take the network's way where it is truly better, never, or always. Default: "true". */
  readonly choice?: ClickChoice;
  /** Absent: "manhattan" for match "ring", else "chessboard". */
  readonly metric?: ClickMetric;
  /** Clicks an annotator has per instance, 0 or more. Default: no limit. */
  readonly maxClicks?: number;
  /** Where the automatic polygons are written as a COCO file. Absent: nowhere. */
  readonly automaticFile?: string;
  /** Every simulated instance, as it comes. Waits for the promise. */
  readonly onRow?: (row: ClickRow) => void | Promise<void>;
}

export const SIMULATE_DEFAULTS = {
  ...DATA_SET_DEFAULTS,
  ...MEASURE_DEFAULTS,
  thresholds: [1, 2, 3, 4],
  match: "closest",
} as const;

const check = optionChecker<SimulateClicksOptions>(
  "simulateClicks",
  {
    ...DATA_SET_ROWS,
    ...MEASURE_ROWS,
    truth: TEXT,
    thresholds: { type: "array", minItems: 1, maxItems: 16, uniqueItems: true, items: { type: "number", minimum: 0 } },
    match: oneOf("closest", "ring", "area", "worst"),
    choice: oneOf("true", "never", "always"),
    metric: oneOf("chessboard", "manhattan"),
    maxClicks: from(0),
    automaticFile: TEXT,
  },
  ["images", "truth"],
);

/**
 * Simulates annotators who correct predicted polygons vertex by vertex. Writes nothing but `automaticFile`.
 *
 * When the signal is aborted, the batch under way is finished and the study says `stopped: true`; before anything is
 * simulated it throws the signal's reason.
 * @returns the study; `report` is what report.json holds under "clicks"
 * @throws PolyrnnError E_USAGE for wrong options, E_MISSING and E_DATA for inputs without usable truth, E_UNAVAILABLE
 *   for model and device, E_WRITE for `automaticFile`
 */
export async function simulateClicks(options: SimulateClicksOptions): Promise<ClickStudy> {
  const { signal, onProgress, onFailure, onRow, onNote, groupBy, ...asked } = {
    ...SIMULATE_DEFAULTS,
    ...check(options),
  };
  if (asked.choice !== undefined && asked.match !== "worst") {
    throw usageError(
      `simulateClicks(): expected match "worst" with a choice but received ${JSON.stringify(asked.match)}`,
      "Only that annotator is shown the network's way: add the match, or leave choice out.",
    );
  }
  signal?.throwIfAborted();
  const [main, { parseGroupBy }] = await Promise.all([
    import("../clicks/simulate-clicks.js"),
    import("../evaluate/groups.js"),
  ]);
  return main.simulateClicks(
    { ...asked, groupBy: parseGroupBy(groupBy) },
    {
      ...hostOf({ signal, onNote, onProgress, onFailure }),
      row: async (row) => {
        await onRow?.(row);
      },
    },
  );
}
