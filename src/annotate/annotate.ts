/**
 * The main path: boxes in, polygons out. Start reading here.
 *
 *     data set -> plan -> images to predict -> crops -> batches -> polygons -> journal -> files
 *
 * Crops, batches and polygons are the predictor's: this process (annotate/local-predictor.ts), or workers behind a
 * queue. The journal is the truth (runs/journal.ts); files are built from it when the last instance is done
 * (annotate/outputs.ts). Nothing here writes to a terminal: messages and numbers go to the host.
 */
import { join, resolve } from "node:path";
import { count } from "../count.js";
import { receivedOf } from "../errors.js";
import { JOURNAL_FILE, SUMMARY_FILE } from "../files/run-layout.js";
import type { Model } from "../model/model.js";
import { loadModel } from "../model/model.js";
import { prepareRunFolder } from "../runs/folder.js";
import type { RunIdentity } from "../runs/identity.js";
import { identifyRun } from "../runs/identity.js";
import { JournalWriter } from "../runs/journal.js";
import type { RunFacts } from "../runs/run-file.js";
import { generatorOf, startRecord, writeRunFile } from "../runs/run-file.js";
import type { Outcome } from "../types.js";
import { passedOverLine, resultLine } from "../write/coco-annotation.js";
import { nameCategories } from "../write/labels.js";
import type { RunInput } from "./input.js";
import { checkFormats } from "../write/open-writers.js";
import { openInput } from "./input.js";
import { openLocalPredictor } from "./local-predictor.js";
import type { AnnotateHost, AnnotateOptions, AnnotateProgress } from "./options.js";
import { finishRun, resultItem } from "./outputs.js";
import type { JournalIndex, Plan } from "./plan.js";
import { imagesToPredict, planRun, recoverJournal } from "./plan.js";
import type { PredictedInstance } from "./predict-batch.js";
import type { OpenPredictor, Predictor } from "./predictor.js";
import type { AnnotateSummary } from "./summary.js";
import { peakMemoryMiB, StageClock, Tally, writeSummaryFile } from "./summary.js";

/** Everything a run works with, opened once. */
interface Run extends Omit<RunInput, "close"> {
  readonly options: AnnotateOptions;
  readonly host: AnnotateHost;
  readonly model: Model;
  readonly predictor: Predictor;
  readonly identity: RunIdentity;
  readonly batchSize: number;
  readonly clock: StageClock;
}

/**
 * @param openPredictor who predicts; this process unless the caller says otherwise
 * @returns the summary, also when instances failed or the user stopped the run
 * @throws PolyrnnError when the run cannot begin (input, model, device, folder) or its output cannot be written; what
 *   the journal holds by then is kept; the signal's reason when it is aborted while the input is opened
 */
export async function annotate(
  options: AnnotateOptions,
  host: AnnotateHost,
  openPredictor: OpenPredictor = openLocalPredictor,
): Promise<AnnotateSummary> {
  const clock = new StageClock();
  host.note(`reading ${options.boxes}`);
  const input = await openInput({ ...options, signal: host.signal });
  try {
    if (options.out !== "-") checkFormats(options.formats, input.dataset.categories, options.formatOptions);
    for (const line of input.dataset.notes ?? []) host.note(line);
    host.note(`loading model ${options.model}`);
    const model = await loadModel(options.model);
    const predictor = await openPredictor(model, options, host);
    try {
      const identity = identifyRun(
        { ...options, context: options.context ?? model.card.context, precision: predictor.precision },
        { input: input.dataset.sha256, model: model.hash, onlyNew: input.earlierHash },
      );
      const batchSize = options.batchSize ?? predictor.batchSize;
      const run: Run = { ...input, options, host, model, predictor, identity, batchSize, clock };
      return options.out === "-" ? await streamPolygons(run) : await fillRunFolder(run);
    } finally {
      await predictor.close();
    }
  } finally {
    await input.close();
  }
}

/** Predicts into a run folder that no other run works in. */
async function fillRunFolder(run: Run): Promise<AnnotateSummary> {
  const { mode, lock } = await prepareRunFolder(run.options, (line) => {
    run.host.note(line);
  });
  try {
    return await fillLockedFolder(run, mode);
  } finally {
    await lock.release();
  }
}

