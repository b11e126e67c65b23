/**
 * Which annotations of a data set a click simulation takes, decided before any pixel is read; and why it leaves out
 * others.
 */
import type { Dataset } from "../dataset/dataset.js";
import type { BoxUnit } from "../dataset/relative-boxes.js";
import { openDataset } from "../dataset/open-dataset.js";
import { selectCategories } from "../dataset/select-categories.js";
import { invalidData } from "../errors.js";
import type { SourceNames } from "../evaluate/groups.js";
import { ListedReasons } from "../evaluate/reasons.js";
import type { Exclusion } from "../evaluate/truth.js";
import { exclusionOf } from "../evaluate/truth.js";
import type { Instance } from "../types.js";

export interface SubjectOptions {
  /** Names or ids; only these. Empty: all. */
  readonly categories: readonly string[];
  /**
   * At most this many instances, in input order, with or without a truth: the ones that `annotate` predicts with the
   * same limit.
   */
  readonly limit?: number;
  /** What the numbers of the boxes count; see `OpenDatasetOptions`. */
  readonly boxesAre?: BoxUnit;
}

export interface ClickSubjects {
  readonly total: number;
  /** True for those that are simulated: asked for, and with a truth. */
  isChosen(ordinal: number): boolean;
  /** True for those within categories and limit. */
  isAsked(ordinal: number): boolean;
  /** Everything left out, except what lies beyond the limit. */
  readonly exclusions: ListedReasons;
}

const ASKED = 1;
const CHOSEN = 2;
const HINT = "Pass the file with the ground truth segmentations; boxes alone say nothing about outlines.";

/**
 * Walks the data set once.
 * @param sources is told the images with something to simulate
 * @throws E_DATA when there is nothing to simulate, saying why; E_USAGE for an unknown category, and for images that
 *   cannot be grouped; the signal's reason once it is aborted
 */
export async function chooseSubjects(
  dataset: Dataset,
  { categories, limit = Infinity }: SubjectOptions,
  sources?: SourceNames,
  signal?: AbortSignal,
): Promise<ClickSubjects> {
  const { source } = dataset;
  if (dataset.annotationCount === 0)
    throw invalidData(`${source}: expected annotations with ground truth, received an empty data set`, HINT);
  const categoryIds = selectCategories(dataset.categories, categories);
  const states = new Uint8Array(dataset.annotationCount);
  const exclusions = new ListedReasons();
  let asked = 0;
  let total = 0;
  for await (const { image, entries } of dataset.groups()) {
    signal?.throwIfAborted();
    for (const entry of entries) {
      if (entry.kind !== "instance") {
        const { reason, message } = exclusionOf(entry);
        exclusions.add(reason, entry.annotationId, message);
        continue;
      }
      const { instance } = entry;
      if (categoryIds !== undefined && !categoryIds.has(instance.categoryId)) {
        exclusions.add("category", instance.annotationId);
        continue;
      }
      if (asked >= limit) continue;
      asked++;
      const problem = problemOf(instance);
      states[instance.ordinal] = problem === undefined ? CHOSEN : ASKED;
      if (problem === undefined) {
        total++;
        sources?.numberOf(image);
      } else exclusions.add(problem.reason, instance.annotationId, problem.message);
    }
  }
  if (total === 0) throw nothingLeft(source, exclusions, HINT);
  sources?.checkFound();
  return {
    total,
    exclusions,
    isChosen: (ordinal) => states[ordinal] === CHOSEN,
    isAsked: (ordinal) => states[ordinal] !== 0,
  };
}

/**
 * Fails before a long run where its simulation would fail after it. Opens no image.
 * @throws as `chooseSubjects` and as opening the data set
 */
export async function checkTruth(truth: string, options: SubjectOptions): Promise<void> {
  const { boxesAre } = options;
  // No image is opened for their sizes: what cannot be scaled is no subject here, and is told in the simulation.
  const dataset = await openDataset({ boxes: truth, ...(boxesAre !== undefined && { boxesAre }) });
  try {
    await chooseSubjects(dataset, options);
  } finally {
    await dataset.close();
  }
}

/** The error for a data set with nothing to simulate, also where only its images show that. */
export function nothingLeft(source: string, exclusions: ListedReasons, hint: string): Error {
  const reasons = exclusions
    .list()
    .map(({ count, words }) => `${count} ${words}`)
    .join("; ");
  return invalidData(
    `${source}: expected ground truth polygons or masks to simulate clicks on, ` +
      `received none that can be used (${reasons})`,
    hint,
  );
}

function problemOf(instance: Instance): Exclusion | undefined {
  if (instance.truthProblem !== undefined) return { reason: "truth-invalid", message: instance.truthProblem };
  return instance.truth === undefined ? { reason: "truth-missing" } : undefined;
}
