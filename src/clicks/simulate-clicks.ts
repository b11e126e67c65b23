/**
 * The main path of a click simulation: how much would an annotator have to correct, and how good would the polygons be?
 * Start reading here.
 *
 *     data set -> instances with truth -> crops -> batches -> annotators in the decode loop
 *              -> IoU of the polygons they end with -> means
 *
 * The rules an annotator follows are in clicks/rules.ts and clicks/area-rule.ts, the loop in predict/decode-loop.ts.
 * Nothing here writes to a terminal: messages and rows go to the host.
 */
import { count } from "../count.js";
import type { CropResult } from "../crop/crop.js";
import type { CropSource } from "../crop/read-crops.js";
import { readCrops } from "../crop/read-crops.js";
import type { Dataset } from "../dataset/dataset.js";
import { readImageSize } from "../crop/open-image.js";
import { openDataset } from "../dataset/open-dataset.js";
import { openEngine } from "../engine/devices.js";
import type { Engine } from "../engine/engine.js";
import { engineText } from "../engine/precision.js";
import { usageError } from "../errors.js";
import { SourceNames } from "../evaluate/groups.js";
import type { Model } from "../model/model.js";
import { loadModel } from "../model/model.js";
import { createRandom } from "../random.js";
import type { ClickRow } from "../report/csv.js";
import type { ClickReport } from "../report/types.js";
import type { Id, ImageRecord } from "../types.js";
import { AutomaticFile } from "./automatic-file.js";
import { describeRules } from "./describe-rules.js";
import { EffortTally } from "./effort.js";
import type { ClickStudy, CorrectedPolygon, SimulateHost, SimulateOptions } from "./options.js";
import { simulateBatch } from "./simulate-batch.js";
import type { SimulatedInstance, Simulation } from "./simulation.js";
import { curveLength, smallestThreshold } from "./simulation.js";
import type { ClickSubjects } from "./subjects.js";
import { chooseSubjects, nothingLeft } from "./subjects.js";
import { ClickTally } from "./tally.js";

/** Crops per encoder call when the user names no batch size; each becomes several rows of the decoder. */
const BATCH_SIZES = { cpu: 16, webgpu: 64, cuda: 64 } as const;

/** Everything a study works with, opened once. */
interface Study {
  readonly options: SimulateOptions;
  readonly host: SimulateHost;
  readonly dataset: Dataset;
  readonly subjects: ClickSubjects;
  readonly model: Model;
  readonly engine: Engine;
  readonly simulation: Simulation;
  readonly tally: ClickTally;
  readonly effort: EffortTally;
  readonly context: number;
  readonly sources: SourceNames;
  readonly corrected: Map<Id, KeptPolygon>;
}

/** One per instance until the report has chosen its pictures, hence compact. */
interface KeptPolygon {
  /** x and y in turn, image pixels. */
  readonly points: Float64Array;
  readonly iou: number;
  readonly clicks: number;
}

/**
 * @returns the study, also when the user stopped it
 * @throws PolyrnnError when it cannot begin (options, data set without usable truth, model, device) or the file cannot
 *   be written; the signal's reason when it is aborted before anything is simulated
 */
