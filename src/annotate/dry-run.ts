/**
 * `annotate --dry-run`: what a run would do, and what it would cost. The input is walked as by the run; then ten
 * instances are predicted, spread evenly over it, for time and memory. Nothing is written.
 */
import { countCores } from "../engine/cores.js";
import { loadModel } from "../model/model.js";
import { identifyRun } from "../runs/identity.js";
import type { PredictingEngine } from "../runs/run-file.js";
import type { Category, FailReason, Id, SkipReason } from "../types.js";
import type { RunInput } from "./input.js";
import { openInput } from "./input.js";
import { openLocalPredictor } from "./local-predictor.js";
import type { AnnotateHost, AnnotateOptions } from "./options.js";
import type { Plan } from "./plan.js";
import { imagesToPredict, NOT_NOW } from "./plan.js";
import type { Predictor } from "./predictor.js";
import { decide } from "./select.js";
import { peakMemoryMiB, StageClock } from "./summary.js";

/** Instances predicted to measure with. */
export const TRIAL_INSTANCES = 10;
/** Names of images listed one by one. */
const LISTED_IMAGES = 20;
/** Bytes a run keeps per annotation: its batch, and the place and state of its journal line; see plan.ts. */
const BYTES_PER_ANNOTATION = 17;

/** Adding a field is free, changing one is a new version. */
export interface DryRun {
  readonly version: 1;
  readonly type: "dry-run";
  /** True when the user stopped it before the trial was over. */
  readonly stopped: boolean;
  /** Boxes in the input. */
  readonly annotations: number;
  /** Boxes the run would predict a polygon for, as far as that shows without decoding an image. */
  readonly toPredict: number;
  /** Images with a box to predict. */
  readonly imagesAsked: number;
  /** Categories that the input lists or uses, those with the most boxes first. */
  readonly categories: readonly CategoryCount[];
  readonly images: ImageCounts;
  readonly skippedByReason: Partial<Record<SkipReason, number>>;
  readonly failedByReason: Partial<Record<FailReason, number>>;
  readonly model: string;
  readonly modelHash: string;
  readonly engine: PredictingEngine["name"];
  readonly device: PredictingEngine["device"];
  readonly engineVersion: string;
  /** null: there was nothing to try, or it was stopped. */
  readonly trial: Trial | null;
  /** Of the whole run, scaled from the trial. */
  readonly estimate: { readonly seconds: number; readonly peakMemoryMiB: number } | null;
}

export interface CategoryCount {
  readonly id: Id;
  /** null where the input does not name it. */
  readonly name: string | null;
  readonly boxes: number;
  readonly toPredict: number;
}

export interface ImageCounts {
  /** Images the input lists, and those that only annotations name. */
  readonly listed: number;
  readonly found: number;
  readonly notFound: number;
  /** The first names that were not found. */
  readonly examples: readonly string[];
}

export interface Trial {
  readonly instances: number;
  readonly seconds: number;
  readonly instancesPerSecond: number;
  readonly failedByReason: Partial<Record<FailReason, number>>;
}

/**
 * @throws PolyrnnError when the run could not begin: input, model, device
 */
export async function dryRun(options: AnnotateOptions, host: AnnotateHost): Promise<DryRun> {
  host.note(`reading ${options.boxes}`);
  const input = await openInput(options);
  try {
    const survey = await surveyInput(input, options.limit);
    host.note(`loading model ${options.model}`);
    const model = await loadModel(options.model);
    const predictor = await openLocalPredictor(model, options, host);
    try {
      const identity = identifyRun(
        { ...options, context: options.context ?? model.card.context, precision: predictor.precision },
        { input: input.dataset.sha256, model: model.hash, onlyNew: input.earlierHash },
      );
      const trial = await tryOut({ input, predictor, identity, survey, options, host });
      const { name, device, version } = predictor.engine();
      const { toPredict, counts } = survey;
      return {
        version: 1,
        type: "dry-run",
        stopped: host.signal.aborted,
        ...counts,
        model: model.card.name,
        modelHash: model.hash,
        engine: name,
        device,
        engineVersion: version,
        trial: trial ?? null,
        estimate: trial === undefined ? null : estimateOf(trial, toPredict, input.dataset.annotationCount),
      };
    } finally {
      await predictor.close();
    }
  } finally {
    await input.close();
  }
}

interface Survey {
  readonly toPredict: number;
  readonly counts: Pick<
    DryRun,
    "annotations" | "toPredict" | "imagesAsked" | "categories" | "images" | "skippedByReason" | "failedByReason"
  >;
}

