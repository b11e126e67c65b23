/** The other polygons of an image, as they are now: drawn as thin lines around the one that is reviewed. */
import type { Ring } from "../types.js";
import type { ReviewedRun } from "./run.js";
import { outcomeOf } from "./run.js";

const MOST_OTHERS = 300;

/** What was rejected is not among them. */
export async function othersOf(run: ReviewedRun, ordinal: number): Promise<Ring[]> {
  const { review } = run;
  const others: Ring[] = [];
  for (const other of run.images[run.imageOf[ordinal]!]!.ordinals) {
    if (other === ordinal || others.length >= MOST_OTHERS) continue;
    const known = review.decisionOn(other);
    if (known?.status === "rejected") continue;
    if (known !== undefined && known.status !== "skipped") others.push(...(await review.load(known)).rings);
    else {
      const outcome = await outcomeOf(run, other);
      if (outcome?.status === "done") others.push(outcome.ring);
    }
  }
  return others;
}
