/**
 * A worker: takes jobs of its model, cuts their crops, predicts, returns the outcomes, until it is stopped.
 *
 * It holds `concurrency` jobs at once. As many as the decoder takes side by side are predicted; the crops of the others
 * are cut meanwhile, so that the decoder never waits for them. On a stop the jobs at the decoder are finished and the
 * others are given back.
 *
 * Above 300 lines because all that shares BullMQ's worker object and its connection stands here.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import type { Job as BullJob, WorkerOptions as BullOptions } from "bullmq";
import { Queue, UnrecoverableError, WaitingError, Worker } from "bullmq";
import { cuttersBeside } from "../annotate/local-predictor.js";
import { count } from "../count.js";
import { Gate } from "../crop/gate.js";
import type { CropMaker } from "../crop/read-crops.js";
import { countCores } from "../engine/cores.js";
import type { DeviceChoice } from "../engine/devices.js";
import type { PrecisionChoice } from "../engine/precision.js";
import { gone, PolyrnnError } from "../errors.js";
import { cutText } from "../foreign.js";
import type { Model } from "../model/model.js";
import { loadModel } from "../model/model.js";
import type { BatchDecoder } from "../predict/outline.js";
import { openBatchDecoder } from "../predict/decoder.js";
import { describeViolation } from "../validate.js";
import type { RedisAddress } from "./address.js";
import { queueReason } from "./address.js";
import type { QueueConnection } from "./connection.js";
import { connectToQueue, KEY_PREFIX, queueNameOf } from "./connection.js";
import { removeLeftFolders } from "./fetch-folders.js";
import type { FetchLimits } from "./fetch-image.js";
import type { Job, JobResult, WorkerCard } from "./job.js";
import { checkJob, JOB_VERSION, MOST_ATTEMPTS } from "./job.js";
import type { MetricsEndpoint } from "./metrics.js";
import { serveMetrics, WorkerMetrics } from "./metrics.js";
import { cutJob, predictJob } from "./predict-job.js";
import { hideWorker, RENEW_CARD_MS, showWorker } from "./presence.js";
import { readJobsWithinLimits, workerBackend } from "./worker-backend.js";
import { WorkerImages } from "./worker-images.js";

export interface WorkerOptions extends FetchLimits {
  readonly queue: RedisAddress;
  /** Longest wait for an answer from Redis at the start and at the end, milliseconds; in between there is no limit. */
  readonly queueTimeoutMs: number;
  /** Folder that image paths in jobs are relative to. */
  readonly images: string;
  /** Name of a bundled model or path of a model folder. */
  readonly model: string;
  readonly device: DeviceChoice;
  /** Of kernels on a GPU; auto when absent. */
  readonly precision?: PrecisionChoice;
  /** Cores to compute on where the CPU does; all when absent. */
  readonly threads?: number;
  /** Jobs held at once, 1 or more; one more than the decoder takes when absent. */
  readonly concurrency?: number;
  /** A worker that is silent for longer loses its jobs to others, milliseconds. */
  readonly stalledAfterMs: number;
  /** Jobs per second of all workers of the model together; absent: no limit. */
  readonly rate?: number;
  /** Absent: no endpoint. 0: any free port. */
  readonly metricsPort?: number;
  readonly metricsHost: string;
}

export interface WorkerHost {
  /** Aborted = finish the jobs at the decoder, give back the others, return. */
  readonly signal: AbortSignal;
  note(line: string): void;
}

export interface WorkerSummary {
  readonly version: 1;
  readonly type: "worker-summary";
  readonly jobs: number;
  readonly instances: number;
  readonly failed: number;
  readonly rejected: number;
  readonly givenBack: number;
}

/** Longest wait for the jobs at the decoder on a stop. What is not done by then is done by others. */
const LEAVE_MS = 120_000;

/** Pause before a lost connection is tried again. */
const RETRY_MS = 1000;

/**
 * @param open the decoder; another one than the device's own is for benchmarks
 * @returns when the host's signal is aborted
 * @throws PolyrnnError when the worker cannot begin (address, model, device, port), and when a thread of it or its device
 *   is gone, after its jobs went back
 */
export async function runWorker(
  options: WorkerOptions,
  host: WorkerHost,
  open = openBatchDecoder,
): Promise<WorkerSummary> {
  const connection = await connectToQueue({
    queue: options.queue,
    timeoutMs: options.queueTimeoutMs,
    afterwards: "Then start the worker again.",
  });
  const left = await removeLeftFolders();
  if (left > 0) host.note(`removed ${count(left, "temporary folder")} that killed workers have left`);
  try {
    host.note(`loading model ${options.model}`);
    const model = await loadModel(options.model);
    const { decoder } = await open(model, options);
    const cutters = cuttersBeside(decoder, options.threads ?? countCores());
    try {
      return await new JobWorker({ options, host, connection, model, decoder, maker: cutters }).work();
    } finally {
      await Promise.all([decoder.dispose(), cutters?.close()]);
    }
  } finally {
    connection.close();
  }
}

