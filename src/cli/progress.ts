/**
 * Progress of a run on standard error: a bar on a terminal, else one plain line every ten seconds. Notes and failures are printed
 * above the bar.
 */
import type { AnnotateHost, AnnotateProgress } from "../annotate/options.js";
import { FailureLines } from "./failure-lines.js";
import { openDisplay } from "./progress-display.js";
import { printable, type Paint } from "./terminal-text.js";
import type { OutputStream } from "./terminal.js";

const LINE_EVERY_MS = 10_000;

export interface ProgressOptions {
  /** No bar, no notes, no lines; failures are still printed. */
  readonly quiet: boolean;
  /** Every failure is printed. */
  readonly verbose: boolean;
  readonly paint: Paint;
  readonly now: () => number;
}

export interface Progress extends Pick<AnnotateHost, "note" | "progress" | "failure"> {
  /** Takes the bar away and prints what was held back. Call it once, also after an error. */
  end(): void;
}

export function showProgress(stderr: OutputStream, options: ProgressOptions): Progress {
  const failures = new FailureLines(options.verbose);
  const rate = new Rate(options.now);
  const display = openDisplay(stderr, { quiet: options.quiet, now: options.now, lineEveryMs: LINE_EVERY_MS });
  return {
    note(line) {
      if (!options.quiet) display.print(printable(line));
    },
    progress(progress) {
      display.show(progress, progressWords(progress, rate.update(progress)));
    },
    failure(failure) {
      const line = failures.line(failure);
      if (line !== undefined) display.print(`${options.paint.warning("failed:")} ${printable(line)}`);
    },
    end() {
      for (const line of failures.rest()) display.print(line);
      display.end();
    },
  };
}

/** Instances per second since the first report: loading the model does not count. */
class Rate {
  #start: { readonly at: number; readonly finished: number } | undefined;
  constructor(private readonly now: () => number) {}

  /** @returns undefined until something was finished */
  update(progress: AnnotateProgress): number | undefined {
    this.#start ??= { at: this.now(), finished: progress.finishedNow };
    const finished = progress.finishedNow - this.#start.finished;
    const seconds = (this.now() - this.#start.at) / 1000;
    return finished > 0 && seconds > 0 ? finished / seconds : undefined;
  }
}

/** "120 of 1994 done, 12.3 per second, 2 min 32 s left, 3 failed" */
export function progressWords(progress: AnnotateProgress, perSecond: number | undefined): string {
  const parts = [`${progress.finished} of ${progress.total} done`];
  if (perSecond !== undefined) {
    parts.push(
      `${perSecond.toFixed(perSecond < 10 ? 1 : 0)} per second`,
      `${durationWords((progress.total - progress.finished) / perSecond)} left`,
    );
  }
  parts.push(`${progress.failed} failed`);
  return parts.join(", ");
}

/** 42 s, 2 min 32 s, 3 h 12 min */
export function durationWords(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
