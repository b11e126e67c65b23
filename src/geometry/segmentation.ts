/**
 * The one reader of a COCO `segmentation`, and the one judgement of it: what may be kept, evaluated and learned from.
 *
 * Polygons, a mask in run lengths, and the spellings of these that can mean nothing else are read: one flat list, lists
 * of points, numbers as text, a list around a mask or around a part, the whole as JSON text. Parts that cannot be read
 * are left out, with a note, as long as another part can; a segmentation without a readable part is a problem. Nothing
 * in it at all (null, [], {}, [[]]) is no segmentation.
 */
import { PolyrnnError, receivedOf } from "../errors.js";
import { parseForeignJson } from "../foreign.js";
import type { ImagePoint, Polygon, Ring, Rle, Truth } from "../types.js";
import { decodeRle, unionRle } from "./rle.js";

/** Fields of an Instance; empty when there is no segmentation. */
export interface ReadSegmentation {
  readonly truth?: Truth;
  /** Why there is something, but no truth. */
  readonly truthProblem?: string;
  /** Which parts of the truth are missing from it, and why. */
  readonly truthLeftOut?: string;
}

/** Lists around a part that are opened. */
const MOST_WRAPPERS = 4;
/** Sides of an image in pixels have seven digits at most; the limit of the COCO rasterizer. */
const LARGEST_COORDINATE = 4e8;

/**
 * @param where place in the input, opens the problem
 * @param size pixels of the image as the file has them; a mask must fit them
 */
export function readSegmentation(
  value: unknown,
  where: string,
  size: { readonly width?: number; readonly height?: number },
): ReadSegmentation {
  if (holdsNothing(value, 0)) return {};
  const at = `${where}, segmentation`;
  const segmentation = typeof value === "string" ? parsedText(value) : value;
  const parts = partsOf(segmentation);
  const rings: Ring[] = [];
  const masks: Rle[] = [];
  const problems: string[] = [];
  for (const [i, part] of parts.entries()) {
    if (holdsNothing(part, 0)) continue;
    const place = parts.length === 1 && part === segmentation ? at : `${at}[${i}]`;
    const read = readPart(part, place, size);
    if (typeof read === "string") problems.push(read);
    else if (Array.isArray(read)) rings.push(read as Ring);
    else masks.push(read as Rle);
  }
  const [first] = problems;
  if (rings.length > 0 && masks.length > 0)
    return { truthProblem: `${at}: expected polygons or a mask, received both` };
  if (rings.length === 0 && masks.length === 0) return { truthProblem: first ?? `${at}: expected polygons or a mask` };
  // Half of a mask says nothing about the other half: only parts of a polygon are drawn one by one.
  if (masks.length > 0 && first !== undefined) return { truthProblem: first };
  const truth: Truth =
    masks.length > 0 ? { kind: "rle", rle: unionRle(masks) } : { kind: "polygon", polygon: rings satisfies Polygon };
  if (first === undefined) return { truth };
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return { truth, truthLeftOut: `${first}${more}; this part is left out` };
}

/** Null, an empty text, list or object, and lists of these. */
function holdsNothing(value: unknown, depth: number): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === "string") return value.trim() === "";
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return items.length === 0 || (depth < MOST_WRAPPERS && items.every((item) => holdsNothing(item, depth + 1)));
  }
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Tables write a list as the text of a list. */
function parsedText(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return parseForeignJson(text);
  } catch {
    // Not JSON: the text itself is what was received, and is named as such.
    return text;
  }
}

/** What the segmentation lists: rings or masks, whatever lists are around them. */
function partsOf(segmentation: unknown): readonly unknown[] {
  let value = segmentation;
  for (let depth = 0; depth < MOST_WRAPPERS; depth++) {
    if (!Array.isArray(value) || isFlat(value) || isListOfPoints(value)) return [value];
    const items: readonly unknown[] = value;
    const [only] = items;
    if (items.length > 1 || !Array.isArray(only) || isFlat(only) || isListOfPoints(only)) return items;
    value = only;
  }
  return [segmentation];
}

