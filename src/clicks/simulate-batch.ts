/**
 * One batch of crops through all simulated annotators at once: one encoding, and all thresholds and instances step
 * together. An annotator sees the truth as one ring of grid cells, in the crop's frame.
 */
import type { Crop } from "../crop/crop.js";
import type { Engine } from "../engine/engine.js";
import type { Exclusion } from "../evaluate/truth.js";
import { prepareTruth } from "../evaluate/truth.js";
import type { CropWindow } from "../geometry/grid.js";
import { GRID_SIZE, flipCells } from "../geometry/grid.js";
import type { Rasterizer } from "../geometry/iou.js";
import { fillPolygon, iouOfRles } from "../geometry/iou.js";
import { ringToCells } from "../geometry/quantize.js";
import { signedArea } from "../geometry/ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import { traceMask } from "../geometry/trace-mask.js";
import { decodeCorrected } from "../predict/corrected.js";
import type { DecodedPolygon, Sequence } from "../predict/decode-loop.js";
import { fitOf } from "../predict/mask-agreement.js";
import { polygonScore, sequenceToRing } from "../predict/outline.js";
import { stackPixels } from "../predict/predict.js";
import type { ClickMatch, ClickMetric } from "../report/types.js";
import type { GridCell, Ring, Rle, Truth } from "../types.js";
import { areaRule } from "./area-rule.js";
import type { ClickRule } from "./rules.js";
import { closestRule, ringRule, SimulatedAnnotator } from "./rules.js";

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
}

/** A finished polygon, and how good it is. */
export interface MeasuredPolygon {
  readonly sequence: Sequence;
  /** As `annotate` would write it; empty with fewer than three distinct vertices. */
  readonly ring: Ring;
  readonly clicks: number;
  /** At image resolution, against all parts of the truth; 0 with fewer than three distinct vertices. */
  readonly iou: number;
}

