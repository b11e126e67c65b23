/** What an image's results come to for formats that hold labelled polygons: one region per instance, in input order. */
import type { Category, Id, JsonObject, Polygon } from "../types.js";
import { passedOver, rawOf, readExistingPolygon } from "./existing-labels.js";
import type { CategoryNames, ImageResult, ResultItem } from "./writer.js";

export interface Region {
  /** Key of the instance within the run. */
  readonly ordinal: number;
  /** Absent when the input names the category but gives it no id. */
  readonly categoryId: Id | undefined;
  /** Name of the category. */
  readonly label: string;
  readonly polygon: Polygon;
  /** 0..1; absent for a polygon that was in the input and goes out unchanged. */
  readonly score?: number;
}

/** Names by id; a category without a name gets its id as one. */
export function nameCategories(categories: readonly Category[]): CategoryNames {
  return new Map(categories.map(({ id, name }) => [id, name.trim() === "" ? unnamed(id) : name]));
}

function unnamed(id: Id): string {
  return `category ${id}`;
}

/** @throws E_DATA when an existing mask that has to go out cannot be read */
export function regionsOf(result: ImageResult, names: CategoryNames): Region[] {
  return result.items.flatMap((item) => regionOf(item, names) ?? []);
}

function regionOf(item: ResultItem, names: CategoryNames): Region | undefined {
  const { ordinal } = item.outcome;
  if (item.kind === "outcome" && item.outcome.status === "done") {
    const { ring, score } = item.outcome;
    const { categoryId } = item.instance;
    return { ordinal, categoryId, label: names.get(categoryId) ?? unnamed(categoryId), polygon: [ring], score };
  }
  if (passedOver(item) !== "instance") return undefined;
  const raw = rawOf(item);
  const polygon = readExistingPolygon(raw);
  return polygon === undefined ? undefined : { ordinal, ...categoryOf(raw, names), polygon };
}

/** Category of an annotation as read: a COCO id, or a Cityscapes label. */
export function categoryOf(raw: JsonObject, names: CategoryNames): { readonly categoryId: Id | undefined; readonly label: string } {
  const id = raw["category_id"];
  if (typeof id === "number" || typeof id === "string") return { categoryId: id, label: names.get(id) ?? unnamed(id) };
  const label = typeof raw["label"] === "string" ? raw["label"] : "unknown";
  for (const [categoryId, name] of names) if (name === label) return { categoryId, label };
  return { categoryId: undefined, label };
}

/**
 * Whether an image is worth a file of its own: it has regions, or the input says that there is nothing on it. An image whose
 * instances all failed gets none, or it would pass for an empty one.
 */
export function isSettled(result: ImageResult, regions: readonly Region[]): boolean {
  return regions.length > 0 || (result.items.length === 0 && result.size !== undefined);
}
