/** Which annotations of a data set a click simulation takes, decided before any pixel is read, and why the others are left out. */
import type { Dataset, Entry } from "../dataset/dataset.js";
import { selectCategories } from "../dataset/select-categories.js";
import { invalidData } from "../errors.js";
import { ListedReasons } from "./listed-reasons.js";
import { exclusionOf, type Exclusion } from "./prepare-truth.js";

export interface ClickSubjects {
  /** By ordinal: 1 for those that are simulated. */
  readonly isChosen: Uint8Array;
  readonly total: number;
  /** Everything left out, but what lies beyond the limit. */
  readonly exclusions: ListedReasons;
}

/**
 * Walks the data set once.
 * @throws E_DATA when there is nothing to simulate, saying why; E_USAGE for an unknown category
 */
export async function chooseSubjects(dataset: Dataset, { categories, limit }: { readonly categories: readonly string[]; readonly limit?: number }): Promise<ClickSubjects> {
  const { source } = dataset;
  const hint = "Pass the file with the ground truth segmentations; boxes alone say nothing about outlines.";
  if (dataset.annotationCount === 0) throw invalidData(`${source}: expected annotations with ground truth, received an empty data set`, hint);
  const categoryIds = selectCategories(dataset.categories, categories);
  const isChosen = new Uint8Array(dataset.annotationCount);
  const exclusions = new ListedReasons();
  let total = 0;
  for await (const { entries } of dataset.groups()) {
    for (const entry of entries) {
      const exclusion = exclusionFrom(entry, (id) => categoryIds === undefined || categoryIds.has(id));
      if (exclusion !== undefined) {
        exclusions.add(exclusion.reason, entry.kind === "instance" ? entry.instance.annotationId : entry.annotationId, exclusion.message);
      } else if (entry.kind === "instance" && (limit === undefined || total < limit)) {
        isChosen[entry.instance.ordinal] = 1;
        total++;
      }
    }
  }
  if (total === 0) throw nothingLeft(source, exclusions, hint);
  return { isChosen, total, exclusions };
}

/** Also when it turns out only with the images. */
export function nothingLeft(source: string, exclusions: ListedReasons, hint: string): Error {
  const reasons = exclusions.list().map(({ count, words }) => `${count} ${words}`).join("; ");
  return invalidData(`${source}: expected ground truth polygons or masks to simulate clicks on, received none that can be used (${reasons})`, hint);
}

function exclusionFrom(entry: Entry, isWanted: (categoryId: string | number) => boolean): Exclusion | undefined {
  if (entry.kind !== "instance") return exclusionOf(entry);
  const { instance } = entry;
  if (!isWanted(instance.categoryId)) return { reason: "category" };
  if (instance.truthProblem !== undefined) return { reason: "truth-invalid", message: instance.truthProblem };
  return instance.truth === undefined ? { reason: "truth-missing" } : undefined;
}