/** What a worker works with. */
interface WorkerSetup {
  readonly options: WorkerOptions;
  readonly host: WorkerHost;
  readonly connection: QueueConnection;
  readonly model: Model;
  readonly decoder: BatchDecoder;
  readonly maker: CropMaker | undefined;
}

class JobWorker {
  private readonly id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  private readonly queue: Queue;
  private readonly metrics: WorkerMetrics;
  private readonly atDecoder: Gate;
  private readonly trouble: TroubleLog;
  private readonly images: WorkerImages;
  private counts = { jobs: 0, rejected: 0, givenBack: 0 };
  /** Aborted, with its error, when something is gone that every job needs. */
  private readonly broken = new AbortController();
  /** Aborted: nothing new is begun. */
  private readonly stop: AbortSignal;

  constructor(private readonly setup: WorkerSetup) {
    const { options, host, connection, model, decoder } = setup;
    this.stop = AbortSignal.any([host.signal, this.broken.signal]);
    this.images = new WorkerImages(options.images);
    this.atDecoder = new Gate(decoder.batchesAtOnce);
    this.queue = new Queue(queueNameOf(model.hash), {
      connection: connection.client,
      prefix: KEY_PREFIX,
      skipMetasUpdate: true,
    });
    this.trouble = new TroubleLog(connection.address.shown, (line) => {
      host.note(line);
    });
    this.queue.on("error", (error) => {
      this.trouble.add(error);
    });
    this.metrics = new WorkerMetrics(() =>
      connection.ask(this.queue.getJobCounts("waiting", "prioritized", "active", "delayed", "failed", "completed")),
    );
  }

  async work(): Promise<WorkerSummary> {
    const { options, host, connection, decoder, model } = this.setup;
    const endpoint = await this.openEndpoint();
    const taker = connection.client.duplicate();
    readJobsWithinLimits(taker);
    taker.on("error", (error: unknown) => {
      this.trouble.add(error);
    });
    taker.on("ready", () => {
      this.trouble.clear();
    });
    await showWorker(connection, this.card());
    const renewal = setInterval(() => {
      showWorker(connection, this.card()).catch((error: unknown) => {
        this.trouble.add(error);
      });
    }, RENEW_CARD_MS);
    const settings: BullOptions = {
      connection: taker,
      prefix: KEY_PREFIX,
      name: this.id,
      concurrency: options.concurrency ?? decoder.batchesAtOnce + 1,
      lockDuration: options.stalledAfterMs,
      stalledInterval: options.stalledAfterMs / 2,
      maxStalledCount: MOST_ATTEMPTS, // for jobs that cannot even be read; ours carry their own limit
      runRetryDelay: RETRY_MS,
      drainDelay: 1,
      ...(options.rate === undefined ? {} : { limiter: { max: options.rate, duration: 1000 } }),
    };
    const process = (job: BullJob, token?: string): Promise<JobResult> => this.process(job, token);
    const worker = new Worker(queueNameOf(model.hash), process, settings, workerBackend(connection));
    worker.on("error", (error) => {
      this.trouble.add(error);
    });
    worker.on("failed", (job, error) => {
      this.metrics.countJob("failed");
      host.note(`job ${cutText(job?.id ?? "", 100)}: ${queueReason(error)}`);
    });
    host.note(
      `worker ${this.id}: model ${model.card.name} (${model.hash.slice(0, 12)}) on ${decoder.device} ` +
        `(${decoder.version}); waiting for jobs at ${connection.address.shown}`,
    );
    try {
      await aborted(this.stop);
      await this.leave(worker);
      await hideWorker(connection, this.id).catch(() => undefined); // the card expires by itself
    } finally {
      clearInterval(renewal);
      taker.disconnect();
      await endpoint?.close();
    }
    if (this.broken.signal.aborted) {
      const { message } = this.broken.signal.reason as PolyrnnError;
      throw gone(
        `${message}; the worker's jobs went back to the queue`,
        "Start the worker again.",
        this.broken.signal.reason,
      );
    }
    return {
      version: 1,
      type: "worker-summary",
      instances: this.metrics.instances,
      failed: this.metrics.failed,
      ...this.counts,
    };
  }

  /**
   * Lets the jobs at the decoder end and gives back the others. BullMQ alone would wait forever for a lost server.
   * @throws E_UNAVAILABLE when the server is silent for its time limit; it gives the jobs to others when it is back
   */
  private async leave(worker: Worker): Promise<void> {
    const closed = worker.close().then(() => true);
    const until = performance.now() + LEAVE_MS;
    for (let isClosed = false; !isClosed;) {
      if (performance.now() > until) {
        this.setup.host.note(`stopping without waiting longer for what is being drawn; others will draw it`);
        return;
      }
      const { connection } = this.setup;
      const answer = connection.ask(connection.client.ping()).then(() => wait(RETRY_MS, false, { ref: false }));
      answer.catch(() => undefined); // not awaited when the worker closes first
      isClosed = await Promise.race([closed, answer]);
    }
  }

