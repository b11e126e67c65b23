/** What an image's results come to for formats that hold labelled polygons: one region per instance, in input order. */
import type { Id, Polygon } from "../types.js";
import { categoryOf, existingPolygon, passedOver } from "./existing-labels.js";
import type { CategoryNames, ImageResult, ResultItem } from "./writer.js";

export interface Region {
  /** Key of the instance within the run. */
  readonly ordinal: number;
  readonly categoryId: Id;
  /** Name of the category. */
  readonly label: string;
  readonly polygon: Polygon;
  /** 0..1; absent for a polygon that was in the input and goes out unchanged. */
  readonly score?: number;
}

/** In input order. */
export function regionsOf(result: ImageResult, names: CategoryNames): Region[] {
  return result.items.flatMap((item) => regionOf(item, names) ?? []);
}

/** @returns undefined when the item has no polygon of its own: failed, left out, a crowd, or a label that is no category of the data set */
export function regionOf(item: ResultItem, names: CategoryNames): Region | undefined {
  const { outcome } = item;
  const { categoryId, label } = categoryOf(item, names);
  if (categoryId === undefined) return undefined;
  const region = { ordinal: outcome.ordinal, categoryId, label };
  if (outcome.status === "done") return { ...region, polygon: [outcome.ring], score: outcome.score };
  const polygon = passedOver(item) === "instance" ? existingPolygon(item) : undefined;
  return polygon === undefined ? undefined : { ...region, polygon };
}

/**
 * Whether an image is worth a file of its own: it has regions, or the input says that there is nothing on it. An image whose
 * instances all failed, or were not asked for, gets none, or it would pass for an empty one.
 */
export function isSettled(result: ImageResult, regions: readonly unknown[]): boolean {
  return regions.length > 0 || result.isEmpty === true;
}