/** Counts without opening an image. */
async function surveyInput({ dataset, selection }: RunInput, limit = Infinity): Promise<Survey> {
  const boxes = new Map<Id, number>();
  const wanted = new Map<Id, number>();
  const skipped = new Map<SkipReason, number>();
  const failed = new Map<FailReason, number>();
  const examples: string[] = [];
  let [asked, toPredict, imagesAsked, found, listed] = [0, 0, 0, 0, 0];
  for await (const { image, location, entries } of dataset.groups()) {
    listed++;
    if (location.kind === "file") found++;
    else if (examples.length < LISTED_IMAGES) examples.push(image.fileName);
    const before = toPredict;
    for (const entry of entries) {
      const categoryId = entry.kind === "instance" ? entry.instance.categoryId : undefined;
      if (categoryId !== undefined) increment(boxes, categoryId);
      const decision = decide(entry, selection);
      if (decision.kind === "settled") {
        const { outcome } = decision;
        if (outcome.status === "skipped") increment(skipped, outcome.reason);
        else if (outcome.status === "failed") increment(failed, outcome.reason);
        continue;
      }
      if (++asked > limit) continue;
      if (location.kind === "failed") increment(failed, location.failure.reason);
      else {
        toPredict++;
        increment(wanted, decision.instance.categoryId);
      }
    }
    if (toPredict > before) imagesAsked++;
  }
  return {
    toPredict,
    counts: {
      annotations: dataset.annotationCount,
      toPredict,
      imagesAsked,
      categories: categoryCounts(dataset.categories, boxes, wanted),
      images: { listed, found, notFound: listed - found, examples },
      skippedByReason: Object.fromEntries(skipped),
      failedByReason: Object.fromEntries(failed),
    },
  };
}

function categoryCounts(
  categories: readonly Category[],
  boxes: ReadonlyMap<Id, number>,
  wanted: ReadonlyMap<Id, number>,
): CategoryCount[] {
  const names = new Map(categories.map(({ id, name }) => [id, name]));
  return [...new Set([...names.keys(), ...boxes.keys()])]
    .map((id) => ({ id, name: names.get(id) ?? null, boxes: boxes.get(id) ?? 0, toPredict: wanted.get(id) ?? 0 }))
    .sort((a, b) => b.boxes - a.boxes);
}

interface TrialRequest {
  readonly input: RunInput;
  readonly predictor: Predictor;
  readonly identity: ReturnType<typeof identifyRun>;
  readonly survey: Survey;
  readonly options: AnnotateOptions;
  readonly host: AnnotateHost;
}

/** @returns undefined when there is nothing to try, or the user stopped it */
async function tryOut({ input, predictor, identity, survey, options, host }: TrialRequest): Promise<Trial | undefined> {
  const { toPredict } = survey;
  const size = Math.min(TRIAL_INSTANCES, toPredict);
  if (size === 0) return undefined;
  host.note(`trying ${size} of ${toPredict}`);
  const ordinals = await spreadOrdinals(input, size, { toPredict, limit: options.limit });
  const cores = predictor.engine().device === "cpu" ? (options.threads ?? countCores()) : 1;
  const batchSize = Math.min(options.batchSize ?? predictor.batchSize, Math.max(1, Math.ceil(size / cores)));
  const predict = async (some: readonly number[], inBatch: number): Promise<Map<FailReason, number>> => {
    const plan = planOf(some, inBatch, input.dataset.annotationCount);
    const sources = imagesToPredict(input.dataset, plan);
    const failed = new Map<FailReason, number>();
    for await (const batch of predictor.predict({
      sources,
      plan,
      identity,
      batchSize: inBatch,
      clock: new StageClock(),
    }))
      for (const { outcome } of batch) if (outcome.status === "failed") increment(failed, outcome.reason);
    return failed;
  };
  // The first call of an engine also makes it ready, and starts a thread on each core: that is not measured.
  await predict(ordinals.slice(0, cores), 1);
  const clock = new StageClock();
  const failed = await predict(ordinals, batchSize);
  const seconds = clock.elapsed();
  if (host.signal.aborted) return undefined;
  return {
    instances: size,
    seconds: Math.round(seconds * 1000) / 1000,
    instancesPerSecond: Math.round((size / seconds) * 100) / 100,
    failedByReason: Object.fromEntries(failed),
  };
}

/** Ordinals of instances that can be predicted, spread evenly over the input. */
async function spreadOrdinals(
  { dataset, selection }: RunInput,
  size: number,
  { toPredict, limit = Infinity }: { readonly toPredict: number; readonly limit: number | undefined },
): Promise<number[]> {
  const ordinals: number[] = [];
  let [asked, seen] = [0, 0];
  for await (const { location, entries } of dataset.groups()) {
    for (const entry of entries) {
      const decision = decide(entry, selection);
      if (decision.kind === "settled" || ++asked > limit || location.kind === "failed") continue;
      if (seen++ === Math.floor((ordinals.length * toPredict) / size)) ordinals.push(decision.instance.ordinal);
      if (ordinals.length === size) return ordinals;
    }
  }
  return ordinals;
}

function planOf(ordinals: readonly number[], batchSize: number, annotationCount: number): Plan {
  const batchOf = new Int32Array(annotationCount).fill(NOT_NOW);
  ordinals.forEach((ordinal, i) => {
    batchOf[ordinal] = Math.floor(i / batchSize);
  });
  const none = { count: 0 };
  return { batchOf, total: ordinals.length, finishedBefore: 0, imageCount: 0, otherCase: none, keptInPart: none };
}

function estimateOf({ instancesPerSecond }: Trial, toPredict: number, annotations: number): DryRun["estimate"] {
  return {
    seconds: Math.round(toPredict / instancesPerSecond),
    peakMemoryMiB: peakMemoryMiB() + Math.ceil((annotations * BYTES_PER_ANNOTATION) / 2 ** 20),
  };
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
