/** What a click simulation is asked for, what comes out of it, and how a crop becomes its subject. */
import type { Crop } from "../crop/crop.js";
import type { Exclusion } from "../evaluate/truth.js";
import { prepareTruth } from "../evaluate/truth.js";
import type { CropWindow } from "../geometry/grid.js";
import { GRID_SIZE } from "../geometry/grid.js";
import type { Rasterizer } from "../geometry/iou.js";
import { ringToCells } from "../geometry/quantize.js";
import { signedArea } from "../geometry/ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import { traceMask } from "../geometry/trace-mask.js";
import type { Sequence } from "../predict/decode-loop.js";
import { fitOf } from "../predict/mask-agreement.js";
import { polygonScore, sequenceToRing } from "../predict/outline.js";
import type { ClickChoice, ClickMatch, ClickMetric } from "../report/types.js";
import type { GridCell, Ring, Rle, Truth } from "../types.js";

/**
 * The IoU is followed up to this many corrections, and NoC counts an instance that needs more as needing this many: the
 * custom of interactive segmentation.
 */
export const CURVE_CLICKS = 20;

export interface Simulation {
  /** At least one. */
  readonly thresholds: readonly number[];
  readonly match: ClickMatch;
  readonly metric: ClickMetric;
  /** Infinity for no limit. */
  readonly maxClicks: number;
  readonly maxSteps: number;
  /** Most polygons predicted per instance to find the one shown first, 1..10. */
  readonly candidates: number;
  /** Fit from which that one is not predicted again, 0..1; the map's own when absent. */
  readonly sure?: number;
  readonly rasterizer: Rasterizer;
  /** With match "worst": whether the network's way is taken. */
  readonly choice: ClickChoice;
}

/** A finished polygon, and how good it is. */
export interface MeasuredPolygon {
  /** As decoded; absent once vertices were corrected in image pixels (match "worst"). */
  readonly sequence?: Sequence;
  readonly vertices: number;
  /** False when the limit on steps came first; with match "worst" when the limit on clicks did. */
  readonly ended: boolean;
  /** As `annotate` would write it; empty with fewer than three distinct vertices. */
  readonly ring: Ring;
  readonly clicks: number;
  /** Proposals of the network that were taken and left; with match "worst" only. */
  readonly proposals?: { readonly taken: number; readonly left: number };
  /** At image resolution, against all parts of the truth; 0 with fewer than three distinct vertices. */
  readonly iou: number;
}

export interface SimulatedInstance {
  readonly kind: "simulated";
  readonly crop: Crop;
  /** Cells of the truth on the grid. */
  readonly truthVertices: number;
  readonly automatic: MeasuredPolygon & { readonly sequence: Sequence };
  /** Of the automatic polygon; the very score that `annotate` writes for it. */
  readonly automaticScore: number;
  /** In the order of the thresholds. */
  readonly perThreshold: readonly MeasuredPolygon[];
  /** IoU when the annotator of the smallest threshold stops after k corrections, k = 0 (automatic) to `curveLength`. */
  readonly iouAfterClicks: readonly number[];
}

export type SimulationResult = SimulatedInstance | ({ readonly kind: "excluded"; readonly crop: Crop } & Exclusion);

/** Corrections over which the IoU is followed. */
export function curveLength({ maxClicks }: Simulation): number {
  return Math.min(CURVE_CLICKS, maxClicks);
}

/** Position of the smallest threshold. */
export function smallestThreshold(thresholds: readonly number[]): number {
  return thresholds.indexOf(Math.min(...thresholds));
}

export interface UsableSubject {
  readonly kind: "usable";
  readonly crop: Crop;
  /** On the grid. */
  readonly truth: readonly GridCell[];
  readonly mask: Rle;
}
export type Subject = UsableSubject | ({ readonly kind: "excluded"; readonly crop: Crop } & Exclusion);

export function prepareSubject(crop: Crop, { rasterizer }: Simulation): Subject {
  const prepared = prepareTruth(crop.instance, { width: crop.imageWidth, height: crop.imageHeight }, rasterizer, 0);
  if (prepared.kind === "excluded") return { ...prepared, crop };
  const truth = truthOnGrid(crop.instance.truth!, crop.window);
  return truth === undefined
    ? { kind: "excluded", crop, reason: "truth-flat" }
    : { kind: "usable", crop, truth, mask: prepared.mask };
}

/**
 * Tolerance that removes the stairs of a mask's outline, image pixels. Filled triangles of any slant come back as about
 * three vertices; with 1 px most stairs would stay.
 */
const STAIR_PX = 1.5;

/**
 * An annotator outlines one part, as the network does: the largest ring of a truth polygon, or the largest component of
 * a truth mask without its holes. A mask's outline follows pixel edges: simplification within 1.5 pixels, at most half
 * a grid cell, removes the stairs, which would count as vertices. The ring then becomes grid cells as in training:
 * cells under the vertices, without repeated and collinear ones, clockwise.
 *
 * @returns undefined when no area is left on the grid: fewer than three cells, or all in line
 */
export function truthOnGrid(truth: Truth, window: CropWindow): readonly GridCell[] | undefined {
  const cells = ringToCells(outlineOf(truth, window), window);
  return cells.length >= 3 && signedArea(cells.map(({ col, row }) => ({ x: col, y: row }))) > 0 ? cells : undefined;
}

/** The one outline that an annotator follows, in image pixels. */
export function outlineOf(truth: Truth, window: CropWindow): Ring {
  return truth.kind === "polygon"
    ? largestRing(truth.polygon)
    : simplifyRing(largestRing(traceMask(truth.rle)), Math.min(STAIR_PX, window.side / GRID_SIZE / 2));
}

/** Outlines of holes run counterclockwise and never enclose more than the outline around them. */
function largestRing(rings: readonly Ring[]): Ring {
  let largest: Ring = [];
  let most = 0;
  for (const ring of rings) {
    const area = Math.abs(signedArea(ring));
    if (area > most) {
      most = area;
      largest = ring;
    }
  }
  return largest;
}

/** An annotator's loop keeps cells and probabilities of a polygon; how well it fits the mask map is found out again. */
export function scoreAsPredicted(sequence: Sequence, crop: Crop, maskLogits: Float32Array | undefined): number {
  if (maskLogits === undefined) return polygonScore(sequence, {});
  const { expectedIoU } = fitOf(sequence.cells, crop, maskLogits);
  return polygonScore({ ...sequence, expectedIoU }, sequenceToRing(sequence.cells, crop, maskLogits));
}
