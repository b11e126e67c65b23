/**
 * Progress of a run on standard error: a bar on a terminal, else a plain line now and then. Notes and failures are
 * printed above the bar; of failures with the same reason the first five are printed, then a count.
 */
import cliProgress from "cli-progress";
import type { AnnotateHost, AnnotateProgress, ReportedFailure } from "../annotate/options.js";
import { durationText } from "./phrases.js";
import type { OutputStream, Paint } from "./terminal.js";
import { printable } from "./terminal.js";

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
  /** Removes the bar and prints the counts of held-back failures. Call it once, also after an error. */
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
      const perSecond = rate.update(progress);
      const left = secondsLeft(progress, perSecond);
      const isLong = left !== undefined && 1000 * left >= LINE_EVERY_MS;
      display.show(shareDone(progress), progressMessage(progress, perSecond), isLong);
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

/** Instances per second since the first report, so that loading the model does not count. */
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

/** Shares of the bar; the rest is for the moment when the last file is in place, and shows as one character. */
const [PREDICTING_SHARE, WRITING_SHARE] = [0.93, 0.04];
/** Steps of the bar. */
const STEPS = 1000;

/** Full only when the files are written. */
function shareDone({ finished, total, written }: AnnotateProgress): { finished: number; total: number } {
  if (written === undefined) return { finished, total };
  const predicted = total === 0 ? 1 : finished / total;
  const share = written === 1 ? 1 : PREDICTING_SHARE * predicted + WRITING_SHARE * written;
  return { finished: Math.floor(STEPS * share), total: STEPS };
}

/** @returns undefined where nothing is known */
function secondsLeft(progress: AnnotateProgress, perSecond: number | undefined): number | undefined {
  const rate = perSecond ?? progress.usualPerSecond;
  return rate === undefined ? undefined : (progress.total - progress.finished) / rate;
}

/**
 * "120 of 1994 done, 12.3 per second, 2 min 32 s left, 3 failed"; before there is a rate, "about 2 min 40 s left at the
 * usual speed"; at the end "1994 of 1994 done, files 40 % written".
 */
export function progressMessage(progress: AnnotateProgress, perSecond: number | undefined): string {
  const { finished, total, failed, written } = progress;
  const parts = [`${finished} of ${total} done`];
  const left = secondsLeft(progress, perSecond);
  if (written !== undefined && finished === total) parts.push(`files ${Math.floor(100 * written)} % written`);
  else if (left !== undefined && perSecond === undefined)
    parts.push(`about ${durationText(left)} left at the usual speed`);
  else if (left !== undefined && perSecond !== undefined)
    parts.push(`${perSecond.toFixed(perSecond < 10 ? 1 : 0)} per second`, `${durationText(left)} left`);
  parts.push(`${failed} failed`);
  return parts.join(", ");
}

/** Columns the bar takes, its brackets and the space behind it included. */
export const BAR_COLUMNS = 27;

export interface Display {
  print(line: string): void;
  /** @param isLong the work takes longer than a line now and then: without a terminal, the first one comes at once */
  show(now: { readonly finished: number; readonly total: number }, message: string, isLong?: boolean): void;
  /** Removes the bar. */
  end(): void;
}

export interface DisplayOptions {
  /** Only what is printed, no progress. */
  readonly quiet: boolean;
  readonly now: () => number;
  /** Least time between two plain lines. */
  readonly lineEveryMs: number;
}

export function openDisplay(stderr: OutputStream, options: DisplayOptions): Display {
  return options.quiet ? silent(stderr) : stderr.isTTY === true ? bar(stderr) : lines(stderr, options);
}

function silent(stderr: OutputStream): Display {
  return { print: (line) => void stderr.write(`${line}\n`), show: () => undefined, end: () => undefined };
}

function lines(stderr: OutputStream, { now, lineEveryMs }: DisplayOptions): Display {
  let last = now();
  let isFirst = true;
  return {
    ...silent(stderr),
    show(_, message, isLong = false) {
      if (now() - last < lineEveryMs && !(isFirst && isLong)) return;
      isFirst = false;
      last = now();
      stderr.write(`${message}\n`);
    },
  };
}

function bar(stderr: OutputStream): Display {
  let shown = "";
  // Neither the cursor nor line wrapping is changed: a process that is killed leaves the terminal as it was.
  const bars = new cliProgress.MultiBar({
    stream: stderr,
    clearOnComplete: true,
    linewrap: true,
    barsize: 24,
    forceRedraw: true,
    format: (options, params) => `[${cliProgress.Format.BarFormat(params.progress, options)}] ${shown}`,
  });
  let single: cliProgress.SingleBar | undefined;
  return {
    print(line) {
      if (single === undefined) {
        stderr.write(`${line}\n`);
        return;
      }
      bars.log(`${line}\n`);
      bars.update(); // Now: the next redraw may be a long model call away.
    },
    show(now, message) {
      shown = message;
      single ??= bars.create(now.total, now.finished);
      single.setTotal(now.total);
      single.update(now.finished);
    },
    end() {
      if (single === undefined) return;
      bars.stop();
      single = undefined;
    },
  };
}

const PRINTED_PER_REASON = 5;

/** Repeated failures, grouped by reason. */
class FailureLines {
  readonly #counts = new Map<string, number>();

  /** @param all print every failure (--verbose) */
  constructor(private readonly all: boolean) {}

  /** @returns the line to print for this failure; undefined when its reason was printed often enough */
  line(failure: ReportedFailure): string | undefined {
    const count = (this.#counts.get(failure.reason) ?? 0) + 1;
    this.#counts.set(failure.reason, count);
    if (!this.all && count > PRINTED_PER_REASON) return undefined;
    // Its message says where an annotation without an id stands.
    if (failure.annotationId === null) return failure.message;
    // Some messages begin with the annotation, others with the file at fault.
    const who = `annotation ${failure.annotationId}:`;
    return failure.message.startsWith(who) ? failure.message : `${who} ${failure.message}`;
  }

  /** Counts of the failures that were held back, one line per reason. */
  rest(): string[] {
    if (this.all) return [];
    return [...this.#counts]
      .filter(([, count]) => count > PRINTED_PER_REASON)
      .map(([reason, count]) => `... and ${count - PRINTED_PER_REASON} more with ${reason}`);
  }
}