  private async process(bull: BullJob, token: string | undefined): Promise<JobResult> {
    const job = this.receive(bull);
    const { maxBytes, timeoutMs, allowPrivateAddresses } = this.setup.options;
    const isLastAttempt = bull.attemptsMade + 1 >= job.attempts;
    const { decoder, maker } = this.setup;
    const { stop } = this;
    const access = { images: this.images, maxBytes, timeoutMs, allowPrivateAddresses, isLastAttempt, stop };
    const cut = await cutJob(job, { ...access, ...(maker && { maker }) }).catch(async (error: unknown) => {
      await this.giveBackIfGone(error, bull, token);
      if (stop.aborted) await this.giveBack(bull, token);
      throw error;
    });
    await this.atDecoder.enter(1);
    try {
      if (stop.aborted) await this.giveBack(bull, token);
      const result = await predictJob(decoder, cut).catch(async (error: unknown) => {
        await this.giveBackIfGone(error, bull, token);
        throw error;
      });
      this.metrics.countResult(result);
      this.metrics.countJob("done");
      this.counts.jobs++;
      return result;
    } finally {
      this.atDecoder.leave(1);
    }
  }

  /** @throws UnrecoverableError for a foreign job, one of another model, and one that enough workers died of */
  private receive(bull: BullJob): Job {
    const { hash } = this.setup.model;
    const data: unknown = bull.data;
    const violation = checkJob(data);
    if (violation !== undefined) throw this.rejection(describeViolation(violation));
    const job = data as Job;
    if (job.model !== hash)
      throw this.rejection(
        `expected a job for model ${hash.slice(0, 12)} but received one for ${job.model.slice(0, 12)}`,
      );
    if (bull.stalledCounter >= job.attempts)
      throw new UnrecoverableError(`${count(bull.stalledCounter, "worker")} died or stalled with it`);
    return job;
  }

  private rejection(why: string): UnrecoverableError {
    this.metrics.countJob("rejected");
    this.counts.rejected++;
    return new UnrecoverableError(`rejected: ${why}`);
  }

  /**
   * The worker ends where a thread or the device is gone: every job would fail here. The job counts as one that a worker
   * died with, because it may be what the thread died of: enough of them set it aside.
   */
  private async giveBackIfGone(error: unknown, bull: BullJob, token: string | undefined): Promise<void> {
    if (!(error instanceof PolyrnnError) || !error.isLasting) return;
    this.broken.abort(error);
    await this.setup.connection.client.hincrby(this.queue.toKey(bull.id!), "stc", 1);
    await this.giveBack(bull, token);
  }

  private async giveBack(bull: BullJob, token: string | undefined): Promise<never> {
    await bull.moveToWait(token);
    this.metrics.countJob("given-back");
    this.counts.givenBack++;
    throw new WaitingError();
  }

  private async openEndpoint(): Promise<MetricsEndpoint | undefined> {
    const { options, host } = this.setup;
    const { metricsPort, metricsHost } = options;
    if (metricsPort === undefined) return undefined;
    const endpoint = await serveMetrics(this.metrics.registry, metricsHost, metricsPort);
    host.note(`metrics at http://${metricsHost}:${endpoint.port}/metrics`);
    return endpoint;
  }

  private card(): WorkerCard {
    const { model, decoder } = this.setup;
    return {
      type: "polyrnn-worker",
      version: JOB_VERSION,
      id: this.id,
      host: hostname(),
      pid: process.pid,
      modelName: model.card.name,
      model: model.hash,
      engine: decoder.name,
      device: decoder.device,
      engineVersion: decoder.version,
      instances: this.metrics.instances,
      failed: this.metrics.failed,
    };
  }
}

/** Reports each trouble with Redis once until it has passed: a lost server makes an error every second. */
class TroubleLog {
  private readonly reported = new Set<string>();
  constructor(
    private readonly shown: string,
    private readonly note: (line: string) => void,
  ) {}

  add(error: unknown): void {
    const reason = queueReason(error);
    if (this.reported.has(reason) || this.reported.size > 20) return;
    this.reported.add(reason);
    this.note(`${this.shown}: ${reason}; trying again`);
  }

  clear(): void {
    if (this.reported.size > 0) this.note(`${this.shown}: connected again`);
    this.reported.clear();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => {
        signal.addEventListener(
          "abort",
          () => {
            resolve();
          },
          { once: true },
        );
      });
}
