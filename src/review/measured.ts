/** What people did to the instances of a run, one by one, for whoever compares it with a simulation. Reads only. */
import type { Id, Ring } from "../types.js";
import { openReviewedRun, outcomeOf } from "./run.js";
import { clicksOf } from "./statistics.js";

/** An accepted or edited instance whose outline was not drawn without the network to measure that. */
export interface MeasuredInstance {
  /** As `Statistics` counts them. */
  readonly clicks: number;
  readonly redrawTaken: number;
  readonly redrawLeft: number;
  readonly activeSeconds: number;
  /** Image pixels; empty where the network drew no polygon. */
  readonly automatic: Ring;
  readonly decided: Ring;
}

export interface MeasuredReview {
  readonly folder: string;
  /** Instances that can be asked for. */
  readonly count: number;
  /** @throws E_DATA when the line on disk is not what it was */
  find(imageId: Id, annotationId: Id): Promise<MeasuredInstance | undefined>;
  close(): Promise<void>;
}

/** @throws E_MISSING where there is no run, E_DATA where it or its review is damaged */
export async function openMeasuredReview(folder: string, note: (line: string) => void): Promise<MeasuredReview> {
  const run = await openReviewedRun(folder, note);
  const { review } = run;
  const ordinals = new Map<string, number>();
  try {
    for (const ordinal of review.instances.keys()) {
      const decision = review.decisionOn(ordinal);
      const isKept = decision?.status === "accepted" || decision?.status === "edited";
      if (!isKept || decision.arm !== "assist") continue;
      const outcome = await outcomeOf(run, ordinal);
      if (outcome !== undefined) ordinals.set(keyOf(outcome.imageId, outcome.annotationId), ordinal);
    }
  } catch (error) {
    await run.close();
    throw error;
  }
  return {
    folder,
    count: ordinals.size,
    async find(imageId, annotationId) {
      const ordinal = ordinals.get(keyOf(imageId, annotationId));
      if (ordinal === undefined) return undefined;
      const known = review.decisionOn(ordinal)!;
      const outcome = await outcomeOf(run, ordinal);
      const { rings } = await review.load(known);
      return {
        clicks: clicksOf(known.counts),
        redrawTaken: known.counts.redrawTaken,
        redrawLeft: known.counts.redrawLeft,
        activeSeconds: known.activeMs / 1000,
        automatic: outcome?.status === "done" ? outcome.ring : [],
        decided: rings[0] ?? [],
      };
    },
    close: () => run.close(),
  };
}

/** Ids 1 and "1" are two. */
function keyOf(imageId: Id | null, annotationId: Id | null): string {
  return JSON.stringify([imageId, annotationId]);
}
