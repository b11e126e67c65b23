/**
 * The loop: batch, step, and at intervals a metrics line, a validation, a checkpoint. What it does depends only on
 * data, options, seed and step, so that a run that was killed and resumed does the same as one that was not.
 */
import type { TrainingDevice } from "../engine/open-trainer.js";
import type { StepReport, Trainer, TrainingBatch } from "../engine/trainer.js";
import { EXIT, PolyrnnError } from "../errors.js";
import type { LoopState } from "./checkpoint.js";
import { writeCheckpoint } from "./checkpoint.js";
import type { TrainingSet } from "./data/training-set.js";
import type { PictureCrop, RunEnded, StepLine, TrainEvents } from "./events.js";
import type { MetricsFile } from "./metrics.js";
import { addStep, meansOf, NO_SUMS } from "./metrics.js";
import type { TrainOptions } from "./options.js";
import { ratesAt } from "./options.js";
import type { TrainingRun } from "./run-file.js";
import { saveModel, toSavedWeights } from "./save-model.js";
import type { NetworkToTrain } from "./start-weights.js";
import type { Validation, ValidationSet } from "./validate.js";
import { validate } from "./validate.js";

/** Batches that are prepared while steps are computed. */
const BATCHES_AHEAD = 3;
/** Steps by which the time left is estimated: batches of long rings take longer. */
const RECENT_STEPS = 60;

/** Everything the loop works with; it disposes nothing. */
export interface LoopParts {
  readonly folder: string;
  readonly options: TrainOptions;
  readonly run: Pick<TrainingRun, "options" | "data" | "start">;
  readonly network: NetworkToTrain;
  readonly device: TrainingDevice;
  readonly trainer: Trainer;
  readonly training: Pick<TrainingSet, "batch">;
  readonly validation: ValidationSet | undefined;
  readonly metrics: MetricsFile;
  readonly events: TrainEvents;
  readonly signal: AbortSignal | undefined;
}

export class TrainingLoop {
  private sums = NO_SUMS;
  private best: LoopState["best"];
  private pictures: readonly PictureCrop[] = [];
  private readonly before: number;
  private readonly started = performance.now();
  private readonly recent: number[] = [];
  private readonly ahead = new Map<number, Promise<TrainingBatch>>();
  private lineStarted = performance.now();

  /** @param done steps done; `state` is what was remembered after them */
  constructor(
    private readonly parts: LoopParts,
    private done = 0,
    state?: LoopState,
  ) {
    this.best = state?.best;
    this.sums = state?.sums ?? NO_SUMS;
    this.before = state?.seconds ?? 0;
  }

  /** @throws E_DIVERGED when a loss is not finite; E_WRITE. The last checkpoint is whole then. */
  async run(): Promise<RunEnded> {
    const { options, signal, events } = this.parts;
    try {
      // From here on there is always a checkpoint to go back to.
      if (this.done === 0) await this.checkpoint();
      while (this.done < options.steps && signal?.aborted !== true) {
        await this.oneStep();
        const isLast = this.done === options.steps;
        const validates = this.parts.validation !== undefined && (isLast || this.done % options.validateEvery === 0);
        if (validates) await this.validate();
        if (validates || isLast || this.done % options.checkpointEvery === 0) await this.checkpoint();
      }
      const isDone = this.done === options.steps;
      if (!isDone && this.done % options.checkpointEvery !== 0) await this.checkpoint();
      const ended: RunEnded = {
        reason: isDone ? "done" : "stopped",
        step: this.done,
        ...(this.best && { best: this.best }),
        seconds: this.seconds(),
        folder: this.parts.folder,
      };
      await events.ended?.(ended);
      return ended;
    } finally {
      await Promise.allSettled(this.ahead.values());
    }
  }

  private seconds(): number {
    return this.before + (performance.now() - this.started) / 1000;
  }

