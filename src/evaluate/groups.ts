/**
 * `--group-by`: which group an image's instances belong to besides class and size, such as its data source or its
 * city.
 */
import { usageError } from "../errors.js";
import { numberText } from "../json-text.js";
import type { GroupBy } from "../report/types.js";
import type { ImageRecord } from "../types.js";

/** With more groups than this there is no overview, and each costs memory. */
const MOST_SOURCES = 200;
const WITHOUT = "(none)";

/** @param arg "none", "prefix", or the name of a field of the images */
export function parseGroupBy(arg: string): GroupBy {
  return arg === "none" || arg === "prefix" ? { kind: arg } : { kind: "field", field: arg };
}

/** Numbers of the groups in order of first appearance. */
export class SourceNames {
  private readonly numbers = new Map<string, number>();

  constructor(private readonly groupBy: GroupBy) {}

  get names(): readonly string[] {
    return [...this.numbers.keys()];
  }

  nameOf(image: ImageRecord): string {
    return sourceOf(image, this.groupBy);
  }

  /** @throws E_USAGE at the first image of one group too many */
  numberOf(image: ImageRecord): number {
    const name = this.nameOf(image);
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    if (this.numbers.size === MOST_SOURCES) {
      throw usageError(
        `--group-by: expected at most ${MOST_SOURCES} groups of images, received more`,
        "Group by a field that images share, or leave it out.",
      );
    }
    this.numbers.set(name, this.numbers.size);
    return this.numbers.size - 1;
  }

  /** @throws E_USAGE when no image had what they were to be grouped by */
  checkFound(): void {
    if (this.groupBy.kind === "none" || this.numbers.size !== 1 || !this.numbers.has(WITHOUT)) return;
    const what =
      this.groupBy.kind === "field"
        ? `the field ${JSON.stringify(this.groupBy.field)} in images`
        : 'file names with a "_"';
    throw usageError(
      `--group-by: expected ${what}, received none`,
      "Name a field that the truth's images have, or prefix, or none.",
    );
  }
}

function sourceOf(image: ImageRecord, groupBy: GroupBy): string {
  switch (groupBy.kind) {
    case "none":
      return WITHOUT;
    case "prefix": {
      const name = image.fileName.slice(
        Math.max(image.fileName.lastIndexOf("/"), image.fileName.lastIndexOf("\\")) + 1,
      );
      const end = name.indexOf("_");
      return end > 0 ? name.slice(0, end) : WITHOUT;
    }
    case "field": {
      const value = Object.hasOwn(image.raw, groupBy.field) ? image.raw[groupBy.field] : undefined;
      if (typeof value === "number") return numberText(image.raw, groupBy.field) ?? WITHOUT;
      return typeof value === "string" || typeof value === "boolean" ? String(value) : WITHOUT;
    }
  }
}