/** Journal first, files at the end. */
async function fillLockedFolder(run: Run, mode: "new" | "resume"): Promise<AnnotateSummary> {
  const { options, host, dataset, identity } = run;
  const journalPath = join(options.out, JOURNAL_FILE);
  const earlier = mode === "resume" ? await recoverJournal(journalPath, identity, dataset.annotationCount) : undefined;
  if (earlier !== undefined && earlier.damagedLines.length > 0) {
    host.note(
      `${journalPath}: ${count(earlier.damagedLines.length, "damaged line")} (${earlier.damagedLines.slice(0, 10).join(", ")}); ` +
        "what stood there is drawn again",
    );
  }
  const journal =
    earlier === undefined
      ? await JournalWriter.create(journalPath, identity)
      : await JournalWriter.reopen(journalPath, earlier.length);
  const record = startRecord(factsOf(run));
  let predicted: PredictedCounts;
  try {
    await writeRunFile(options.out, record);
    const plan = await planInto(journal, run, earlier?.index);
    predicted = await predictPlan(run, plan, (batch) => journal.append(batch.map(({ outcome }) => outcome)));
  } finally {
    await journal.close();
  }
  await run.predictor.close(); // Its memory is not needed for the files.
  const generator = generatorOf(record, run.model.hash);
  const showWritten = (written: number): void => {
    host.progress({ ...predicted.last, written });
  };
  const onImage = (done: number): void => {
    showWritten(Math.min(done, dataset.imageCount) / (dataset.imageCount + 1));
  };
  const finished = await finishRun({ ...run, generator, onImage }, journalPath, predicted);
  const summary = summarize(run, finished.tally, predicted, [
    ...finished.written,
    ...(predicted.stopped ? [] : [SUMMARY_FILE]),
  ]);
  await writeSummaryFile(options.out, summary);
  if (!predicted.stopped) showWritten(1);
  return summary;
}

/** For run.json. */
function factsOf({ options, dataset, model, predictor, identity, batchSize }: Run): RunFacts {
  return {
    inputs: {
      images: resolve(options.images),
      boxes: resolve(options.boxes),
      format: dataset.format,
      sha256: dataset.sha256,
      ...(options.dataset !== undefined && { dataset: resolve(options.dataset) }),
      imageCount: dataset.imageCount,
      annotationCount: dataset.annotationCount,
    },
    model: {
      name: model.card.name,
      version: model.card.version,
      folder: resolve(model.folder),
      hash: model.hash,
      files: model.card.files,
    },
    engine: { ...predictor.engine(), passedOver: predictor.passedOver },
    options: { ...options, batchSize, context: identity.context },
  };
}

/** Predicts to standard output: one annotation per line, nothing on disk. */
async function streamPolygons(run: Run): Promise<AnnotateSummary> {
  const { dataset, selection, batchSize, options, host } = run;
  const tally = new Tally();
  const names = nameCategories(dataset.categories);
  const plan = await planRun({
    dataset,
    selection,
    batchSize,
    limit: options.limit,
    onSettled: async (outcome, entry, image) => {
      tally.add(outcome);
      report(host, outcome);
      if (outcome.status !== "skipped" || (outcome.reason !== "kept" && outcome.reason !== "already-done")) return;
      const line = passedOverLine(resultItem(entry, outcome), image, names);
      if (line !== undefined) await host.data(line);
    },
  });
  const predicted = await predictPlan(run, plan, async (batch) => {
    for (const { instance, outcome } of batch) {
      tally.add(outcome);
      if (outcome.status === "done")
        await host.data(resultLine(instance, outcome, options.formatOptions?.segmentation));
    }
  });
  return summarize(run, tally, predicted, []);
}

/** Failures per write, each of which waits for the disk: a file may hold thousands of bad boxes. */
const FAILURES_AT_ONCE = 256;

