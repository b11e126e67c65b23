/**
 * The work of `polyrnn train`: reads truth, opens the network in TensorFlow.js, and runs the loop in a folder that is a
 * model folder from the first validation on.
 *
 *     run.json                        options, counts of the data, where the weights start
 *     metrics.ndjson                  one line per report and per validation (events.ts)
 *     checkpoint/                     where a stopped run goes on (checkpoint.ts)
 *     model.json, model.safetensors   the best model so far
 */
import { resolve } from "node:path";
import { count } from "../count.js";
import type { TrainingDevice } from "../engine/open-trainer.js";
import { openTrainingDevice } from "../engine/open-trainer.js";
import type { Trainer } from "../engine/trainer.js";
import { makeFolder } from "../files/atomic-file.js";
import { frozenPrefix } from "../network/weights.js";
import { AGAIN_RESUMED, withFolderLock } from "../runs/lock.js";
import type { LoopState } from "./checkpoint.js";
import { checkFits, readCheckpoint } from "./checkpoint.js";
import { checkOverlap } from "./data/overlap.js";
import type { TrainingSet } from "./data/training-set.js";
import { openTrainingSet } from "./data/training-set.js";
import type { RunEnded, TrainEvents } from "./events.js";
import { deviceText, TrainingLoop } from "./loop.js";
import { METRICS_FILE, MetricsFile } from "./metrics.js";
import type { TrainOptions } from "./options.js";
import { checkOptions } from "./options.js";
import type { DataFound, TrainingRun } from "./run-file.js";
import { checkSameData, clearLeftovers, prepareFolder, readRun, writeRun } from "./run-file.js";
import type { NetworkToTrain, StartWeights } from "./start-weights.js";
import { networkToTrain, startWeights } from "./start-weights.js";
import type { ValidationSet } from "./validate.js";
import { openValidationSet } from "./validate.js";

/** What a caller may provide; everything has a default. */
export interface TrainHost {
  /** When aborted, the run finishes its step, writes a checkpoint and returns with `stopped`. */
  readonly signal?: AbortSignal;
  /** The device to compute on, instead of looking for one. */
  readonly device?: TrainingDevice;
  readonly openTrainingSet?: typeof openTrainingSet;
}

/**
 * @param options paths may be relative
 * @throws E_OUT_NOT_EMPTY; E_USAGE, E_DATA, E_MISSING for what options and data say; E_UNAVAILABLE without
 *   TensorFlow.js; E_DIVERGED naming the step whose losses are not finite; E_WRITE. Once there is a checkpoint, any
 *   failure leaves a whole one.
 */
export async function train(options: TrainOptions, events: TrainEvents = {}, host: TrainHost = {}): Promise<RunEnded> {
  checkOptions(options);
  const settled = withAbsolutePaths(options);
  const folder = settled.out;
  const device = host.device ?? (await openTrainingDevice(settled.device, settled.threads));
  const network = await networkToTrain(settled);
  const start = await startWeights(network, settled);
  checkFreeze(network, settled);
  await makeFolder(folder);
  return alone(folder, events, async () => {
    await prepareFolder(folder);
    return withData(
      settled,
      host,
      async (training, validation) => {
        const run = {
          options: settled,
          data: dataFound(training, validation),
          start: { description: start.description, ...(start.sha256 && { sha256: start.sha256 }) },
        };
        await writeRun(folder, run);
        return runLoop({ folder, run, network, device, start, training, validation, events, host });
      },
      events,
    );
  });
}

/** Two processes that train in one folder would overwrite each other's checkpoints. */
function alone<T>(folder: string, events: TrainEvents, task: () => Promise<T>): Promise<T> {
  return withFolderLock(folder, (line) => void events.note?.(line), task, AGAIN_RESUMED);
}

/**
 * Goes on with the run in a folder: same options, same data, from its last checkpoint.
 * @throws as `train`; E_MISSING without a run or a checkpoint; E_DATA when the data are not those the run began with
 */
export async function resumeTraining(
  folder: string,
  events: TrainEvents = {},
  host: TrainHost = {},
): Promise<RunEnded> {
  const place = resolve(folder);
  const run = await readRun(place);
  return alone(place, events, () => resumeIn(place, run, events, host));
}

async function resumeIn(
  place: string,
  { options, data, start: begun }: TrainingRun,
  events: TrainEvents,
  host: TrainHost,
): Promise<RunEnded> {
  checkOptions(options);
  await clearLeftovers(place);
  const checkpoint = await readCheckpoint(place);
  const device = host.device ?? (await openTrainingDevice(options.device, options.threads));
  const network = await networkToTrain(options);
  const start: StartWeights = { ...begun, weights: checkpoint.state.weights };
  return withData(
    options,
    host,
    (training, validation) => {
      checkSameData(place, data, dataFound(training, validation));
      return runLoop({
        folder: place,
        run: { options, data, start: begun },
        network,
        device,
        start,
        training,
        validation,
        events,
        host,
        checkpoint,
      });
    },
    events,
  );
}