export async function simulateClicks(options: SimulateOptions, host: SimulateHost): Promise<ClickStudy> {
  const simulation = toSimulation(options);
  const started = performance.now();
  host.note(`reading ${options.truth}`);
  const { images, truth, boxesAre } = options;
  const dataset = await openDataset({
    images,
    boxes: truth,
    imageSize: readImageSize,
    signal: host.signal,
    ...(boxesAre !== undefined && { boxesAre }),
  });
  try {
    const sources = new SourceNames(options.groupBy);
    const subjects = await chooseSubjects(dataset, options, sources, host.signal);
    host.note(`loading model ${options.model}`);
    const model = await loadModel(options.model);
    const { engine } = await openEngine(model, {
      device: options.device,
      ...(options.precision !== undefined && { precision: options.precision }),
      ...(options.threads !== undefined && { threads: options.threads }),
    });
    try {
      host.note(
        `simulating clicks on ${count(subjects.total, "instance")} with ${model.card.name} ` +
          `on ${engine.device} (${engineText(engine)})`,
      );
      const study: Study = {
        options,
        host,
        dataset,
        subjects,
        model,
        engine,
        simulation,
        context: options.context ?? model.card.context,
        tally: new ClickTally(simulation.thresholds, curveLength(simulation)),
        effort: new EffortTally(simulation.thresholds, simulation.rasterizer, options.review),
        sources,
        corrected: new Map(),
      };
      const { milliseconds, finished, failed } = await simulateAll(study);
      if (study.tally.count === 0 && !host.signal.aborted) {
        throw nothingLeft(
          options.truth,
          subjects.exclusions,
          "Check the image folder and that the ground truth belongs to its images.",
        );
      }
      return {
        report: reportOf(study, milliseconds, (performance.now() - started) / 1000),
        stopped: finished < subjects.total,
        failed,
        context: study.context,
        isAsked: (ordinal) => subjects.isAsked(ordinal),
        corrected: (id) => correctedPolygon(study, id),
      };
    } finally {
      await engine.dispose();
    }
  } finally {
    await dataset.close();
  }
}

function toSimulation({
  thresholds,
  match,
  choice,
  metric,
  maxClicks,
  maxSteps,
  candidates,
  sure,
  rasterizer,
}: SimulateOptions): Simulation {
  const wrong = thresholds.find((threshold) => !(Number.isFinite(threshold) && threshold >= 0));
  if (thresholds.length === 0 || wrong !== undefined) {
    throw usageError(
      `thresholds: expected numbers of 0 or more, received ${wrong === undefined ? "none" : String(wrong)}`,
      "Give distances in grid cells, for example 1,2,3,4.",
    );
  }
  return {
    thresholds,
    match,
    choice: choice ?? "true",
    maxSteps,
    candidates,
    ...(sure !== undefined && { sure }),
    rasterizer,
    metric: metric ?? (match === "ring" ? "manhattan" : "chessboard"),
    maxClicks: maxClicks ?? Infinity,
  };
}

/** The loop everything else serves. */
async function simulateAll(study: Study): Promise<{ milliseconds: number; finished: number; failed: number }> {
  const { options, host, dataset, engine, subjects } = study;
  const batchSize = options.batchSize ?? BATCH_SIZES[engine.device];
  const images = new Map<number, ImageRecord>(); // of instances under way, by ordinal
  const crops = readCrops(cropSources(study, images), { context: study.context, maxCropsAhead: 2 * batchSize });
  const file = options.automaticFile === undefined ? undefined : await AutomaticFile.open(options.automaticFile);
  const counts = { milliseconds: 0, finished: 0, failed: 0 };
  try {
    for await (const batch of inBatches(crops, batchSize)) {
      counts.failed += listFailures(study, batch);
      const { results, milliseconds } = await simulateBatch(
        engine,
        batch.flatMap((result) => (result.kind === "crop" ? [result.crop] : [])),
        study.simulation,
      );
      counts.milliseconds += milliseconds;
      for (const result of results) {
        const { annotationId, ordinal } = result.crop.instance;
        if (result.kind === "excluded") subjects.exclusions.add(result.reason, annotationId, result.message);
        else {
          await host.row(record(study, result, images.get(ordinal)!));
          await study.effort.add(result);
          await file?.add(result);
        }
      }
      for (const result of batch) images.delete(ordinalOf(result));
      counts.finished += batch.length;
      host.progress({
        finished: counts.finished,
        total: subjects.total,
        failed: counts.failed,
        finishedNow: counts.finished,
      });
      if (host.signal.aborted) break;
    }
    await file?.finish(dataset);
    return counts;
  } catch (error) {
    await file?.abort();
    throw error;
  }
}

