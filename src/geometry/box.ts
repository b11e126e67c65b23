/**
 * Boxes: checking what a file says, cutting at the image's border, and the square window around a box that becomes the
 * crop. Source of the window: Castrejon et al., CVPR 2017 (square crop with some context), 15 % context as in the
 * authors' released code.
 */
import { receivedOf } from "../errors.js";
import type { Box, Failure, Ring } from "../types.js";
import type { CropWindow } from "./grid.js";

/** Overhang that counts as none, pixels: left + width of numbers with two decimals misses the border by less. */
const ROUNDING_PX = 1e-6;

/** Below a pixel there is nothing to outline, and tools stop at the area of 0 that comes of it. */
const SMALLEST_PX = 1 - ROUNDING_PX;

type CheckedBox = { readonly kind: "box"; readonly box: Box } | { readonly kind: "failed"; readonly failure: Failure };

/**
 * Takes `[left, top, width, height]` as COCO and CityPersons write it, in image pixels.
 * @param where place in the input, opens the message ("boxes.json, annotation 7")
 * @returns the box, or `box-invalid` (not four finite numbers) or `box-empty` (width or height below a pixel); never
 *   throws
 */
export function checkBox(value: unknown, where: string): CheckedBox {
  if (!Array.isArray(value))
    return failed("box-invalid", `${where}: expected a box [left, top, width, height], received ${receivedOf(value)}`);
  const parts: readonly unknown[] = value;
  if (parts.length !== 4) {
    return failed(
      "box-invalid",
      `${where}: expected a box of 4 numbers [left, top, width, height], received ${parts.length}`,
    );
  }
  const [left, top, width, height] = parts;
  if (!isFiniteNumber(left)) return notFinite(where, "left", left);
  if (!isFiniteNumber(top)) return notFinite(where, "top", top);
  if (!isFiniteNumber(width)) return notFinite(where, "width", width);
  if (!isFiniteNumber(height)) return notFinite(where, "height", height);
  if (width < SMALLEST_PX)
    return failed("box-empty", `${where}: expected a box width of at least 1 pixel, received ${width}`);
  if (height < SMALLEST_PX)
    return failed("box-empty", `${where}: expected a box height of at least 1 pixel, received ${height}`);
  if (!isFiniteNumber(left + width)) return notFinite(where, "right edge", left + width);
  if (!isFiniteNumber(top + height)) return notFinite(where, "bottom edge", top + height);
  return { kind: "box", box: { left, top, width, height } };
}

/** The box as an outline, clockwise from its top left corner. */
export function boxRing({ left, top, width, height }: Box): Ring {
  const right = left + width;
  const bottom = top + height;
  return [
    { x: left, y: top },
    { x: right, y: top },
    { x: right, y: bottom },
    { x: left, y: bottom },
  ];
}

type ClippedBox = { readonly kind: "inside" | "clipped"; readonly box: Box } | { readonly kind: "outside" };

/**
 * Part of a box that lies on an image of `width` x `height` pixels.
 * @returns `inside` with the box as it is, `clipped` with what is left of it, or `outside` when less than a pixel is
 *   left. A box that overhangs the border by at most a millionth of a pixel is cut there and still counts as `inside`.
 */
export function clipBox(box: Box, width: number, height: number): ClippedBox {
  const right = box.left + box.width;
  const bottom = box.top + box.height;
  if (box.left >= 0 && box.top >= 0 && right <= width && bottom <= height) return { kind: "inside", box };

  const left = Math.max(0, box.left);
  const top = Math.max(0, box.top);
  const cut: Box = { left, top, width: Math.min(width, right) - left, height: Math.min(height, bottom) - top };
  if (cut.width < SMALLEST_PX || cut.height < SMALLEST_PX) return { kind: "outside" };

  const overhang = Math.max(-box.left, -box.top, right - width, bottom - height);
  return { kind: overhang > ROUNDING_PX ? "clipped" : "inside", box: cut };
}

/**
 * Square crop window around a box: side = long side of the box x (1 + context), centered on the box.
 *
 * Left, top and side are whole pixels, because the image library cuts out whole pixels. It would round a fractional
 * window, and every predicted vertex would be shifted by up to a pixel. The price: the center is off by at most half a
 * pixel, and the box may overhang the window by at most 0.75 pixel (by nothing once `context` x long side is 1.5).
 *
 * @param context extra part of the long side, 0.15 for 15 %
 */
export function squareWindow(box: Box, context: number): CropWindow {
  const { left, top, width, height } = withinReach(box);
  const side = Math.max(1, Math.round(Math.max(width, height) * (1 + context)));
  return {
    left: roundToWhole(left + (width - side) / 2),
    top: roundToWhole(top + (height - side) / 2),
    side,
  };
}

/** Pixels from the origin within which windows are exact; no image comes near. */
const REACH = 2 ** 31;

/** A file may give edges of up to 1e308, and their sums are not finite any more. */
function withinReach({ left, top, width, height }: Box): Box {
  const within = (edge: number): number => Math.min(REACH, Math.max(-REACH, edge));
  if (Math.abs(left) + width < REACH && Math.abs(top) + height < REACH) return { left, top, width, height };
  const [x, y] = [within(left), within(top)];
  return { left: x, top: y, width: within(left + width) - x, height: within(top + height) - y };
}

/** Math.round without its negative zero, which would show up in reports as "-0". */
function roundToWhole(value: number): number {
  return Math.round(value) + 0;
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function notFinite(where: string, part: string, value: unknown): CheckedBox {
  return failed(
    "box-invalid",
    `${where}: expected a finite number for the box's ${part}, received ${receivedOf(value)}`,
  );
}

function failed(reason: Failure["reason"], message: string): CheckedBox {
  return { kind: "failed", failure: { reason, message } };
}