interface Prepared {
  readonly folder: string;
  readonly run: Pick<TrainingRun, "options" | "data" | "start">;
  readonly network: NetworkToTrain;
  readonly device: TrainingDevice;
  readonly start: StartWeights;
  readonly training: TrainingSet;
  readonly validation: ValidationSet | undefined;
  readonly events: TrainEvents;
  readonly host: TrainHost;
  readonly checkpoint?: { readonly state: Parameters<Trainer["restore"]>[0]; readonly loop: LoopState };
}

async function runLoop({
  folder,
  run,
  network,
  device,
  start,
  training,
  validation,
  events,
  host,
  checkpoint,
}: Prepared): Promise<RunEnded> {
  const { options } = run;
  const { lossWeights, smoothing, truncate, weightDecay, clipNorm, ema, freeze } = options;
  const frozen = freeze === undefined ? new Set<string>() : frozenPrefix(network.network.weightShapes.keys(), freeze);
  if (checkpoint !== undefined) {
    const trained = [...network.network.weightShapes].filter(([name]) => !frozen.has(name));
    checkFits(checkpoint.state, { all: network.network.weightShapes, trained: new Map(trained) }, folder);
  }
  const trainer = device.openTrainer(
    { ...network, weights: start.weights },
    {
      frozen,
      weights: lossWeights,
      smoothing,
      ...(truncate !== undefined && { truncate }),
      weightDecay,
      clipNorm,
      ema,
    },
  );
  let metrics: MetricsFile | undefined;
  try {
    if (checkpoint !== undefined) trainer.restore(checkpoint.state);
    metrics = await MetricsFile.open(folder, checkpoint?.loop.metricsBytes ?? 0);
    if (metrics.damagedLines.length > 0)
      await events.note?.(
        `${METRICS_FILE}: ${count(metrics.damagedLines.length, "damaged line")} ` +
          `(${metrics.damagedLines.slice(0, 10).join(", ")}); the page is made without`,
      );
    const doneSteps = checkpoint?.state.step ?? 0;
    await events.started?.({
      folder,
      architecture: network.architecture.name,
      trainable: trainer.trainable,
      frozen: trainer.frozen,
      start: start.description,
      instances: training.instances,
      images: training.images,
      bySource: training.bySource,
      dropped: training.dropped,
      validationInstances: validation?.instances ?? 0,
      device: deviceText(device),
      doneSteps,
      steps: options.steps,
      batchSize: options.batchSize,
    });
    const loop = new TrainingLoop(
      { folder, options, run, network, device, trainer, training, validation, metrics, events, signal: host.signal },
      doneSteps,
      checkpoint?.loop,
    );
    return await loop.run();
  } finally {
    await metrics?.close();
    trainer.dispose();
  }
}

/** Opens the data for the duration of the work. @throws E_DATA naming images that are in both sets */
async function withData<R>(
  options: TrainOptions,
  host: TrainHost,
  work: (training: TrainingSet, validation: ValidationSet | undefined) => Promise<R>,
  events: TrainEvents,
): Promise<R> {
  const { sourceWeights, ...data } = options.data;
  const notes: Promise<void>[] = [];
  const training = await (host.openTrainingSet ?? openTrainingSet)({
    ...data,
    seed: options.seed,
    batchSize: options.batchSize,
    ...(sourceWeights && { sourceWeights: new Map(Object.entries(sourceWeights)) }),
    onDamaged: (fileName, message) => {
      notes.push(Promise.resolve(events.note?.(`${fileName} is left out: ${message}`)));
    },
  });
  try {
    const validation =
      options.validation === undefined
        ? undefined
        : await openValidationSet({ ...options.validation, seed: options.seed });
    if (validation !== undefined) await checkOverlap(training.files, validation.files);
    return await work(training, validation);
  } finally {
    await training.close();
    await Promise.all(notes);
  }
}

function dataFound(training: TrainingSet, validation: ValidationSet | undefined): DataFound {
  return {
    instances: training.instances,
    images: training.images,
    bySource: Object.fromEntries(training.bySource),
    validationInstances: validation?.instances ?? 0,
    sha256: training.sha256,
    validationSha256: validation?.sha256 ?? null,
  };
}

function checkFreeze({ network }: NetworkToTrain, { freeze }: TrainOptions): void {
  if (freeze !== undefined) frozenPrefix(network.weightShapes.keys(), freeze);
}

/** Lets a run be resumed from another working folder. Names of bundled models stay names. */
function withAbsolutePaths(options: TrainOptions): TrainOptions {
  const { data, validation, init } = options;
  return {
    ...options,
    out: resolve(options.out),
    data: { ...data, boxes: resolve(data.boxes), images: resolve(data.images) },
    ...(validation && {
      validation: { ...validation, boxes: resolve(validation.boxes), images: resolve(validation.images) },
    }),
    ...(init?.endsWith(".safetensors") === true && { init: resolve(init) }),
  };
}