export interface SimulatedInstance {
  readonly kind: "simulated";
  readonly crop: Crop;
  /** Cells of the truth on the grid. */
  readonly truthVertices: number;
  readonly automatic: MeasuredPolygon;
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

/** @returns one result per crop, in order, and the time of encoder and decoder together */
export async function simulateBatch(
  engine: Engine,
  crops: readonly Crop[],
  simulation: Simulation,
): Promise<{ results: SimulationResult[]; milliseconds: number }> {
  const subjects = crops.map((crop) => prepareSubject(crop, simulation));
  const usable = subjects.filter((subject) => subject.kind === "usable");
  const { instances, milliseconds } =
    usable.length === 0 ? { instances: [], milliseconds: 0 } : await simulateUsable(engine, usable, simulation);
  let next = 0;
  return {
    results: subjects.map((subject) => (subject.kind === "usable" ? instances[next++]! : subject)),
    milliseconds,
  };
}

async function simulateUsable(
  engine: Engine,
  subjects: readonly UsableSubject[],
  simulation: Simulation,
): Promise<{ instances: SimulatedInstance[]; milliseconds: number }> {
  const crops = subjects.map(({ crop }) => crop);
  const annotatorsOf = (at: number, isFlipped: boolean): SimulatedAnnotator[] => {
    const { truth } = subjects[at]!;
    return annotatorsFor(isFlipped ? flipCells(truth) : truth, simulation);
  };
  const { polygons, maskLogits, times } = await decodeCorrected(
    engine,
    { pixels: stackPixels(crops), frames: crops },
    annotatorsOf,
    simulation,
  );
  const ofCrop = subjects.map((): DecodedPolygon<SimulatedAnnotator>[] => []);
  for (const polygon of polygons) ofCrop[polygon.crop]!.push(polygon);
  return {
    instances: subjects.map((subject, at) => measure(subject, ofCrop[at]!, maskLogits?.[at], simulation)),
    milliseconds: times.encodeMs + times.stepsMs,
  };
}

interface UsableSubject {
  readonly kind: "usable";
  readonly crop: Crop;
  readonly truth: readonly GridCell[];
  readonly mask: Rle;
}
type Subject = UsableSubject | ({ readonly kind: "excluded"; readonly crop: Crop } & Exclusion);

function prepareSubject(crop: Crop, { rasterizer }: Simulation): Subject {
  const prepared = prepareTruth(crop.instance, { width: crop.imageWidth, height: crop.imageHeight }, rasterizer, 0);
  if (prepared.kind === "excluded") return { ...prepared, crop };
  const truth = truthOnGrid(crop.instance.truth!, crop.window);
  return truth === undefined
    ? { kind: "excluded", crop, reason: "truth-flat" }
    : { kind: "usable", crop, truth, mask: prepared.mask };
}

/** One per threshold; at each correction, the one of the smallest threshold forks a polygon that stops correcting. */
function annotatorsFor(truth: readonly GridCell[], simulation: Simulation): SimulatedAnnotator[] {
  const smallest = smallestThreshold(simulation.thresholds);
  return simulation.thresholds.map(
    (threshold, at) =>
      new SimulatedAnnotator({
        run: at,
        rule: ruleFor(truth, threshold, simulation),
        budget: simulation.maxClicks,
        forkUpTo: at === smallest ? curveLength(simulation) : -1,
      }),
  );
}

/** Position of the smallest threshold. */
export function smallestThreshold(thresholds: readonly number[]): number {
  return thresholds.indexOf(Math.min(...thresholds));
}

function ruleFor(truth: readonly GridCell[], threshold: number, { match, metric }: Simulation): ClickRule {
  switch (match) {
    case "closest":
      return closestRule(truth, threshold, metric);
    case "ring":
      return ringRule(truth, threshold, metric);
    case "area":
      return areaRule(truth, threshold, metric);
  }
}

/** @param polygons all of one crop: those of the annotators, and the forks of the smallest threshold's */
function measure(
  { crop, truth, mask }: UsableSubject,
  polygons: readonly DecodedPolygon<SimulatedAnnotator>[],
  maskLogits: Float32Array | undefined,
  simulation: Simulation,
): SimulatedInstance {
  const known = new Map<string, Outline>();
  // Vertices lie where in their cells the mask map says, corrected ones too: an annotator names cells here.
  const outlineOf = (cells: readonly number[]): Outline => {
    const { ring, distinct } = sequenceToRing(cells, crop, maskLogits);
    if (distinct < 3) return { ring: [], iou: 0 };
    const filled = fillPolygon([ring], crop.imageHeight, crop.imageWidth, simulation.rasterizer);
    return { ring, iou: iouOfRles(filled, mask) };
  };
  const toMeasured = ({ rule, sequence }: DecodedPolygon<SimulatedAnnotator>): MeasuredPolygon => {
    const key = sequence.cells.join();
    const outline = known.get(key) ?? outlineOf(sequence.cells);
    known.set(key, outline);
    return { sequence, clicks: rule.clicks, ...outline };
  };
  const finals = polygons.filter(({ rule }) => !rule.isFork).sort((a, b) => a.rule.run - b.rule.run);
  const perThreshold = finals.map(toMeasured);
  const final = perThreshold[smallestThreshold(simulation.thresholds)]!;
  const stopped = new Map(
    polygons.filter(({ rule }) => rule.isFork).map((polygon) => [polygon.rule.clicks, toMeasured(polygon)]),
  );
  const automatic = stopped.get(0) ?? final;
  return {
    kind: "simulated",
    crop,
    truthVertices: truth.length,
    perThreshold,
    automatic,
    automaticScore: scoreAsPredicted(automatic.sequence, crop, maskLogits),
    iouAfterClicks: Array.from(
      { length: curveLength(simulation) + 1 },
      (_, clicks) => (stopped.get(clicks) ?? final).iou,
    ),
  };
}

/** An annotator's loop keeps cells and probabilities of a polygon; how well it fits the mask map is found out again. */
function scoreAsPredicted(sequence: Sequence, crop: Crop, maskLogits: Float32Array | undefined): number {
  if (maskLogits === undefined) return polygonScore(sequence, {});
  const { expectedIoU } = fitOf(sequence.cells, crop, maskLogits);
  return polygonScore({ ...sequence, expectedIoU }, sequenceToRing(sequence.cells, crop, maskLogits));
}

type Outline = Pick<MeasuredPolygon, "ring" | "iou">;

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
  const ring =
    truth.kind === "polygon"
      ? largestRing(truth.polygon)
      : simplifyRing(largestRing(traceMask(truth.rle)), Math.min(STAIR_PX, window.side / GRID_SIZE / 2));
  const cells = ringToCells(ring, window);
  return cells.length >= 3 && signedArea(cells.map(({ col, row }) => ({ x: col, y: row }))) > 0 ? cells : undefined;
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
