/** One batch of crops through all simulated annotators at once: one encoding, all thresholds and instances step together. */
import type { Crop } from "../crop/crop.js";
import { fillPolygon, iouOfRles } from "../geometry/iou.js";
import { mirrorCells } from "../geometry/mirror-cells.js";
import { decodeByRules } from "../predict/decode-by-rules.js";
import type { Sequence } from "../predict/decode.js";
import type { DrawnPolygon } from "../predict/draw-rows.js";
import { sequenceToRing, stackPixels } from "../predict/predict.js";
import type { Engine } from "../runtime/engine.js";
import type { GridCell, Ring, Rle } from "../types.js";
import { areaRule } from "./click-area-rule.js";
import { type ClickRule, closestRule, ringRule } from "./click-rules.js";
import { truthOnGrid } from "./click-truth.js";
import { type Exclusion, prepareTruth } from "./prepare-truth.js";
import type { ClickMatch, ClickMetric, Rasterizer } from "./report-types.js";
import { SimulatedAnnotator } from "./simulated-annotator.js";

/** The IoU is followed up to this many corrections, and NoC counts an instance that needs more with it: the custom of interactive segmentation. */
export const CURVE_CLICKS = 20;

export interface Simulation {
  /** At least one. */
  readonly thresholds: readonly number[];
  readonly match: ClickMatch;
  readonly metric: ClickMetric;
  /** Infinity for no limit. */
  readonly maxClicks: number;
  readonly maxSteps: number;
  /** Polygons drawn per instance at most to find the one shown first, 1..10. */
  readonly candidates: number;
  readonly rasterizer: Rasterizer;
}

/** A polygon somebody drew, and how good it is. */
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
  /** In the order of the thresholds. */
  readonly perThreshold: readonly MeasuredPolygon[];
  /** IoU when the annotator of the smallest threshold stops after k corrections, k = 0 (automatic) up to `curveLength`. */
  readonly iouAfterClicks: readonly number[];
}

export type SimulationResult = SimulatedInstance | ({ readonly kind: "excluded"; readonly crop: Crop } & Exclusion);

/** Corrections the IoU is followed over. */
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
  const annotatorsOf = (at: number, isMirrored: boolean): SimulatedAnnotator[] => {
    const { truth } = subjects[at]!;
    return annotatorsFor(isMirrored ? mirrorCells(truth) : truth, simulation);
  };
  const { polygons, maskLogits, times } = await decodeByRules(
    engine,
    stackPixels(crops),
    crops,
    annotatorsOf,
    simulation,
  );
  const drawn = subjects.map((): DrawnPolygon<SimulatedAnnotator>[] => []);
  for (const polygon of polygons) drawn[polygon.crop]!.push(polygon);
  return {
    instances: subjects.map((subject, at) => measure(subject, drawn[at]!, maskLogits?.[at], simulation)),
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

/** One per threshold; the one of the smallest starts a polygon that stops correcting at each of its corrections. */
function annotatorsFor(truth: readonly GridCell[], simulation: Simulation): SimulatedAnnotator[] {
  const smallest = smallestThreshold(simulation.thresholds);
  return simulation.thresholds.map(
    (threshold, at) =>
      new SimulatedAnnotator(
        at,
        ruleFor(truth, threshold, simulation),
        simulation.maxClicks,
        at === smallest ? curveLength(simulation) : -1,
      ),
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

/** @param drawn all polygons of one crop: those of the annotators, and of the smallest threshold's those that stopped correcting */
function measure(
  { crop, truth, mask }: UsableSubject,
  drawn: readonly DrawnPolygon<SimulatedAnnotator>[],
  maskLogits: Float32Array | undefined,
  simulation: Simulation,
): SimulatedInstance {
  const known = new Map<string, Outline>();
  const toMeasured = ({ rule, sequence }: DrawnPolygon<SimulatedAnnotator>): MeasuredPolygon => {
    const key = sequence.cells.join();
    const outline = known.get(key) ?? outlineOf(sequence, crop, maskLogits, mask, simulation.rasterizer);
    known.set(key, outline);
    return { sequence, clicks: rule.clicks, ...outline };
  };
  const finals = drawn.filter(({ rule }) => !rule.isFork).sort((a, b) => a.rule.run - b.rule.run);
  const perThreshold = finals.map(toMeasured);
  const final = perThreshold[smallestThreshold(simulation.thresholds)]!;
  const stopped = new Map(
    drawn.filter(({ rule }) => rule.isFork).map((polygon) => [polygon.rule.clicks, toMeasured(polygon)]),
  );
  return {
    kind: "simulated",
    crop,
    truthVertices: truth.length,
    perThreshold,
    automatic: stopped.get(0) ?? final,
    iouAfterClicks: Array.from(
      { length: curveLength(simulation) + 1 },
      (_, clicks) => (stopped.get(clicks) ?? final).iou,
    ),
  };
}

type Outline = Pick<MeasuredPolygon, "ring" | "iou">;

/** Vertices lie where in their cells the mask map says, corrected ones too: an annotator names cells here. */
function outlineOf(
  { cells }: Sequence,
  crop: Crop,
  maskLogits: Float32Array | undefined,
  truth: Rle,
  rule: Rasterizer,
): Outline {
  const { ring, distinct } = sequenceToRing(cells, crop, maskLogits);
  return distinct < 3
    ? { ring: [], iou: 0 }
    : { ring, iou: iouOfRles(fillPolygon([ring], crop.imageHeight, crop.imageWidth, rule), truth) };
}
