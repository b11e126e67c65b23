/**
 * Progress of a training run on standard error: a bar on a terminal, else a plain line now and then; validations stay
 * on the screen.
 */
import type { LossParts, RunEnded, RunStarted, TrainEvents, ValidationLine } from "../../train/events.js";
import { durationText } from "../phrases.js";
import type { Display } from "../progress.js";
import { BAR_COLUMNS, openDisplay } from "../progress.js";
import type { OutputStream } from "../terminal.js";
import { printable } from "../terminal.js";

/** A training run takes hours: fewer lines than other commands. */
const LINE_EVERY_MS = 30_000;
const DEFAULT_COLUMNS = 80;
/** Losses of single steps jump; what is shown follows them at this share per step. */
const FOLLOW = 0.1;
/** Sources that are named in a line of a validation. */
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
  const followed = new Followed();
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
      const words = stepMessage({ ...now, ...followed.follow(now), ...(maskIou !== undefined && { maskIou }) });
      steps = { finished: now.step, total: now.steps };
      display.show(steps, isBar ? fitting(words, room) : words.join(", "));
    },
    validating({ done, all }) {
      showValidating(display, steps, done, all);
    },
    validation(line) {
      say(validationMessage(line));
    },
    end() {
      display.end();
    },
  };
}

function showValidating(
  display: Display,
  steps: { readonly finished: number; readonly total: number },
  done: number,
  all: number,
): void {
  display.show(steps, `validating: ${done} of ${all} instances`);
}

/** Running means of the losses and the accuracy. */
class Followed {
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
          };
    return { losses: this.#losses, accuracy: this.#accuracy };
  }
}

function blend(before: number, now: number): number {
  return before + FOLLOW * (now - before);
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

/** Parts of a line, in the order in which they are read: "step 1200 of 10000", "loss 3.21", ... */
export function stepMessage({
  step,
  steps,
  losses,
  accuracy,
  maskIou,
  instancesPerSecond,
  secondsLeft,
}: ShownStep): readonly string[] {
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
export function fitting(words: readonly string[], width: number): string {
  let line = words[0] ?? "";
  for (const part of words.slice(1)) {
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
  return (
    `validation at step ${step}: IoU ${all.iou.toFixed(3)}${isBest ? " (best so far)" : ""}, the box itself ${all.boxIou.toFixed(3)}` +
    `${sources.length > 1 ? `; ${named.join(", ")}${others}` : ""}${failed > 0 ? `; ${failed} of ${all.instances} gave no polygon` : ""}`
  );
}

/** What a run begins with, before the first step. */
export function startedMessage(run: RunStarted): readonly string[] {
  const dropped = [...run.dropped].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${reason} ${count}`);
  const sources =
    run.bySource.size > 1 ? ` (${[...run.bySource].map(([name, count]) => `${name} ${count}`).join(", ")})` : "";
  return [
    `training ${run.architecture} with ${run.device}: ${run.trainable} weights${run.frozen > 0 ? `, ${run.frozen} frozen` : ""}; start: ${run.start}`,
    `${run.instances} instances on ${run.images} images${sources}${run.validationInstances > 0 ? `, validated on ${run.validationInstances}` : ", no validation"}`,
    ...(dropped.length > 0 ? [`left out: ${dropped.join(", ")}`] : []),
    run.doneSteps > 0
      ? `going on after step ${run.doneSteps} of ${run.steps} in ${run.folder}`
      : `${run.steps} steps of ${run.batchSize} crops into ${run.folder}`,
  ];
}

/* The closing words of `polyrnn train`. */

/** @param folder as it was typed: for the commands to run next */
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
    `${step} steps done in ${durationText(seconds)}`,
    ...(bestText.length > 0 ? bestText : [`${folder} is the model of the last step`]),
    ...page,
    `next: polyrnn annotate ./images --boxes boxes.json --model ${modelPath(place)}`,
  ];
}

/** A bare word could be the name of a model that comes with the program. */
function modelPath(place: string): string {
  return /[\\/]/.test(place) ? place : `./${place}`;
}
