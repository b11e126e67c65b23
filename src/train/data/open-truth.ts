/** Opens annotations as truth for training or validation: reads, filters, checks what was asked, takes a subset. */
import { readImageSize } from "../../crop/open-image.js";
import { openDataset } from "../../dataset/open-dataset.js";
import { selectCategories } from "../../dataset/select-categories.js";
import { invalidData, receivedOf, usageError } from "../../errors.js";
import { CELL_COUNT, GRID_SIZE } from "../../geometry/grid.js";
import type { Category } from "../../types.js";
import type { RingFilter, SequenceLimits, TruthOptions } from "../options.js";
import { DEFAULT_RING_FILTER, DEFAULT_SEQUENCE_LIMITS } from "../options.js";
import type { ReadTruthOptions } from "./read-truth.js";
import { readTruthSet } from "./read-truth.js";
import type { TruthSet } from "./truth.js";
import { selectSubset } from "./truth.js";

export interface OpenTruthOptions extends TruthOptions {
  /** Chooses the subset, and in training everything that is sampled. */
  readonly seed: number | string;
}

export interface OpenedTruth extends TruthSet {
  /** Of everything the annotations were read from. */
  readonly sha256: string;
}

/** Context of the crop in prediction, as a part of the box's long side. */
export const PLAIN_CONTEXT = 0.15;

/**
 * @throws E_MISSING, E_DATA and E_USAGE: data that cannot be read, categories that never appear, options out of range
 */
export async function openTruth(
  options: OpenTruthOptions,
  more: Pick<ReadTruthOptions, "taughtIn" | "onInstance">,
): Promise<OpenedTruth> {
  const limits = checkLimits({ ...DEFAULT_RING_FILTER, ...DEFAULT_SEQUENCE_LIMITS, ...options.filter });
  const { boxes, images, boxesAre } = options;
  const dataset = await openDataset({
    boxes,
    images,
    imageSize: readImageSize,
    ...(boxesAre !== undefined && { boxesAre }),
  });
  try {
    const categories = selectCategories(dataset.categories, options.categories ?? []);
    const names = new Map((options.excludeImages ?? []).map((name) => [dataset.imageKey(name), name]));
    const excluded = new Map([...names.keys()].map((key) => [key, false]));
    const filter = { ...limits, ...(categories !== undefined && { categories }) };
    const truth = await readTruthSet(dataset, {
      filter,
      sourceField: options.sourceField ?? "source",
      excluded,
      ...more,
    });
    const unknown = [...excluded].filter(([, isFound]) => !isFound).map(([key]) => receivedOf(names.get(key)));
    if (unknown.length > 0)
      throw usageError(
        `excluded images: expected file names of ${options.boxes}, received ${unknown.slice(0, 5).join(", ")}`,
        "Write them as file_name has them.",
      );
    checkPresence(
      truth,
      options.boxes,
      dataset.categories.filter(({ id }) => categories?.has(id) === true),
    );
    const subset = options.maxInstances === undefined ? truth : selectSubset(truth, options.maxInstances, options.seed);
    return { ...subset, sha256: dataset.sha256 };
  } finally {
    await dataset.close();
  }
}

function checkLimits(limits: RingFilter & SequenceLimits): RingFilter & SequenceLimits {
  const { minLargestShare, minAreaPx, simplifyCells, maxVertices } = limits;
  const check = (name: string, value: number, expected: string, isGood: boolean): void => {
    if (!isGood) throw usageError(`${name}: expected ${expected}, received ${value}`, "Leave it out for the default.");
  };
  check(
    "least share of the largest ring",
    minLargestShare,
    "a number from 0 to 1",
    minLargestShare >= 0 && minLargestShare <= 1,
  );
  check("least area", minAreaPx, "0 or more square pixels", minAreaPx >= 0);
  check("simplification", simplifyCells, "0 to 28 grid cells", simplifyCells >= 0 && simplifyCells <= GRID_SIZE);
  check(
    "most vertices",
    maxVertices,
    `a whole number from 3 to ${CELL_COUNT}`,
    Number.isInteger(maxVertices) && maxVertices >= 3 && maxVertices <= CELL_COUNT,
  );
  return limits;
}

function checkPresence({ instances, dropped }: TruthSet, boxes: string, wanted: readonly Category[]): void {
  const reasons = [...dropped].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${reason} ${count}`);
  const leftOut = reasons.length === 0 ? "" : ` (left out: ${reasons.join(", ")})`;
  const present = new Set(instances.map(({ categoryId }) => categoryId));
  const absent = wanted.filter(({ id }) => !present.has(id)).map(({ name }) => receivedOf(name));
  if (absent.length > 0) {
    throw invalidData(
      `${boxes}: expected instances of every category asked for, received none of ${absent.join(", ")}${leftOut}`,
      "Leave the category out, or add data that has it.",
    );
  }
  if (instances.length === 0) {
    throw invalidData(
      `${boxes}: expected instances with an outline to learn from, received none${leftOut}`,
      "Check the segmentations of the file, the image folder, and the limits of area and share.",
    );
  }
}
