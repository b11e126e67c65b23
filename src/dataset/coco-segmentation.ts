/**
 * Ground truth from the `segmentation` of a COCO annotation: polygons, or a mask in run lengths as a list or as text.
 * A segmentation that cannot serve as truth costs the instance nothing but its evaluation: the reason is kept.
 */
import { PolyrnnError, receivedOf } from "../errors.js";
import { decodeRle } from "../geometry/rle.js";
import type { ImageRecord, JsonValue, Ring, Truth } from "../types.js";

/** Fields of an Instance; empty when the annotation has no segmentation. */
export interface TruthFields {
  readonly truth?: Truth;
  readonly truthProblem?: string;
}

/** @param where place in the input, opens the problem */
export function readTruth(segmentation: JsonValue | undefined, where: string, image: ImageRecord): TruthFields {
  if (segmentation === undefined || segmentation === null) return {};
  if (!Array.isArray(segmentation)) return readMask(segmentation, where, image);
  if (segmentation.length === 0) return {};
  const polygon: Ring[] = [];
  for (const [i, numbers] of segmentation.entries()) {
    const ring = readRing(numbers);
    if (typeof ring === "string") return { truthProblem: `${where}, segmentation[${i}]: ${ring}` };
    polygon.push(ring);
  }
  return { truth: { kind: "polygon", polygon } };
}

function readMask(segmentation: JsonValue, where: string, image: ImageRecord): TruthFields {
  try {
    const rle = decodeRle(segmentation, `${where}, segmentation`);
    const { width = rle.width, height = rle.height } = image;
    if (rle.width === width && rle.height === height) return { truth: { kind: "rle", rle } };
    return {
      truthProblem: `${where}, segmentation: expected a mask of its image's ${width} x ${height} pixels, received ${rle.width} x ${rle.height}`,
    };
  } catch (thrown) {
    if (!(thrown instanceof PolyrnnError)) throw thrown;
    return { truthProblem: thrown.message };
  }
}

/** @param numbers [x1, y1, x2, y2, ...] in image pixels. @returns the ring, or what is wrong */
function readRing(numbers: JsonValue): Ring | string {
  if (!Array.isArray(numbers)) return `expected a list of coordinates, received ${receivedOf(numbers)}`;
  if (numbers.length % 2 !== 0) return `expected pairs of coordinates, received ${numbers.length} numbers`;
  const ring: { x: number; y: number }[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const x = numbers[i],
      y = numbers[i + 1];
    if (typeof x !== "number" || !Number.isFinite(x)) return `expected finite numbers, received ${receivedOf(x)}`;
    if (typeof y !== "number" || !Number.isFinite(y)) return `expected finite numbers, received ${receivedOf(y)}`;
    ring.push({ x, y });
  }
  // Some tools close their rings; here a ring is stored open.
  const first = ring[0],
    last = ring.at(-1);
  if (ring.length > 1 && first?.x === last?.x && first?.y === last?.y) ring.pop();
  return ring.length >= 3 ? ring : `expected a polygon of at least 3 points, received ${ring.length}`;
}