/** Plans the run; failures that show before any pixel is read are journaled before anything is predicted. */
async function planInto(journal: JournalWriter, run: Run, index: JournalIndex | undefined): Promise<Plan> {
  const { dataset, selection, batchSize, options, host } = run;
  let failed: Outcome[] = [];
  const plan = await planRun({
    dataset,
    selection,
    batchSize,
    limit: options.limit,
    index,
    onSettled: async (outcome) => {
      report(host, outcome);
      if (outcome.status !== "failed" || index?.get(outcome.ordinal) !== undefined) return;
      failed.push(outcome);
      if (failed.length < FAILURES_AT_ONCE) return;
      await journal.append(failed);
      failed = [];
    },
  });
  await journal.append(failed);
  return plan;
}

interface PredictedCounts {
  readonly finishedNow: number;
  readonly remaining: number;
  readonly stopped: boolean;
  readonly imageCount: number;
  /** What the host heard last. */
  readonly last: AnnotateProgress;
}

/**
 * The loop everything else is built around.
 * @param keep stores a finished batch; it is awaited before the next one begins
 */
async function predictPlan(
  run: Run,
  plan: Plan,
  keep: (batch: readonly PredictedInstance[]) => Promise<void>,
): Promise<PredictedCounts> {
  const { options, host, predictor, dataset, identity, batchSize, clock } = run;
  for (const line of planNotes(plan)) host.note(line);
  const { usualPerSecond } = predictor;
  const { total } = plan;
  let last: AnnotateProgress = {
    finished: plan.finishedBefore,
    total,
    failed: 0,
    finishedNow: 0,
    ...(usualPerSecond !== undefined && { usualPerSecond }),
    ...(options.out !== "-" && { written: 0 }),
  };
  host.progress(last);
  const sources = imagesToPredict(dataset, plan);
  for await (const batch of predictor.predict({ sources, plan, identity, batchSize, clock })) {
    await clock.time("write", () => keep(batch));
    for (const { outcome } of batch) report(host, outcome);
    last = {
      ...last,
      finished: last.finished + batch.length,
      failed: last.failed + batch.filter(({ outcome }) => outcome.status === "failed").length,
      finishedNow: last.finishedNow + batch.length,
    };
    host.progress(last);
  }
  const { finished, finishedNow } = last;
  const { imageCount } = plan;
  return { finishedNow, remaining: total - finished, stopped: finished < total, imageCount, last };
}

/** What the plan found that is no failure and still should not go unsaid. */
function planNotes({ otherCase, keptInPart }: Plan): string[] {
  const lines: string[] = [];
  if (otherCase.example !== undefined) {
    const { name, path } = otherCase.example;
    lines.push(
      `${count(otherCase.count, "image")} found in another case than the input names ${otherCase.count === 1 ? "it" : "them"}, ` +
        `for example ${receivedOf(name)}: ${path}`,
    );
  }
  if (keptInPart.example !== undefined) {
    lines.push(
      `${count(keptInPart.count, "kept annotation")} with a part that cannot be read: in COCO unchanged, ` +
        `in other formats without that part; first: ${keptInPart.example}`,
    );
  }
  return lines;
}

function report(host: AnnotateHost, outcome: Outcome): void {
  if (outcome.status !== "failed") return;
  const { annotationId, imageId, reason, message } = outcome;
  host.failure({ annotationId, imageId, reason, message });
}

function summarize(run: Run, tally: Tally, predicted: PredictedCounts, written: readonly string[]): AnnotateSummary {
  const { options, dataset, shardSize, predictor, model, clock, batchSize } = run;
  const engine = predictor.engine();
  const seconds = clock.elapsed();
  return {
    version: 1,
    type: "summary",
    stopped: predicted.stopped,
    images: dataset.imageCount,
    imagesAsked: predicted.imageCount,
    annotations: dataset.annotationCount,
    ...(options.shard !== undefined && shardSize !== undefined && { shard: { ...options.shard, ...shardSize } }),
    ...tally.counts(),
    remaining: predicted.remaining,
    engine: engine.name,
    device: engine.device,
    engineVersion: engine.version,
    model: model.card.name,
    modelHash: model.hash,
    batchSize,
    finishedNow: predicted.finishedNow,
    seconds: Math.round(seconds * 1000) / 1000,
    secondsPerStage: clock.seconds(),
    instancesPerSecond: Math.round((predicted.finishedNow / seconds) * 100) / 100,
    peakMemoryMiB: peakMemoryMiB(),
    out: options.out,
    written,
  };
}
