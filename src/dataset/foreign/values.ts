/** Numbers, boxes and sizes as the formats of other tools write them. */
import { receivedOf } from "../../errors.js";
import { isJsonObject } from "../../foreign.js";
import { ringBounds } from "../../geometry/ring.js";
import type { JsonObject } from "../../types.js";

const LONGEST_NUMBER = 400;
/** What Number takes besides ('0x1f', 'Infinity') is no coordinate; what it refuses ('.', 'e5') it refuses here. */
const NUMBER = /^[+-]?\d*(?:\.\d*)?(?:e[+-]?\d+)?$/iu;

/** @returns undefined for what is no finite number in digits ("nan", "1,5", "0x1f", "1e999") */
export function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "" || text.length > LONGEST_NUMBER || !NUMBER.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** A box from two corners. @returns a problem where one is no number or they are swapped */
export function boxOfCorners(
  texts: readonly (string | undefined)[],
  names: readonly [left: string, top: string, right: string, bottom: string],
): { readonly corners: readonly [number, number, number, number] } | { readonly problem: string } {
  const numbers = texts.map(numberOf);
  const bad = numbers.indexOf(undefined);
  if (bad >= 0) return { problem: `expected ${names[bad]!} to be a number, received ${receivedOf(texts[bad])}` };
  const [left, top, right, bottom] = numbers as [number, number, number, number];
  if (right < left) return { problem: `expected ${names[0]} to be at most ${names[2]}, received ${left} and ${right}` };
  if (bottom < top) return { problem: `expected ${names[1]} to be at most ${names[3]}, received ${top} and ${bottom}` };
  return { corners: [left, top, right, bottom] };
}

/** Length between two edges without the noise of a subtraction: 60.3 - 11.15 is 49.15. */
export function lengthOf(from: number, to: number): number {
  return Number((to - from).toFixed(6));
}

/** The box around points: [left, top, width, height]. @param points at least one */
export function boxAround(points: readonly (readonly [number, number])[]): [number, number, number, number] {
  const { left, top, width, height } = ringBounds(points.map(([x, y]) => ({ x, y })))!;
  return [left, top, lengthOf(0, width), lengthOf(0, height)];
}

/** @returns undefined for what is no side of an image in pixels; some exporters write 0 where they do not know it */
export function sideOf(text: string | undefined): number | undefined {
  const value = numberOf(text);
  return value !== undefined && Number.isInteger(value) && value > 0 ? value : undefined;
}

/** A side of an image in pixels, as JSON has it. */
export function isSide(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

export function objectOf(value: unknown): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}
