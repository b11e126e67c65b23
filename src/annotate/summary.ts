/** summary.json: the counts of a run, kept while outcomes go by, and where its time went. */
import { join } from "node:path";
import { withoutControls } from "../foreign.js";
import { writeAtomic } from "../files/atomic-file.js";
import { SUMMARY_FILE } from "../files/run-layout.js";
import { isValidOutline } from "../geometry/valid-ring.js";
import { DOUBTFUL_BELOW } from "../predict/options.js";
import type { Shard } from "../runs/identity.js";
import type { PredictingEngine } from "../runs/run-file.js";
import type { DoneOutcome, FailReason, Id, Outcome, SkipReason } from "../types.js";
import type { ReportedFailure } from "./options.js";
import type { ShardSize } from "./shard.js";

/** Adding a field is free, changing one is a new version. */
export interface AnnotateSummary extends OutcomeCounts {
  readonly version: 1;
  readonly type: "summary";
  /** True when the user stopped the run; the journal is valid, and --resume continues it. */
  readonly stopped: boolean;
  readonly images: number;
  /** Images with an instance that this run was asked for. */
  readonly imagesAsked: number;
  /** Annotations in the input. */
  readonly annotations: number;
  /** The part of them that this run worked on; the counts are the part's. */
  readonly shard?: Shard & ShardSize;
  /** Instances not reached (stopped). */
  readonly remaining: number;
  readonly engine: PredictingEngine["name"];
  readonly device: PredictingEngine["device"];
  readonly engineVersion: string;
  readonly model: string;
  readonly modelHash: string;
  readonly batchSize: number;
  /** Instances finished by this process (a resumed run counts only its own). */
  readonly finishedNow: number;
  /** Wall time of this process, to the millisecond. */
  readonly seconds: number;
  /** Stages overlap, so they may add up to more than the wall time. */
  readonly secondsPerStage: Readonly<Record<Stage, number>>;
  readonly instancesPerSecond: number;
  readonly peakMemoryMiB: number;
  /** Output folder, and what was written there; relative paths, a folder ends with "/". */
  readonly out: string;
  readonly written: readonly string[];
  /** What the folder was merged from; absent where one run made the whole. */
  readonly merged?: MergedShards;
}

/** What became of the instances. */
export interface OutcomeCounts {
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  /** Polygons predicted from a box that was cut at the image's border. */
  readonly clipped: number;
  /** Polygons cut at the step limit before end-of-sequence. */
  readonly unended: number;
  /** Polygons that cross or touch themselves, or have no area; see geometry/simple-ring.ts. */
  readonly invalid: number;
  /** Polygons with a score below DOUBTFUL_BELOW. */
  readonly doubtful: number;
  readonly failedByReason: Partial<Record<FailReason, number>>;
  readonly skippedByReason: Partial<Record<SkipReason, number>>;
  /** The first 100 failures; all of them are in the journal. */
  readonly failures: readonly ReportedFailure[];
  /** 0..1, to four decimals; null without a polygon. */
  readonly meanScore: number | null;
  /** The five polygons with the lowest scores, the lowest first; of equal ones, the earlier in the input. */
  readonly lowestScores: readonly LowScore[];
}

export interface LowScore {
  readonly annotationId: Id;
  readonly imageId: Id;
  /** 0..1 */
  readonly score: number;
}

export type Stage = "decode" | "crop" | "encode" | "steps" | "write";

export interface MergedShards {
  /** Shards of the run. */
  readonly count: number;
  readonly parts: readonly MergedPart[];
  /** Shards without a part, and how many of their instances are to be predicted. */
  readonly missing: readonly { readonly shard: number; readonly remaining: number }[];
}

export interface MergedPart {
  readonly shard: number;
  /** As the user named it. */
  readonly folder: string;
  /** Instances without a polygon yet; 0: the shard is finished. */
  readonly remaining: number;
  /** One annotation without a polygon yet. */
  readonly firstRemaining?: Id;
  readonly device: PredictingEngine["device"];
}

/** @throws E_WRITE */
export async function writeSummaryFile(out: string, summary: AnnotateSummary): Promise<void> {
  await writeAtomic(join(out, SUMMARY_FILE), `${withoutControls(JSON.stringify(summary, null, 2))}\n`);
}

/** Failures listed one by one in the summary; see `OutcomeCounts`. */
const LISTED_FAILURES = 100;

/** Polygons in `OutcomeCounts.lowestScores`. */
const LOWEST_SCORES = 5;

/** Counts outcomes, each instance once. */
export class Tally {
  private done = 0;
  private failed = 0;
  private skipped = 0;
  private clipped = 0;
  private unended = 0;
  private invalid = 0;
  private scoreSum = 0;
  private doubtful = 0;
  private readonly failedByReason = new Map<FailReason, number>();
  private readonly skippedByReason = new Map<SkipReason, number>();
  private readonly failures: ReportedFailure[] = [];
  private readonly lowest: DoneOutcome[] = [];

  add(outcome: Outcome): void {
    switch (outcome.status) {
      case "done":
        this.done++;
        this.scoreSum += outcome.score;
        if (outcome.score < DOUBTFUL_BELOW) this.doubtful++;
        this.keepLowest(outcome);
        if (outcome.clipped) this.clipped++;
        if (!outcome.ended) this.unended++;
        if (!isValidOutline(outcome.ring, { width: outcome.imageWidth, height: outcome.imageHeight })) this.invalid++;
        return;
      case "skipped":
        this.skipped++;
        increment(this.skippedByReason, outcome.reason);
        return;
      case "failed": {
        this.failed++;
        increment(this.failedByReason, outcome.reason);
        const { annotationId, imageId, reason, message } = outcome;
        if (this.failures.length < LISTED_FAILURES) this.failures.push({ annotationId, imageId, reason, message });
      }
    }
  }

  /** By ordinal where scores are equal, so that the order in which a queue answers changes nothing. */
  private keepLowest(outcome: DoneOutcome): void {
    const isBelow = (other: DoneOutcome): boolean =>
      outcome.score < other.score || (outcome.score === other.score && outcome.ordinal < other.ordinal);
    const at = this.lowest.findIndex(isBelow);
    if (at >= 0) this.lowest.splice(at, 0, outcome);
    else this.lowest.push(outcome);
    if (this.lowest.length > LOWEST_SCORES) this.lowest.pop();
  }

  counts(): OutcomeCounts {
    return {
      done: this.done,
      failed: this.failed,
      skipped: this.skipped,
      clipped: this.clipped,
      unended: this.unended,
      invalid: this.invalid,
      doubtful: this.doubtful,
      failedByReason: Object.fromEntries(this.failedByReason),
      skippedByReason: Object.fromEntries(this.skippedByReason),
      failures: this.failures,
      meanScore: this.done === 0 ? null : Math.round((this.scoreSum / this.done) * 1e4) / 1e4,
      lowestScores: this.lowest.map(({ annotationId, imageId, score }) => ({ annotationId, imageId, score })),
    };
  }
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Adds up the time of overlapping stages. */
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

  /** Seconds per stage, to the millisecond. */
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

/** Most memory this process has held so far. */
export function peakMemoryMiB(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}
