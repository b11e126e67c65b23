/** Counts of a run, kept while outcomes go by: what summary.json says. */
import type { FailReason, Outcome, SkipReason } from "../types.js";
import type { AnnotateSummary, ReportedFailure } from "./options.js";

/** Failures listed one by one in the summary; all of them are in the journal. */
const LISTED_FAILURES = 100;

export class Tally {
  done = 0;
  failed = 0;
  skipped = 0;
  private clipped = 0;
  private unended = 0;
  private scoreSum = 0;
  private readonly failedByReason = new Map<FailReason, number>();
  private readonly skippedByReason = new Map<SkipReason, number>();
  private readonly failures: ReportedFailure[] = [];

  add(outcome: Outcome): void {
    switch (outcome.status) {
      case "done":
        this.done++;
        this.scoreSum += outcome.score;
        if (outcome.clipped) this.clipped++;
        if (!outcome.ended) this.unended++;
        return;
      case "skipped":
        this.skipped++;
        count(this.skippedByReason, outcome.reason);
        return;
      case "failed": {
        this.failed++;
        count(this.failedByReason, outcome.reason);
        const { annotationId, imageId, reason, message } = outcome;
        if (this.failures.length < LISTED_FAILURES) this.failures.push({ annotationId, imageId, reason, message });
      }
    }
  }

  counts(): Pick<
    AnnotateSummary,
    | "done"
    | "failed"
    | "skipped"
    | "clipped"
    | "unended"
    | "failedByReason"
    | "skippedByReason"
    | "failures"
    | "meanScore"
  > {
    return {
      done: this.done,
      failed: this.failed,
      skipped: this.skipped,
      clipped: this.clipped,
      unended: this.unended,
      failedByReason: Object.fromEntries(this.failedByReason),
      skippedByReason: Object.fromEntries(this.skippedByReason),
      failures: this.failures,
      meanScore: this.done === 0 ? null : Math.round((this.scoreSum / this.done) * 1e4) / 1e4,
    };
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/* Where the time of a run goes. Stages overlap, so their sum may exceed the wall time. */

export type Stage = keyof AnnotateSummary["secondsPerStage"];

export class StageClock {
  private readonly milliseconds: Record<Stage, number> = { decode: 0, crop: 0, encode: 0, steps: 0, write: 0 };
  private readonly started = performance.now();

  add(stage: Stage, milliseconds: number): void {
    this.milliseconds[stage] += milliseconds;
  }

  async time<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.add(stage, performance.now() - start);
    }
  }

  /** Wall time since the clock was made, seconds. */
  elapsed(): number {
    return (performance.now() - this.started) / 1000;
  }

  /** Seconds per stage, rounded to milliseconds. */
  seconds(): AnnotateSummary["secondsPerStage"] {
    const { decode, crop, encode, steps, write } = this.milliseconds;
    const round = (ms: number): number => Math.round(ms) / 1000;
    return {
      decode: round(decode),
      crop: round(crop),
      encode: round(encode),
      steps: round(steps),
      write: round(write),
    };
  }
}
