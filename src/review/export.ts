/**
 * The files of a run with what people decided: the same writers, decisions on top of the automatic polygons. Rejected
 * instances are left out, or kept with a mark; skipped and open ones go out as the network drew them.
 *
 * `polyrnn_review` says what was decided. `polyrnn_score` is the expected IoU of the ring as it is now; of a ring
 * whose expected IoU is not known it stays the automatic one, or 1 where a person drew the only polygon.
 */
import { join } from "node:path";
import type { Reviewed } from "../annotate/outputs.js";
import { finishRun } from "../annotate/outputs.js";
import { StageClock } from "../annotate/summary.js";
import { JOURNAL_FILE, RUN_FILE } from "../files/run-layout.js";
import { RunLock } from "../runs/lock.js";
import { generatorOf } from "../runs/run-file.js";
import type { JsonObject } from "../types.js";
import { checkFormats } from "../write/open-writers.js";
import type { ResultItem } from "../write/writer.js";
import type { FormatOptions, OutputFormat } from "../write/writer.js";
import type { StatusCounts } from "./api.js";
import type { Decision } from "./decision.js";
import type { ReviewJournal } from "./journal.js";
import { fromXywh } from "./journal.js";
import { countsOfRun } from "./progress.js";
import type { ReviewedRun } from "./run.js";
import { checkRunFolder, openReviewedRun } from "./run.js";

export interface ExportOptions {
  /** Those of the run when absent. */
  readonly formats?: readonly OutputFormat[];
  /** Over those of the run. */
  readonly formatOptions?: FormatOptions;
  readonly keepRejected: boolean;
  /** Of those who decide now. Each decision goes out with the name of who made it, as `polyrnn_reviewer`. */
  readonly reviewer?: string;
}

/** @returns what was written, relative to the run's folder; @throws E_WRITE, E_DATA */
export async function exportReview(
  run: ReviewedRun,
  options: ExportOptions,
  note: (line: string) => void,
): Promise<readonly string[]> {
  const { folder, record, identity, input, images, index } = run;
  const asked = images.flatMap(({ ordinals }) => ordinals);
  const formats = options.formats ?? record.options.formats;
  const formatOptions = { ...record.options.formatOptions, ...options.formatOptions };
  checkFormats(formats, input.dataset.categories, formatOptions);
  const journaled = asked.filter((ordinal) => index.get(ordinal) !== undefined).length;
  const { written } = await finishRun(
    {
      options: {
        out: folder,
        formats,
        formatOptions,
        overlays: "none",
        images: record.inputs.images,
        ...(identity.limit !== null && { limit: identity.limit }),
      },
      host: { note },
      dataset: input.dataset,
      generator: generatorOf(record, identity.model),
      selection: input.selection,
      clock: new StageClock(),
      reviewed: decisionsOf(run.review, options),
    },
    join(folder, JOURNAL_FILE),
    { stopped: false, remaining: Math.min(asked.length, identity.limit ?? Infinity) - journaled, imageCount: 0 },
  );
  return written.filter((name) => name !== JOURNAL_FILE && name !== RUN_FILE);
}

/** Exports without a page, under the lock of the folder. @throws as `openReviewedRun`, and E_OUT_IN_USE */
export async function exportRunFolder(
  folder: string,
  options: ExportOptions,
  note: (line: string) => void,
): Promise<{ readonly files: readonly string[]; readonly counts: StatusCounts }> {
  await checkRunFolder(folder);
  const lock = await RunLock.take(folder, note);
  try {
    const run = await openReviewedRun(folder, note);
    try {
      return { files: await exportReview(run, options, note), counts: countsOfRun(run) };
    } finally {
      await run.close();
    }
  } finally {
    await lock.release();
  }
}

/** @returns what lays the decisions of a review over the annotations of its run */
export function decisionsOf(review: ReviewJournal, options: Pick<ExportOptions, "keepRejected">): Reviewed {
  return async (item) => {
    const known = review.decisionOn(item.outcome.ordinal);
    if (known === undefined || known.status === "skipped") return item;
    if (known.status === "rejected" && !options.keepRejected) return undefined;
    return decided(item, await review.load(known), review.reviewerOf(known));
  };
}

function decided(item: ResultItem, decision: Decision, reviewer: string | null): ResultItem {
  if (item.kind !== "outcome") return item;
  const { instance, outcome } = item;
  const { status, reason, rings, box, score, isChanged } = decision;
  const marks: JsonObject = {
    polyrnn_review: status,
    ...(status === "rejected" && reason !== null && { polyrnn_review_reason: reason }),
    ...(reviewer !== null && { polyrnn_reviewer: reviewer }),
  };
  const [ring] = rings;
  if (status === "rejected" || ring === undefined)
    return { ...item, instance: { ...instance, raw: { ...instance.raw, ...marks } } };
  const automatic = outcome.status === "done" ? outcome : undefined;
  const moved = fromXywh(box);
  const { left, top, width, height } = instance.box;
  const hasBox = moved.left === left && moved.top === top && moved.width === width && moved.height === height;
  const raw: JsonObject = { ...instance.raw, ...(!hasBox && { bbox: [...box] }), ...marks };
  return {
    kind: "outcome",
    instance: { ...instance, categoryId: decision.categoryId, box: moved, raw },
    outcome: {
      ordinal: outcome.ordinal,
      annotationId: instance.annotationId,
      imageId: instance.imageId,
      status: "done",
      ring,
      score: (isChanged ? score : undefined) ?? automatic?.score ?? 1,
      ended: true,
      clipped: automatic?.clipped ?? false,
      imageWidth: decision.imageWidth,
      imageHeight: decision.imageHeight,
    },
  };
}
