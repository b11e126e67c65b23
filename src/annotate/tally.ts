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
