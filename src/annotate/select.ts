/** Which instances a run predicts: pure decisions over the reader's entries. */
import type { Entry } from "../dataset/dataset.js";
import type { Id, Instance, Outcome } from "../types.js";

export interface Selection {
  /** Ids of the categories to predict; undefined: all. */
  readonly categoryIds: ReadonlySet<Id> | undefined;
  readonly existing: "predict" | "keep";
}

/** What becomes of an entry before any pixel is read. */
export type Decision =
  { readonly kind: "predict"; readonly instance: Instance } | { readonly kind: "settled"; readonly outcome: Outcome };

export function decide(entry: Entry, selection: Selection): Decision {
  const keeps = selection.existing === "keep";
  if (entry.kind === "failed") {
    const { ordinal, annotationId, imageId, failure } = entry;
    if (keeps && entry.hasTruth === true && annotationId !== null && imageId !== null)
      return settled({ ordinal, annotationId, imageId, status: "skipped", reason: "kept" });
    return settled({
      ordinal,
      annotationId,
      imageId,
      status: "failed",
      reason: failure.reason,
      message: failure.message,
    });
  }
  if (entry.kind === "skipped") {
    const { ordinal, annotationId, imageId, reason } = entry;
    return settled({ ordinal, annotationId, imageId, status: "skipped", reason });
  }
  const { instance } = entry;
  const { ordinal, annotationId, imageId } = instance;
  if (selection.categoryIds !== undefined && !selection.categoryIds.has(instance.categoryId)) {
    return settled({ ordinal, annotationId, imageId, status: "skipped", reason: "category" });
  }
  if (keeps && instance.truth !== undefined) {
    return settled({ ordinal, annotationId, imageId, status: "skipped", reason: "kept" });
  }
  if (keeps && instance.truthProblem !== undefined) {
    const message = `${instance.truthProblem}. It was not drawn over (--existing keep); correct or remove this segmentation.`;
    return settled({ ordinal, annotationId, imageId, status: "failed", reason: "segmentation-invalid", message });
  }
  return { kind: "predict", instance };
}

function settled(outcome: Outcome): Decision {
  return { kind: "settled", outcome };
}
