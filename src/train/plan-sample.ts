/** One training example before its pixels are made: which instance, seen how, and the sequence it teaches. A pure function of its random stream. */
import { squareWindow } from "../geometry/box.js";
import type { CropWindow } from "../geometry/grid.js";
import type { Random } from "../random.js";
import type { GridCell } from "../types.js";
import { startAt, targetCells, type SequenceLimits } from "./target-cells.js";
import { unpackRing, type TruthInstance, type TruthSet } from "./truth-instance.js";

export interface PlannedSample {
  /** Position in `TruthSet.instances`. */
  readonly instance: number;
  readonly window: CropWindow;
  /** Clockwise on screen in the crop as it will be, from the first vertex to be taught. */
  readonly cells: readonly GridCell[];
}

export interface SampleRules {
  readonly limits: SequenceLimits;
  /** Context of the crop where augmentation gives none: the one the truth was filtered with. */
  readonly context: number;
}

export function planSample({ instances }: TruthSet, instance: number, rules: SampleRules, random: Random): PlannedSample {
  const truth = instances[instance]!;
  const window = squareWindow(truth.box, rules.context);
  const cells = cellsIn(truth, window, rules.limits);
  return { instance, window, cells: startAt(cells, random.integer(cells.length)) };
}

function cellsIn(truth: TruthInstance, window: CropWindow, limits: SequenceLimits): GridCell[] {
  const cells = targetCells(unpackRing(truth.points), window, limits);
  if (typeof cells === "string") throw new Error(`annotation ${truth.annotationId}: ${cells} in the window it was kept for`);
  return cells;
}
