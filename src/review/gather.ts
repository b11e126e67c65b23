/** The reviews of shards become the review of the merged run: the decision in force on each instance, in one journal. */
import { join } from "node:path";
import { count } from "../count.js";
import { JOURNAL_FILE, REVIEW_FILE } from "../files/run-layout.js";
import { pathExists } from "../files/folders.js";
import { ReviewJournal } from "./journal.js";
import { damageOf, hashOfRun } from "./run.js";

export interface ReviewedPart {
  readonly folder: string;
  readonly journalPath: string;
}

/**
 * @param out the merged run's folder, whose journal is there
 * @returns the review, which the caller closes; undefined where no part has one
 * @throws E_DATA when a review belongs to another run than the part it lies in; E_WRITE
 */
export async function gatherReviews(
  parts: readonly ReviewedPart[],
  out: string,
  { model, note }: { readonly model: { name: string; sha256: string }; readonly note: (line: string) => void },
): Promise<ReviewJournal | undefined> {
  const reviews: ReviewJournal[] = [];
  for (const { folder, journalPath } of parts) {
    const path = join(folder, REVIEW_FILE);
    if (!(await pathExists(path))) continue;
    const review = await ReviewJournal.read(path, await hashOfRun(journalPath));
    if (review.damaged.length > 0) note(damageOf(review));
    reviews.push(review);
  }
  if (reviews.length === 0) return undefined;
  const run = await hashOfRun(join(out, JOURNAL_FILE));
  const merged = await ReviewJournal.read(join(out, REVIEW_FILE), run);
  const startedAt = new Date().toISOString();
  await merged.begin(
    { type: "review", version: 1, run, model, order: "input", startedAt },
    { reviewer: null, arm: "assist", at: startedAt, merged: reviews.length },
  );
  try {
    let decisions = 0;
    for (const review of reviews) {
      // Who decided stays with the decision.
      const sessions = new Map<string, number>();
      for (const ordinal of review.instances.keys()) {
        const known = review.decisionOn(ordinal);
        if (known === undefined) continue;
        const { arm } = known;
        const reviewer = review.reviewerOf(known);
        const key = JSON.stringify([reviewer, arm]);
        const session = sessions.get(key) ?? (await merged.addSession({ reviewer, arm, at: startedAt }));
        sessions.set(key, session);
        await merged.decide({ ...(await review.load(known)), revision: 1, session });
        decisions++;
      }
    }
    note(`${count(decisions, "decision")} from ${count(reviews.length, "review")} of the parts`);
    return merged;
  } catch (error) {
    await merged.close();
    throw error;
  }
}