async function* cropSources(
  { dataset, subjects }: Study,
  images: Map<number, ImageRecord>,
): AsyncGenerator<CropSource> {
  for await (const { image, location, entries } of dataset.groups()) {
    const instances = entries.flatMap((entry) =>
      entry.kind === "instance" && subjects.isChosen(entry.instance.ordinal) ? [entry.instance] : [],
    );
    for (const { ordinal } of instances) images.set(ordinal, image);
    if (instances.length > 0) yield { image, location, instances };
  }
}

async function* inBatches(results: AsyncIterable<CropResult>, size: number): AsyncGenerator<CropResult[]> {
  let batch: CropResult[] = [];
  for await (const result of results) {
    batch.push(result);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function ordinalOf(result: CropResult): number {
  return (result.kind === "crop" ? result.crop.instance : result.instance).ordinal;
}

/** @returns how many there were */
function listFailures({ host, subjects }: Study, batch: readonly CropResult[]): number {
  const failures = batch.filter((result) => result.kind === "failed");
  for (const {
    instance: { annotationId, imageId },
    failure: { reason, message },
  } of failures) {
    subjects.exclusions.add(`truth-${reason}`, annotationId, message);
    host.failure({ annotationId, imageId, reason, message });
  }
  return failures.length;
}

/** Adds a result to the tally and makes its row. */
function record(study: Study, result: SimulatedInstance, image: ImageRecord): ClickRow {
  const {
    options,
    dataset,
    sources,
    simulation: { thresholds },
  } = study;
  const { annotationId, imageId, categoryId } = result.crop.instance;
  const category = dataset.categories.findIndex(({ id }) => id === categoryId);
  study.tally.add(result, category, sources.numberOf(image));
  const { ring, iou, clicks } = result.perThreshold[smallestThreshold(thresholds)]!;
  study.corrected.set(annotationId, { points: Float64Array.from(ring.flatMap(({ x, y }) => [x, y])), iou, clicks });
  return {
    annotationId,
    imageId,
    fileName: image.fileName,
    category: dataset.categories[category]!.name,
    ...(options.groupBy.kind !== "none" && { source: sources.nameOf(image) }),
    truthVertices: result.truthVertices,
    automaticIou: result.automatic.iou,
    perThreshold: result.perThreshold.map((polygon, at) => ({
      threshold: thresholds[at]!,
      clicks: polygon.clicks,
      iou: polygon.iou,
      vertices: polygon.vertices,
      ended: polygon.ended,
    })),
  };
}

function correctedPolygon(
  { corrected, simulation: { thresholds } }: Study,
  annotationId: Id,
): CorrectedPolygon | undefined {
  const kept = corrected.get(annotationId);
  if (kept === undefined) return undefined;
  return {
    ring: Array.from({ length: kept.points.length / 2 }, (_, at) => ({
      x: kept.points[2 * at]!,
      y: kept.points[2 * at + 1]!,
    })),
    iou: kept.iou,
    clicks: kept.clicks,
    threshold: thresholds[smallestThreshold(thresholds)]!,
  };
}

function reportOf(
  { options, dataset, subjects, model, engine, simulation, tally, effort, sources }: Study,
  milliseconds: number,
  wallSeconds: number,
): ClickReport {
  const groups = {
    categories: dataset.categories.map(({ name }) => name),
    ...(options.groupBy.kind !== "none" && { sources: sources.names }),
  };
  return {
    metric: simulation.metric,
    match: simulation.match,
    ...(simulation.match === "worst" && { choice: simulation.choice }),
    maxClicks: options.maxClicks ?? null,
    rules: describeRules(simulation),
    ...tally.numbers(groups, options.resamples, createRandom(options.seed).fork("clicks")),
    exclusions: subjects.exclusions.list(),
    effort: effort.rows(),
    ...(options.review !== undefined && { reviewed: options.review.folder }),
    curveThreshold: Math.min(...simulation.thresholds),
    secondsPerClick: tally.clicks === 0 ? null : milliseconds / 1000 / tally.clicks,
    wallSeconds,
    model: model.card.name,
    engine: engine.version,
    device: engine.device,
  };
}
