/** Which instances a run draws: pure decisions over the reader's entries. */
import { nearestName } from "../schema/nearest.js";
import { usageError } from "../errors.js";
import type { Entry } from "../dataset/dataset.js";
import type { Category, Id, Instance, Outcome } from "../types.js";

export interface Selection {
  /** Ids of the categories to draw; undefined: all. */
  readonly categoryIds: ReadonlySet<Id> | undefined;
  readonly existing: "predict" | "keep";
}

/** What becomes of an entry before any pixel is read. */
export type Decision =
  | { readonly kind: "draw"; readonly instance: Instance }
  | { readonly kind: "settled"; readonly outcome: Outcome };

/** @param wanted names or ids as typed; empty: all @throws usageError naming the closest category */
export function selectCategories(categories: readonly Category[], wanted: readonly string[]): ReadonlySet<Id> | undefined {
  if (wanted.length === 0) return undefined;
  const ids = new Set<Id>();
  for (const word of wanted) {
    const matches = categories.filter(({ id, name }) => name === word || String(id) === word);
    if (matches.length === 0) {
      const names = categories.map(({ name }) => name);
      const close = nearestName(word, names);
      throw usageError(`--categories: expected a name or an id of the data set, received ${JSON.stringify(word)}`,
        close === undefined ? `The data set has: ${names.slice(0, 20).join(", ")}.` : `Did you mean ${JSON.stringify(close)}?`);
    }
    for (const { id } of matches) ids.add(id);
  }
  return ids;
}

export function decide(entry: Entry, selection: Selection): Decision {
  if (entry.kind === "failed") {
    const { ordinal, annotationId, imageId, failure } = entry;
    return settled({ ordinal, annotationId, imageId, status: "failed", reason: failure.reason, message: failure.message });
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
  if (selection.existing === "keep" && instance.truth !== undefined) {
    return settled({ ordinal, annotationId, imageId, status: "skipped", reason: "kept" });
  }
  return { kind: "draw", instance };
}

function settled(outcome: Outcome): Decision {
  return { kind: "settled", outcome };
}