  private async oneStep(): Promise<void> {
    const { options, trainer, events } = this.parts;
    const began = performance.now();
    const batch = await this.batch(this.done);
    const report = await trainer.step(batch, ratesAt(this.done, options));
    if (!report.applied) throw this.diverged(report);
    this.done++;
    this.sums = addStep(this.sums, report);
    this.recent.push((performance.now() - began) / 1000);
    if (this.recent.length > RECENT_STEPS) this.recent.shift();
    const line =
      this.done % options.reportEvery === 0 || this.done === options.steps ? await this.addLine() : undefined;
    const perStep = this.recent.reduce((sum, seconds) => sum + seconds, 0) / this.recent.length;
    await events.step?.({
      step: this.done,
      steps: options.steps,
      losses: report.losses,
      accuracy: report.accuracy,
      instancesPerSecond: options.batchSize / perStep,
      secondsLeft: (options.steps - this.done) * perStep,
      ...(line && { line }),
    });
  }

  /** Also begins the next batches, which are decoded on other threads while this one is used. */
  private async batch(step: number): Promise<TrainingBatch> {
    for (let next = step; next <= step + BATCHES_AHEAD && next < this.parts.options.steps; next++) {
      if (this.ahead.has(next)) continue;
      const promise = this.parts.training.batch(next);
      promise.catch(() => undefined); // thrown when its turn comes
      this.ahead.set(next, promise);
    }
    const batch = await this.ahead.get(step)!;
    this.ahead.delete(step);
    return batch;
  }

  private async addLine(): Promise<StepLine> {
    const { options, metrics } = this.parts;
    const now = performance.now();
    const { head, backbone } = ratesAt(this.done - 1, options);
    const line: StepLine = {
      type: "step",
      step: this.done,
      ...meansOf(this.sums),
      rates: { head, trunk: backbone },
      instancesPerSecond: (this.sums.count * options.batchSize * 1000) / (now - this.lineStarted),
    };
    await metrics.add(line);
    this.sums = NO_SUMS;
    this.lineStarted = now;
    return line;
  }

  /** Scores the weights as they would be saved, in F16, and saves them when they are the best so far. */
  private async validate(): Promise<void> {
    const { folder, device, network, trainer, validation, options, metrics, events, run } = this.parts;
    const saved = toSavedWeights(await trainer.weights());
    const engine = device.openEngine({ ...network, weights: saved.weights });
    let result: Validation;
    try {
      result = await validate(engine, validation!, {
        batchSize: Math.max(16, options.batchSize),
        maxSteps: options.maxSteps,
        onProgress: (done) => events.validating?.({ step: this.done, done, all: validation!.instances }),
      });
    } finally {
      await engine.dispose();
    }
    const { iou } = result.line.all;
    const isBest = this.best === undefined || iou > this.best.iou;
    if (isBest) {
      await saveModel(folder, saved.bytes, {
        network,
        run,
        step: this.done,
        device: deviceText(device),
        validation: result.line,
      });
      this.best = { step: this.done, iou };
    }
    this.pictures = result.pictures;
    const line = { ...result.line, step: this.done, isBest };
    await metrics.add(line);
    this.lineStarted = performance.now();
    await events.validation?.(line, { folder, lines: metrics.lines, crops: this.pictures });
  }

  private async checkpoint(): Promise<void> {
    const { folder, device, network, trainer, metrics, events, validation, run } = this.parts;
    const began = performance.now();
    await writeCheckpoint(folder, await trainer.state(), {
      ...(this.best && { best: this.best }),
      sums: this.sums,
      metricsBytes: metrics.bytes,
      seconds: this.seconds(),
    });
    // Without validation, the newest weights are the model.
    if (validation === undefined && this.done > 0)
      await saveModel(folder, toSavedWeights(await trainer.weights()).bytes, {
        network,
        run,
        step: this.done,
        device: deviceText(device),
      });
    await events.checkpoint?.({ step: this.done, folder });
    this.lineStarted += performance.now() - began;
  }

  private diverged({ losses, gradientNorm }: StepReport): PolyrnnError {
    const parts = Object.entries({ ...losses, "gradient norm": gradientNorm })
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");
    return new PolyrnnError(
      `step ${this.done + 1}: expected finite losses but received ${parts}`,
      "E_DIVERGED",
      EXIT.failures,
      `The weights before this step are sound; the last checkpoint is in ${this.parts.folder}. ` +
        "A resumed run would meet the same step: begin another one with a lower learning rate, " +
        `from --init ${this.parts.folder}.`,
    );
  }
}

export function deviceText({ device, version }: TrainingDevice): string {
  return `tfjs on ${device} (${version})`;
}
