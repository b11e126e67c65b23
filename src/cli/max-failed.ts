/** `--max-failed N|P%`: how many failures a job takes, and the exit code of a run that says how it went. */
import type { AnnotateSummary } from "../annotate/summary.js";
import { count } from "../count.js";
import type { ExitCode } from "../errors.js";
import { EXIT, usageError } from "../errors.js";
import { reasons } from "./phrases.js";

/** What `--max-failed` allows. */
export type FailureLimit =
  | { readonly kind: "count"; readonly most: number }
  /** Percent of the instances that were to be predicted, 0 to 100. */
  | { readonly kind: "share"; readonly percent: number };

/** @throws E_USAGE */
export function parseMaxFailed(text: string): FailureLimit {
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (share !== null && Number(share[1]) <= 100) return { kind: "share", percent: Number(share[1]) };
  if (/^\d{1,15}$/.test(text)) return { kind: "count", most: Number(text) };
  throw usageError(
    `--max-failed: expected a whole number or a percentage from 0% to 100% but received ${JSON.stringify(text)}`,
    "Write for example --max-failed 10 or --max-failed 2.5%.",
  );
}

type Counts = Pick<
  AnnotateSummary,
  "done" | "failed" | "remaining" | "stopped" | "skippedByReason" | "failedByReason" | "merged"
>;

/** What a job is told at the end. */
export interface Verdict {
  readonly exitCode: ExitCode;
  /** For people; absent where the other closing messages say it all. */
  readonly message?: string;
  /** For `--json`; absent without `--max-failed`. */
  readonly maxFailed?: { readonly limit: string; readonly allowed: number; readonly passed: boolean };
}

/**
 * @param limit as typed; absent: no failure is allowed
 * @returns 65 where not one polygon came out although there were boxes, whatever is allowed; else 1 for more failures
 *   than allowed, or for shards that a merge lacks
 */
export function judgeRun(summary: Counts, limit?: string): Verdict {
  const { done, failed, remaining, stopped, failedByReason, merged } = summary;
  if (stopped) return { exitCode: EXIT.stopped };
  const asked = done + failed + belowMinimum(summary);
  const allowed = limit === undefined ? 0 : allowedOf(parseMaxFailed(limit), asked);
  const passed = failed <= allowed;
  const given = limit !== undefined && { maxFailed: { limit, allowed, passed } };
  if (hasNoPolygon(summary)) {
    const why = failed === 0 ? "the shards are unfinished" : reasons(failedByReason);
    const message = `nothing was drawn although there ${boxesText(failed + remaining)}: ${why}`;
    return { exitCode: EXIT.dataInvalid, message, ...given };
  }
  const isWhole = merged === undefined || (remaining === 0 && merged.missing.length === 0);
  const exitCode = passed && isWhole ? EXIT.ok : EXIT.failures;
  if (failed === 0 || limit === undefined) return { exitCode, ...given };
  const message = `${failed} failed, ${passed ? `which --max-failed ${limit} allows` : `more than --max-failed ${limit} allows`}`;
  return { exitCode, message, ...given };
}

/** Polygons that are kept or left out for their score are polygons. */
function hasNoPolygon(summary: Counts): boolean {
  const { done, failed, remaining, skippedByReason } = summary;
  const others = belowMinimum(summary) + (skippedByReason.kept ?? 0) + (skippedByReason["already-done"] ?? 0);
  return done + others === 0 && failed + remaining > 0;
}

function belowMinimum({ skippedByReason }: Counts): number {
  return skippedByReason["score-below-minimum"] ?? 0;
}

/** Whole instances; a share is never rounded up. */
function allowedOf(limit: FailureLimit, asked: number): number {
  return limit.kind === "count" ? limit.most : Math.floor((limit.percent * asked) / 100 + 1e-9);
}

function boxesText(n: number): string {
  return `${n === 1 ? "was" : "were"} ${count(n, "box", "boxes")}`;
}
