/**
 * What an image's results come to for formats that hold labeled polygons: one region per instance, its category and
 * color, and the labels of the input that this run did not touch.
 *
 * What people made is never lost: an annotation that was passed over (kept, a crowd, a category that was not asked for)
 * goes out unchanged wherever the format can hold it. An annotation that failed, or whose polygon scored below the
 * limit, was this run's to predict and has no polygon; the summary lists it.
 */
import { isJsonObject } from "../foreign.js";
import { fromNamedPixels } from "../geometry/pixel-outline.js";
import { signedArea } from "../geometry/ring.js";
import { readSegmentation } from "../geometry/segmentation.js";
import { isValidOutline } from "../geometry/valid-ring.js";
import { traceMask } from "../geometry/trace-mask.js";
import { childOf, numberText } from "../json-text.js";
import type {
  Category,
  Id,
  ImagePoint,
  JsonObject,
  JsonValue,
  Polygon,
  Ring,
  Rle,
  SkipReason,
  Truth,
} from "../types.js";
import { joinRings } from "./rings.js";
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
  /**
   * True for a predicted polygon that crosses or touches itself, or covers no pixel: `polyrnn_valid: false` of the
   * formats. Polygons of people are not judged.
   */
  readonly isInvalid?: true;
  /** `attributes` of the annotation as read; empty where it has none. */
  readonly attributes: JsonObject;
}

/** In input order, in the frame of the result's size. */
export function regionsOf(result: ImageResult, names: CategoryNames): Region[] {
  const { items, toDisplayed } = result;
  const regions = items.flatMap((item) => regionOf(item, names) ?? []);
  if (toDisplayed === undefined) return regions;
  return regions.map((region) => ({ ...region, polygon: region.polygon.map(toDisplayed) }));
}

/**
 * @returns undefined when the item has no polygon of its own: failed, left out, a crowd, or a label that is no category
 *   of the data set
 */
export function regionOf(item: ResultItem, names: CategoryNames): Region | undefined {
  const { outcome } = item;
  const { categoryId, label } = categoryOf(item, names);
  if (categoryId === undefined) return undefined;
  const region = { ordinal: outcome.ordinal, categoryId, label, attributes: attributesOf(rawOf(item)) };
  if (outcome.status === "done") {
    const { ring, score, imageWidth: width, imageHeight: height } = outcome;
    return { ...region, polygon: [ring], score, ...(!isValidOutline(ring, { width, height }) && { isInvalid: true }) };
  }
  const polygon = passedOver(item) === "instance" ? existingPolygon(item) : undefined;
  return polygon === undefined ? undefined : { ...region, polygon };
}

/** COCO has no such field; CVAT's and Datumaro's COCO files do, and readers of other formats put theirs there. */
function attributesOf(raw: JsonObject): JsonObject {
  const attributes = childOf(raw, "attributes");
  return isJsonObject(attributes) ? attributes : {};
}

/** A whole number of any size, as it was written. */
const WHOLE = /^-?(?:0|[1-9]\d*)$/u;

/** Number of the group that an annotation came with, as in CVAT and LabelMe; undefined where it is in none. */
function groupOf({ attributes }: Region): string | undefined {
  return wholeText(attributes, "group_id");
}

/** The whole number in a field, as it was written; 1.0 and 1e2 without their point and exponent. */
export function wholeText(object: JsonObject, key: string): string | undefined {
  const text = numberText(object, key);
  if (text === undefined || WHOLE.test(text)) return text;
  return Number.isSafeInteger(Number(text)) ? String(Number(text)) : undefined;
}

/**
 * The number of each region's group, in an image, as text: it may be beyond 2^53. The parts of one polygon are a group
 * that no other region is in: the one they came with, else one with a number that is free.
 */
export function groupsOf(regions: readonly Region[]): (region: Region) => string | undefined {
  const given = new Map<string, number>();
  for (const region of regions) {
    const group = groupOf(region);
    if (group !== undefined) given.set(group, (given.get(group) ?? 0) + 1);
  }
  // Others leave the numbers after theirs free; those beyond 2^53 are far from where ours begin.
  const firstFree = [...given.keys()]
    .map(Number)
    .filter(Number.isSafeInteger)
    .reduce((free, group) => Math.max(free, group + 1), 1);
  return (region) => {
    const own = groupOf(region);
    if (region.polygon.length < 2) return own;
    const isAlone = own !== undefined && own !== "0" && given.get(own) === 1;
    return isAlone ? own : String(firstFree + region.ordinal);
  };
}

/**
 * Whether an image gets a file of its own: it has regions, or the input says that there is nothing on it. With a file,
 * an image whose instances all failed or were not asked for would pass for an empty one.
 */
export function isSettled(result: ImageResult, regions: readonly unknown[]): boolean {
  return regions.length > 0 || result.isEmpty === true;
}

/** How each passed-over annotation counts: one instance, a region of several, or none. */
const PASSED_OVER: Readonly<Record<SkipReason, "instance" | "region" | "none">> = {
  kept: "instance",
  "already-done": "instance",
  category: "instance",
  crowd: "region",
  group: "region",
  ignored: "region",
  deleted: "none",
  hidden: "none",
  "score-below-minimum": "none",
};

