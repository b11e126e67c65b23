/**
 * Boxes as shares of the image's width and height (0 to 1) where pixels are expected: told by the numbers of the whole
 * file, refused before anything is predicted, and scaled where the user says that they are meant.
 */
import type { PolyrnnError } from "../errors.js";
import { invalidData } from "../errors.js";
import type { JsonValue } from "../types.js";

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

  private isSettled(): boolean {
    return this.total >= FIRST_BOXES && this.relative < this.total / 2;
  }
}

function isBox(value: unknown): value is readonly [number, number, number, number] {
  return Array.isArray(value) && value.length === 4 && value.every((part) => Number.isFinite(part));
}

/** @returns the box in pixels with two decimals, as files hold them; what is no box comes back as it is */
export function scaleBox(
  box: JsonValue | undefined,
  { width, height }: { readonly width: number; readonly height: number },
): JsonValue | undefined {
  if (!isBox(box)) return box;
  return box.map((share, i) => Math.round(share * (i % 2 === 0 ? width : height) * 100) / 100);
}
