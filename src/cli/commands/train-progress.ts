/**
 * What `polyrnn train` shows of a run: a bar on a terminal or plain lines at intervals, validations that stay on the
 * screen, JSON lines, training.html, and the closing lines.
 */
import { count } from "../../count.js";
import { PolyrnnError } from "../../errors.js";
import type {
  LossParts,
  RunEnded,
  RunStarted,
  TrainEvents,
  TrainingHistory,
  ValidationLine,
} from "../../train/events.js";
import type { TrainOptions } from "../../train/options.js";
import { packageVersion } from "../../version.js";
import { durationText } from "../phrases.js";
import { BAR_COLUMNS, openDisplay } from "../progress.js";
import type { OutputStream, Terminal } from "../terminal.js";
import { printable, writeJsonLine } from "../terminal.js";

/** A training run takes hours, so it prints fewer lines than other commands. */
const LINE_EVERY_MS = 30_000;
const DEFAULT_COLUMNS = 80;
/** Losses of single steps jump; the mean that is shown moves by this share per step. */
const SHARE_PER_STEP = 0.1;
/** Sources named in the line of a validation. */
const SHOWN_SOURCES = 8;

export type TrainProgress = Required<Pick<TrainEvents, "started" | "step" | "validating" | "validation" | "note">> & {
  /** Takes the bar away. Call it once, also after an error. */
  end(): void;
};

export function showTrainProgress(
  stderr: OutputStream,
  options: { readonly quiet: boolean; readonly now: () => number },
): TrainProgress {
  const display = openDisplay(stderr, { ...options, lineEveryMs: LINE_EVERY_MS });
  const isBar = stderr.isTTY === true;
  const room = (stderr.columns ?? DEFAULT_COLUMNS) - BAR_COLUMNS - 1;
  const say = (line: string): void => {
    if (!options.quiet) display.print(printable(line));
  };
  const means = new RunningMeans();
  let maskIou: number | undefined;
  let steps = { finished: 0, total: 1 };
  return {
    note: say,
    started(run) {
      for (const line of startedMessage(run)) say(line);
      steps = { finished: run.doneSteps, total: run.steps };
    },
    step(now) {
      maskIou = now.line?.maskIou ?? maskIou;
      const parts = stepMessage({ ...now, ...means.follow(now), ...(maskIou !== undefined && { maskIou }) });
      steps = { finished: now.step, total: now.steps };
      display.show(steps, isBar ? fitting(parts, room) : parts.join(", "));
    },
    validating({ done, all }) {
      display.show(steps, `validating: ${done} of ${count(all, "instance")}`);
    },
    validation(line) {
      say(validationMessage(line));
    },
    end() {
      display.end();
    },
  };
}

/** Running means of the losses and the accuracy. */
class RunningMeans {
  #losses: LossParts | undefined;
  #accuracy = 0;

