/** The checked-in answers of pycocotools, Pillow and OpenCV (fixtures/reference/iou-pairs.py). */
import { readFileSync } from "node:fs";
import { decodeRle } from "../../src/geometry/rle.js";
import type { Polygon, Truth } from "../../src/types.js";
import { toRing } from "./arbitraries.js";

export interface PairSide {
  readonly rings?: readonly (readonly number[])[];
  readonly counts?: string | readonly number[];
  readonly area: number;
  /** pycocotools' fill, compressed. */
  readonly fill: string;
  /** Pillow's fill, compressed; polygons only. */
  readonly pillow?: string;
}

export interface Pair {
  readonly why: string;
  readonly height: number;
  readonly width: number;
  readonly crowd: boolean;
  readonly a: PairSide;
  readonly b: PairSide;
  readonly iou: number;
  readonly boundaryIou: number;
}

export const iouPairs = JSON.parse(
  readFileSync(new URL("../../fixtures/goldens/iou-pairs.json", import.meta.url), "utf8"),
) as readonly Pair[];

export function polygonOf(side: PairSide): Polygon | undefined {
  return side.rings?.map(toRing);
}

export function truthOf(side: PairSide, { height, width, why }: Pair): Truth {
  const polygon = polygonOf(side);
  if (polygon !== undefined) return { kind: "polygon", polygon };
  return { kind: "rle", rle: decodeRle({ size: [height, width], counts: side.counts }, why) };
}
