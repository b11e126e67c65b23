/**
 * One batch of crops through all simulated annotators at once: one encoding, and all thresholds and instances step
 * together. An annotator sees the truth as one ring of grid cells, in the crop's frame.
 */
import type { Crop } from "../crop/crop.js";
import type { Engine } from "../engine/engine.js";
import { flipCells } from "../geometry/grid.js";
import { fillPolygon, iouOfRles } from "../geometry/iou.js";
import { decodeCorrected } from "../predict/corrected.js";
import type { DecodedPolygon } from "../predict/decode-loop.js";
import { sequenceToRing } from "../predict/outline.js";
import { stackPixels } from "../crop/crop.js";
import type { GridCell } from "../types.js";
import { areaRule } from "./area-rule.js";
import type { ClickRule } from "./rules.js";
import { closestRule, ringRule, SimulatedAnnotator } from "./rules.js";
import type { MeasuredPolygon, SimulatedInstance, Simulation, SimulationResult, UsableSubject } from "./simulation.js";
import { curveLength, prepareSubject, scoreAsPredicted, smallestThreshold } from "./simulation.js";
import { simulateWorst } from "./worst-batch.js";

/** @returns one result per crop, in order, and the time of encoder and decoder together */
export async function simulateBatch(
  engine: Engine,
  crops: readonly Crop[],
  simulation: Simulation,
): Promise<{ results: SimulationResult[]; milliseconds: number }> {
  const subjects = crops.map((crop) => prepareSubject(crop, simulation));
  const usable = subjects.filter((subject) => subject.kind === "usable");
  const { instances, milliseconds } =
    usable.length === 0
      ? { instances: [], milliseconds: 0 }
      : await (simulation.match === "worst" ? simulateWorst : simulateUsable)(engine, usable, simulation);
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

function ruleFor(truth: readonly GridCell[], threshold: number, { match, metric }: Simulation): ClickRule {
  switch (match) {
    case "worst":
      throw new Error("this annotator sees whole polygons: see clicks/worst-batch.ts");
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
  const toMeasured = ({ rule, sequence }: DecodedPolygon<SimulatedAnnotator>): SimulatedInstance["automatic"] => {
    const key = sequence.cells.join();
    const outline = known.get(key) ?? outlineOf(sequence.cells);
    known.set(key, outline);
    const { cells, ended } = sequence;
    return { sequence, vertices: cells.length, ended, clicks: rule.clicks, ...outline };
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

type Outline = Pick<MeasuredPolygon, "ring" | "iou">;
