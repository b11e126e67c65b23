/** Where a review stands: counts by status, and the statistics of a whole run. */
import type { Statistics, StatisticsRow, StatusCounts } from "./api.js";
import type { ReviewedRun } from "./run.js";
import { categoryName } from "./run.js";
import { rowOf, statisticsOf } from "./statistics.js";

/** @param size instances of the queue */
export function countsOf({ review }: ReviewedRun, isIn: (ordinal: number) => boolean, size: number): StatusCounts {
  const counts = { open: 0, accepted: 0, edited: 0, rejected: 0, skipped: 0, draft: 0 };
  let seen = 0;
  for (const ordinal of review.instances.keys()) {
    const known = review.inForce(ordinal);
    if (known === undefined || !isIn(ordinal)) continue;
    counts[known.status]++;
    seen++;
  }
  return { ...counts, open: size - seen };
}

/** @returns what the decisions of one session took: a person's own pace */
export function paceOf({ review }: ReviewedRun, session: number): StatisticsRow {
  const own = [...review.instances.keys()].flatMap((ordinal) => {
    const decision = review.decisionOn(ordinal);
    return decision?.session === session ? [{ decision }] : [];
  });
  return rowOf("own", own);
}

/** Over all decisions of the run, whatever the queue shows of it now. @param session whose decisions are one's own */
export function statisticsOfRun(run: ReviewedRun, counts: StatusCounts, session?: number): Statistics {
  const { review } = run;
  const decided = [...review.instances.keys()].flatMap((ordinal) => {
    const decision = review.decisionOn(ordinal);
    if (decision === undefined) return [];
    return [{ ordinal, category: categoryName(run, decision.categoryId), decision }];
  });
  return statisticsOf(decided, { counts, revision: review.revision, ...(session !== undefined && { session }) });
}

/** Of all instances of a run that a review may show. */
export function countsOfRun(run: ReviewedRun): StatusCounts {
  let size = 0;
  for (const score of run.scores) if (!Number.isNaN(score)) size++;
  return countsOf(run, (ordinal) => !Number.isNaN(run.scores[ordinal] ?? NaN), size);
}