  follow({ losses, accuracy }: { readonly losses: LossParts; readonly accuracy: number }): {
    readonly losses: LossParts;
    readonly accuracy: number;
  } {
    const before = this.#losses;
    this.#accuracy = before === undefined ? accuracy : blend(this.#accuracy, accuracy);
    this.#losses =
      before === undefined
        ? losses
        : {
            total: blend(before.total, losses.total),
            steps: blend(before.steps, losses.steps),
            edge: blend(before.edge, losses.edge),
            vertex: blend(before.vertex, losses.vertex),
            ...(losses.mask !== undefined && { mask: blend(before.mask ?? losses.mask, losses.mask) }),
            ...(losses.fineMask !== undefined && {
              fineMask: blend(before.fineMask ?? losses.fineMask, losses.fineMask),
            }),
          };
    return { losses: this.#losses, accuracy: this.#accuracy };
  }
}

function blend(before: number, now: number): number {
  return before + SHARE_PER_STEP * (now - before);
}

export interface ShownStep {
  readonly step: number;
  readonly steps: number;
  readonly losses: LossParts;
  readonly accuracy: number;
  readonly maskIou?: number;
  readonly instancesPerSecond: number;
  readonly secondsLeft: number;
}

/** Parts of a line, most important first: "step 1200 of 10000", "loss 3.21", ... */
export function stepMessage(shown: ShownStep): readonly string[] {
  const { step, steps, losses, accuracy, maskIou, instancesPerSecond, secondsLeft } = shown;
  const { total, ...parts } = losses;
  return [
    `step ${step} of ${steps}`,
    `loss ${total.toFixed(3)}`,
    `${durationText(secondsLeft)} left`,
    `accuracy ${accuracy.toFixed(3)}`,
    ...(maskIou === undefined ? [] : [`mask IoU ${maskIou.toFixed(3)}`]),
    `${instancesPerSecond.toFixed(instancesPerSecond < 10 ? 1 : 0)} instances/s`,
    Object.entries(parts)
      .map(([name, value]) => `${name} ${value.toFixed(3)}`)
      .join(" "),
  ];
}

/** As many parts, from the first on, as fit the width. */
export function fitting(parts: readonly string[], width: number): string {
  let line = parts[0] ?? "";
  for (const part of parts.slice(1)) {
    if (line.length + 2 + part.length > width) break;
    line += `, ${part}`;
  }
  return line;
}

/** "validation at step 500: IoU 0.712 (best so far), box 0.625; coco 0.70, people 0.79" */
export function validationMessage({ step, all, bySource, failed, isBest }: ValidationLine): string {
  const sources = Object.entries(bySource);
  const named = sources
    .sort(([, a], [, b]) => b.instances - a.instances)
    .slice(0, SHOWN_SOURCES)
    .map(([name, { iou }]) => `${name} ${iou.toFixed(3)}`);
  const others = sources.length > SHOWN_SOURCES ? ` and ${sources.length - SHOWN_SOURCES} more` : "";
  const best = isBest ? " (best so far)" : "";
  return [
    `validation at step ${step}: IoU ${all.iou.toFixed(3)}${best}, the box itself ${all.boxIou.toFixed(3)}`,
    ...(sources.length > 1 ? [`${named.join(", ")}${others}`] : []),
    ...(failed > 0 ? [`${failed} of ${all.instances} gave no polygon`] : []),
  ].join("; ");
}

/** Lines before the first step. */
export function startedMessage(run: RunStarted): readonly string[] {
  const dropped = [...run.dropped].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${reason} ${count}`);
  const sources =
    run.bySource.size > 1 ? ` (${[...run.bySource].map(([name, count]) => `${name} ${count}`).join(", ")})` : "";
  const frozen = run.frozen > 0 ? `, ${run.frozen} frozen` : "";
  const validated = run.validationInstances > 0 ? `validated on ${run.validationInstances}` : "no validation";
  return [
    `training ${run.architecture} with ${run.device}: ${count(run.trainable, "weight")}${frozen}; start: ${run.start}`,
    `${count(run.instances, "instance")} on ${count(run.images, "image")}${sources}, ${validated}`,
    ...(dropped.length > 0 ? [`left out: ${dropped.join(", ")}`] : []),
    run.doneSteps > 0
      ? `going on after step ${run.doneSteps} of ${run.steps} in ${run.folder}`
      : `${count(run.steps, "step")} of ${count(run.batchSize, "crop")} into ${run.folder}`,
  ];
}

/**
 * Closing lines.
 * @param folder as it was typed, for the command to run next
 */
export function endedMessages(
  { reason, step, best, seconds }: RunEnded,
  folder: string,
  hasPage: boolean,
): readonly string[] {
  const place = /[\s"'$`\\]/.test(folder) ? `'${folder.replaceAll("'", "'\\''")}'` : folder;
  const bestText =
    best === undefined
      ? []
      : [`best validation IoU ${best.iou.toFixed(3)} at step ${best.step}; ${folder} is that model`];
  const page = hasPage ? [`curves and pictures: ${folder}/training.html`] : [];
  if (reason === "stopped")
    return [
      `stopped after step ${step} (${durationText(seconds)} of training); the checkpoint of it is kept`,
      ...bestText,
      ...page,
      `next: polyrnn train --resume ${place}`,
    ];
  return [
    `${count(step, "step")} done in ${durationText(seconds)}`,
    ...(bestText.length > 0 ? bestText : [`${folder} is the model of the last step`]),
    ...page,
    `next: polyrnn annotate ./images --boxes boxes.json --model ${modelPath(place)}`,
  ];
}

/** A bare word could be the name of a model that comes with the program. */
function modelPath(place: string): string {
  return /[\\/]/.test(place) ? place : `./${place}`;
}

/** Facts about a run that are known before its first step. */
export interface PreparedRun {
  readonly isResumed: boolean;
  /** Absolute. */
  readonly folder: string;
  /** The folder as it was typed. */
  readonly typed: string;
  readonly options: TrainOptions;
}

/** Shows progress, prints JSON lines, writes the page. */
export class RunReporter implements TrainEvents {
  #run: RunStarted | undefined;
  hasPage = false;
  /** Step of the last checkpoint that was written. */
  checkpointStep: number | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly progress: TrainProgress,
    private readonly prepared: PreparedRun,
    private readonly isJson: boolean,
  ) {}

  async started(run: RunStarted): Promise<void> {
    this.#run = run;
    await this.progress.started(run);
    await this.#writeJson({
      version: 1,
      ...run,
      type: "started",
      bySource: Object.fromEntries(run.bySource),
      dropped: Object.fromEntries(run.dropped),
    });
  }

  async step(now: Parameters<TrainProgress["step"]>[0]): Promise<void> {
    await this.progress.step(now);
    if (now.line !== undefined) await this.#writeJson(now.line);
  }

  async validating(now: Parameters<TrainProgress["validating"]>[0]): Promise<void> {
    await this.progress.validating(now);
  }

  async validation(line: ValidationLine, history: TrainingHistory): Promise<void> {
    await this.progress.validation(line, history);
    const { drawn: _drawn, ...scores } = line;
    await this.#writeJson(scores);
    await this.#writePage(history);
  }

  async checkpoint({ step }: { readonly step: number }): Promise<void> {
    this.checkpointStep = step;
    await this.#writeJson({ type: "checkpoint", step });
  }

  note(text: string): void {
    void this.progress.note(text);
  }

  /** A page that cannot be written is no reason to end a run of hours. */
  async #writePage(history: TrainingHistory): Promise<void> {
    if (this.#run === undefined) return;
    const { describeOptions, TRAINING_PAGE, writeTrainingPage } = await import("../../train/page/render-training.js");
    try {
      await writeTrainingPage(this.prepared.folder, history, {
        run: this.#run,
        options: describeOptions(this.prepared.options),
        generator: `polyrnn ${packageVersion()}`,
      });
      this.hasPage = true;
    } catch (error) {
      if (!(error instanceof PolyrnnError)) throw error;
      this.note(`${TRAINING_PAGE} is left as it was, the run goes on: ${error.message}`);
    }
  }

  async #writeJson(line: object): Promise<void> {
    if (this.isJson) await writeJsonLine(this.terminal.stdout, line);
  }
}
