/**
 * Boxes as shares of the image's width and height (0 to 1) where pixels are expected: told by the numbers of the whole
 * file, refused before anything is predicted, and scaled where the user says that they are meant.
 */
import type { PolyrnnError } from "../errors.js";
import { invalidData } from "../errors.js";
import { parseForeignJson } from "../foreign.js";
import type { JsonObject, JsonValue } from "../types.js";

/** "pixels-from-1": the first pixel is 1 and the last one belongs to the box, as in Pascal VOC. */
export const BOX_UNITS = ["pixels", "pixels-from-1", "relative"] as const;
export type BoxUnit = (typeof BOX_UNITS)[number];

/** Shares stray over the border by rounding and by generous drawing; a box in pixels this near the origin is rare. */
const LOWEST = -0.1;
const HIGHEST = 1.1;
/** Of the boxes of a file, so many look relative where it is. */
const ENOUGH = 0.9;
/** After so many boxes a file of which less than half look relative is taken for what it is. */
const FIRST_BOXES = 10_000;

/** Counts the boxes of a file that look relative. */
export class BoxCounter {
  /** Boxes of four numbers with a width and a height, but for [0, 0, 1, 1]. */
  total = 0;
  /** Of these, boxes with all four numbers between 0 and 1. */
  relative = 0;

  note(box: unknown): void {
    if (this.isSettled() || !isBox(box) || box[2] <= 0 || box[3] <= 0) return;
    const looksRelative = box.every((value) => value >= LOWEST && value <= HIGHEST);
    // [0, 0, 1, 1] is the whole image or its first pixel, and says nothing.
    if (looksRelative && box.every(Number.isInteger)) return;
    this.total++;
    if (looksRelative) this.relative++;
  }

  /** @param text of a box as JSON; undefined where the annotation has none */
  noteText(text: string | undefined): void {
    if (text === undefined || this.isSettled()) return;
    try {
      this.note(JSON.parse(text));
    } catch {
      // No JSON, hence no box; the annotation's own reading reports it with its place.
    }
  }

  /** @returns the error for boxes that are not in pixels, nearly all of them */
  problem(source: string): PolyrnnError | undefined {
    const { total, relative } = this;
    if (total === 0 || relative < ENOUGH * total) return undefined;
    return invalidData(
      `${source}: expected boxes in pixels, received ${relative} of ${total} with all four numbers between 0 and 1, ` +
        "as boxes relative to the size of their image have",
      "Scale them with --boxes-are relative, or say --boxes-are pixels if they are as small as that " +
        "(annotate, evaluate, simulate-clicks).",
    );
  }

  /** Whether further boxes change nothing. */
  isSettled(): boolean {
    return this.total >= FIRST_BOXES && this.relative < this.total / 2;
  }
}

function isBox(value: unknown): value is readonly [number, number, number, number] {
  return Array.isArray(value) && value.length === 4 && value.every((part) => Number.isFinite(part));
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * An annotation with relative boxes as one in pixels: its boxes, and its segmentation and area where these are relative
 * as well. What cannot be read comes back as it is, for its own reader to say so.
 */
export function annotationInPixels(raw: JsonObject, size: Size): JsonObject {
  const scaled: Record<string, JsonValue> = {};
  for (const name of ["bbox", "bboxVis"]) {
    const box = Object.hasOwn(raw, name) ? raw[name] : undefined;
    if (isBox(box)) scaled[name] = box.map((share, i) => inPixels(share, i % 2 === 0 ? size.width : size.height));
  }
  const segmentation = Object.hasOwn(raw, "segmentation") ? scaleOutlines(raw["segmentation"]!, size) : undefined;
  if (segmentation !== undefined) {
    scaled["segmentation"] = segmentation;
    const { area } = raw;
    if (typeof area === "number" && area >= 0 && area <= HIGHEST ** 2)
      scaled["area"] = inPixels(area, size.width * size.height);
  }
  return Object.keys(scaled).length === 0 ? raw : { ...raw, ...scaled };
}

/** Two decimals, as files hold them. */
function inPixels(share: number, side: number): number {
  return Math.round(share * side * 100) / 100;
}

/** Lists around coordinates; the reader of segmentations opens no more. */
const MOST_LISTS = 8;

/**
 * @returns undefined for a segmentation that holds anything but shares, such as a mask: it is in pixels whatever the
 *   boxes are
 */
function scaleOutlines(segmentation: JsonValue, size: Size): JsonValue | undefined {
  let value: unknown = segmentation;
  if (typeof value === "string") {
    try {
      value = parseForeignJson(value);
    } catch {
      return undefined; // its reader says what is wrong
    }
  }
  return Array.isArray(value) && value.length > 0 ? scaleList(value as readonly JsonValue[], size, 0) : undefined;
}

function scaleList(list: readonly JsonValue[], size: Size, depth: number): JsonValue[] | undefined {
  const scaled: JsonValue[] = [];
  for (const [i, item] of list.entries()) {
    const next = scaleItem(item, { size, side: i % 2 === 0 ? size.width : size.height, depth });
    if (next === undefined) return undefined;
    scaled.push(next);
  }
  return scaled;
}

/** @param place the side that a number at this place of a list is a share of */
function scaleItem(
  item: JsonValue,
  { size, side, depth }: { readonly size: Size; readonly side: number; readonly depth: number },
): JsonValue | undefined {
  if (Array.isArray(item)) return depth < MOST_LISTS ? scaleList(item, size, depth + 1) : undefined;
  if (typeof item === "object" && item !== null) {
    if (!Object.hasOwn(item, "x") || !Object.hasOwn(item, "y")) return undefined;
    const [x, y] = [shareOf(item["x"]), shareOf(item["y"])];
    return x === undefined || y === undefined
      ? undefined
      : { ...item, x: inPixels(x, size.width), y: inPixels(y, size.height) };
  }
  const share = shareOf(item);
  return share === undefined ? undefined : inPixels(share, side);
}

/** @returns undefined for what does not look relative */
function shareOf(value: JsonValue | undefined): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && number >= LOWEST && number <= HIGHEST ? number : undefined;
}