/** @returns a ring, a mask, or what is wrong */
function readPart(
  part: unknown,
  place: string,
  size: { readonly width?: number; readonly height?: number },
): Ring | Rle | string {
  if (!Array.isArray(part)) {
    if (typeof part === "object" && part !== null) return readMask(part, place, size);
    const expected = place.endsWith("]") ? "a list of coordinates" : "polygons or a mask { size, counts }";
    return `${place}: expected ${expected}, received ${receivedOf(part)}`;
  }
  let list: readonly unknown[] = part;
  for (let depth = 0; depth < MOST_WRAPPERS && list.length === 1 && !isFlat(list); depth++) {
    const only = list[0];
    if (!Array.isArray(only)) break;
    list = only;
  }
  if (list.length === 1 && isMaskLike(list[0])) return readMask(list[0], place, size);
  const points = isListOfPoints(list) ? pointsOf(list, place) : pointsOfFlat(list, place);
  if (typeof points === "string") return points;
  // Some tools close their rings; here a ring is stored open.
  const first = points[0],
    last = points.at(-1);
  if (points.length > 1 && first?.x === last?.x && first?.y === last?.y) points.pop();
  return points.length >= 3 ? points : `${place}: expected a polygon of at least 3 points, received ${points.length}`;
}

function isMaskLike(value: unknown): boolean {
  return typeof value === "object" && value !== null && "counts" in value;
}

/** A list without lists or objects in it: coordinates, whatever is wrong with them. */
function isFlat(list: readonly unknown[]): boolean {
  return list.length > 0 && list.every((value) => value === null || typeof value !== "object");
}

/** [[x, y], ...] or [{ x, y }, ...], at least three: as COCO parts they would be points without area. */
function isListOfPoints(list: readonly unknown[]): boolean {
  return list.length >= 3 && list.every((value) => coordinatesOf(value) !== undefined);
}

function coordinatesOf(value: unknown): readonly [unknown, unknown] | undefined {
  if (Array.isArray(value)) {
    const pair: readonly unknown[] = value;
    return pair.length === 2 && pair.every((item) => item === null || typeof item !== "object")
      ? [pair[0], pair[1]]
      : undefined;
  }
  if (typeof value !== "object" || value === null || !("x" in value && "y" in value)) return undefined;
  return [value.x, value.y];
}

function pointsOf(list: readonly unknown[], place: string): ImagePoint[] | string {
  return pointsOfFlat(
    list.flatMap((value) => coordinatesOf(value) ?? []),
    place,
  );
}

/** @param numbers [x1, y1, x2, y2, ...] in image pixels */
function pointsOfFlat(numbers: readonly unknown[], place: string): ImagePoint[] | string {
  const points: ImagePoint[] = [];
  const values = numbers.map(numberOf);
  const bad = values.indexOf(undefined);
  if (bad >= 0) return `${place}: expected finite numbers, received ${receivedOf(numbers[bad])}`;
  if (numbers.length % 2 !== 0)
    return `${place}: expected pairs of coordinates, received an odd number, ${numbers.length}`;
  for (let i = 0; i < values.length; i += 2) points.push({ x: values[i]!, y: values[i + 1]! });
  return points;
}

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Longer text is no coordinate; also bounds the time the expression takes. */
const LONGEST_NUMBER = 40;

function numberOf(value: unknown): number | undefined {
  const number =
    typeof value === "string" && value.length <= LONGEST_NUMBER && NUMBER.test(value.trim()) ? Number(value) : value;
  return typeof number === "number" && Math.abs(number) <= LARGEST_COORDINATE ? number : undefined;
}

function readMask(
  mask: unknown,
  place: string,
  { width, height }: { readonly width?: number; readonly height?: number },
): Rle | string {
  let rle: Rle;
  try {
    rle = decodeRle(mask, place);
  } catch (error) {
    if (!(error instanceof PolyrnnError)) throw error;
    return error.message;
  }
  const expectedWidth = width ?? rle.width,
    expectedHeight = height ?? rle.height;
  if (rle.width === expectedWidth && rle.height === expectedHeight) return rle;
  const swapped = rle.width === expectedHeight && rle.height === expectedWidth;
  return (
    `${place}: expected a mask of its image's ${expectedWidth} x ${expectedHeight} pixels, ` +
    `received ${rle.width} x ${rle.height}${swapped ? " (size is [height, width])" : ""}`
  );
}