/** The annotation as read. */
export function rawOf(item: ResultItem): JsonObject {
  return item.kind === "outcome" ? item.instance.raw : item.raw;
}

/** Whether the item is a label of the input that goes out unchanged, and what it labels. */
export function passedOver(item: ResultItem): "instance" | "region" | "none" {
  return item.outcome.status === "skipped" ? PASSED_OVER[item.outcome.reason] : "none";
}

/** True when a COCO annotation has a segmentation in any spelling: it goes out as it came. */
export function hasCocoSegmentation(raw: JsonObject): boolean {
  const segmentation = Object.hasOwn(raw, "segmentation") ? raw["segmentation"] : null;
  if (Array.isArray(segmentation)) return segmentation.length > 0;
  if (typeof segmentation === "string") return segmentation.trim() !== "";
  return typeof segmentation === "object" ? Object.keys(segmentation ?? {}).length > 0 : segmentation !== undefined;
}

/**
 * Polygon of a label of the input: COCO polygons or a mask, or a Cityscapes polygon with the parts that other objects
 * cover; else its ground truth. A mask with holes gives one ring that is bridged to its holes, because a list of rings
 * is a union.
 * @returns undefined when there is none that can be read: such a label goes out unchanged, in the COCO output only
 */
export function existingPolygon(item: ResultItem): Polygon | undefined {
  const truth = item.kind === "outcome" ? item.instance.truth : undefined;
  return polygonOfRaw(rawOf(item)) ?? (truth?.kind === "rle" ? outlines(truth.rle) : truth?.polygon);
}

/** The COCO segmentation of a label of the input, as it was drawn; undefined when there is none that can be read. */
export function existingShape(item: ResultItem): Truth | undefined {
  return readSegmentation(rawOf(item)["segmentation"], "", {}).truth;
}

function polygonOfRaw(raw: JsonObject): Polygon | undefined {
  const { truth } = readSegmentation(raw["segmentation"], "", {});
  if (truth !== undefined) return truth.kind === "rle" ? outlines(truth.rle) : truth.polygon;
  return nonEmpty(ringOfPairs(raw["polygon"]).flatMap(fromNamedPixels));
}

/** Category of an item: of its instance, or of the annotation as read, which has a COCO id or a Cityscapes label. */
export function categoryOf(
  item: ResultItem,
  names: CategoryNames,
): { readonly categoryId: Id | undefined; readonly label: string } {
  const raw = rawOf(item);
  const id = item.kind === "outcome" ? item.instance.categoryId : raw["category_id"];
  if (typeof id === "number" || typeof id === "string") return { categoryId: id, label: labelOf(id, names) };
  return categoryOfLabel(typeof raw["label"] === "string" ? raw["label"] : "unknown", names);
}

/** Cityscapes names a group of cars "cargroup"; its category is the car's. */
function categoryOfLabel(
  label: string,
  names: CategoryNames,
): { readonly categoryId: Id | undefined; readonly label: string } {
  const single = label.replace(/group$/u, "");
  for (const [categoryId, name] of names) if (name === label || name === single) return { categoryId, label: name };
  return { categoryId: undefined, label };
}

/** Names by id; a category without a name is named after its id. */
export function nameCategories(categories: readonly Category[]): CategoryNames {
  return new Map(categories.map(({ id, name }) => [id, name.trim() === "" ? unnamed(id) : name]));
}

export function labelOf(id: Id, names: CategoryNames): string {
  return names.get(id) ?? unnamed(id);
}

function unnamed(id: Id): string {
  return `category ${id}`;
}

/**
 * Colors that people with any kind of color vision can tell apart. Source: Okabe and Ito, "Color Universal Design"
 * (2008), eight colors; without black, because outlines have a dark edge. Those brightest on photographs come first.
 */
export const CATEGORY_COLORS = ["#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2"] as const;

/** @param index position of the category in the data set, from 0 */
export function categoryColor(index: number): string {
  return CATEGORY_COLORS[index % CATEGORY_COLORS.length]!;
}

function outlines(rle: Rle): Polygon | undefined {
  const rings = traceMask(rle);
  return nonEmpty(rings.some((ring) => signedArea(ring) < 0) ? [joinRings(rings)] : rings);
}

function nonEmpty(rings: readonly Ring[]): Polygon | undefined {
  return rings.length > 0 ? rings : undefined;
}

/** [[x1, y1], [x2, y2], ...]; three points or more. */
function ringOfPairs(list: JsonValue | undefined): Ring[] {
  if (!Array.isArray(list) || list.length < 3) return [];
  const ring: ImagePoint[] = [];
  for (const pair of list) {
    if (!Array.isArray(pair)) return [];
    const [x, y] = pair;
    if (typeof x !== "number" || typeof y !== "number" || !Number.isFinite(x) || !Number.isFinite(y)) return [];
    ring.push({ x, y });
  }
  return [ring];
}
