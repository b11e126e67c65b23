/**
 * Instances to look at: the worst, the median and the best predictions, with outlines of truth and prediction that are
 * small enough for a report. Failed instances have nothing to show and are listed elsewhere.
 */
import type { Dataset } from "../dataset/dataset.js";
import { findImages } from "../dataset/find-images.js";
import { signedArea } from "../geometry/ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import type { Example, Examples, ReportRing } from "../report/types.js";
import { EXAMPLES } from "../report/types.js";
import type { Id, Instance, Polygon, Ring } from "../types.js";
import type { InstanceTable } from "./instance-table.js";
import { outlinesOf } from "./methods/baselines.js";
import type { FileMethod } from "./methods/file-method.js";
import type { MaskResult, SubjectImage } from "./methods/method.js";
import type { TruthSettings } from "./truth.js";
import { prepareImage } from "./truth.js";

/** Rows of the instance table. */
interface ChosenRows {
  readonly worst: readonly number[];
  readonly median: readonly number[];
  readonly best: readonly number[];
}

/** By IoU, of the rows that have a prediction; equal ones in input order. Where there are few, the choices overlap. */
function chooseExamples(table: InstanceTable): ChosenRows {
  const ious = table.predictedIou();
  const predicted = table.predicted;
  const rows = Uint32Array.from({ length: table.count }, (_, row) => row).filter((row) => predicted[row] === 1);
  rows.sort((a, b) => ious[a]! - ious[b]! || a - b);
  const middle = Math.max(0, Math.floor((rows.length - EXAMPLES) / 2));
  return {
    worst: [...rows.subarray(0, EXAMPLES)],
    median: [...rows.subarray(middle, middle + EXAMPLES)],
    best: [...rows.subarray(Math.max(0, rows.length - EXAMPLES))].reverse(),
  };
}

/** Walks the truth again up to the last example: keeping every polygon for the few that are shown would cost memory. */
export async function collectExamples(
  dataset: Dataset,
  table: InstanceTable,
  predictions: FileMethod,
  settings: TruthSettings,
): Promise<Examples> {
  const chosen = chooseExamples(table);
  const rowOf = new Map([...chosen.worst, ...chosen.median, ...chosen.best].map((row) => [table.ordinal[row]!, row]));
  const examples = new Map<number, Example>();
  const categories = new Map(dataset.categories.map(({ id, name }) => [id, name]));
  const ious = table.predictedIou();
  for await (const group of dataset.groups()) {
    if (examples.size === rowOf.size) break;
    if (!group.entries.some((entry) => entry.kind === "instance" && rowOf.has(entry.instance.ordinal))) continue;
    const { subject } = await prepareImage(group, settings);
    const results = await predictions.masksAgain(subject);
    for (const [i, instance] of subject.instances.entries()) {
      const row = rowOf.get(instance.ordinal);
      if (row === undefined) continue;
      const category = categories.get(instance.categoryId)!;
      examples.set(row, toExample(subject, instance, results[i]!, { category, iou: ious[row]! }));
    }
  }
  const pick = (rows: readonly number[]): Example[] => rows.map((row) => examples.get(row)!);
  return { worst: pick(chosen.worst), median: pick(chosen.median), best: pick(chosen.best) };
}

function toExample(
  { image, width, height }: SubjectImage,
  instance: Instance,
  result: MaskResult,
  { category, iou }: Pick<Example, "category" | "iou">,
): Example {
  const { left, top, width: boxWidth, height: boxHeight } = instance.box;
  const predicted = result.kind === "failed" ? [] : (result.polygon ?? outlinesOf({ kind: "rle", rle: result.mask }));
  return {
    annotationId: instance.annotationId,
    imageId: image.id,
    fileName: image.fileName,
    imageWidth: width,
    imageHeight: height,
    category,
    box: [left, top, boxWidth, boxHeight],
    iou,
    ...(result.kind === "mask" && result.score !== undefined && { score: result.score }),
    truth: readableRings(outlinesOf(instance.truth!)),
    automatic: readableRings(predicted),
  };
}

/** Image files of the examples, by image id; without those that are not found. */
export async function locateExamples(examples: Examples, images: string): Promise<Map<Id, string>> {
  const finder = await findImages(images);
  const paths = new Map<Id, string>();
  for (const { imageId, fileName } of [...examples.worst, ...examples.median, ...examples.best]) {
    const located = await finder.locate(fileName);
    if (located.kind === "file") paths.set(imageId, located.path);
  }
  return paths;
}

const MOST_RINGS = 50;
const MOST_VERTICES = 500;

/**
 * The largest rings, in their order, with two decimals. Rings of more than 500 vertices are simplified within 0.5 px,
 * and twice as much until they fit; no part of an outline is left out.
 */
export function readableRings(polygon: Polygon): ReportRing[] {
  return largest(polygon).map((ring) => fewerVertices(ring).map(({ x, y }) => [round(x), round(y)] as const));
}

function largest(polygon: Polygon): Polygon {
  if (polygon.length <= MOST_RINGS) return polygon;
  const areas = polygon.map((ring) => Math.abs(signedArea(ring)));
  const limit = [...areas].sort((a, b) => b - a)[MOST_RINGS - 1]!;
  return polygon.filter((_, i) => areas[i]! >= limit).slice(0, MOST_RINGS);
}

function fewerVertices(ring: Ring): Ring {
  let fewer = ring;
  for (let tolerance = 0.5; fewer.length > MOST_VERTICES && tolerance < Infinity; tolerance *= 2)
    fewer = simplifyRing(ring, tolerance);
  return fewer.slice(0, MOST_VERTICES); // What is still too long has all its vertices in one place.
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
