/** Repeated failures, grouped: the first five of each reason in full, then a count. */
import type { ReportedFailure } from "../annotate/options.js";

const PRINTED_PER_REASON = 5;

export class FailureLines {
  readonly #counts = new Map<string, number>();

  /** @param all print every failure (--verbose) */
  constructor(private readonly all: boolean) {}

  /** @returns the line to print for this failure, or undefined when its reason was heard often enough */
  line(failure: ReportedFailure): string | undefined {
    const count = (this.#counts.get(failure.reason) ?? 0) + 1;
    this.#counts.set(failure.reason, count);
    if (!this.all && count > PRINTED_PER_REASON) return undefined;
    // Some messages begin with the annotation, others with the file at fault.
    const who = `annotation ${failure.annotationId}:`;
    return failure.message.startsWith(who) ? failure.message : `${who} ${failure.message}`;
  }

  /** What was held back, one line per reason. */
  rest(): string[] {
    if (this.all) return [];
    return [...this.#counts]
      .filter(([, count]) => count > PRINTED_PER_REASON)
      .map(([reason, count]) => `... and ${count - PRINTED_PER_REASON} more with ${reason}`);
  }
}
