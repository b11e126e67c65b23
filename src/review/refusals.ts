/** What a review refuses: a change of an earlier state, an instance that is not in it, a ring that is no polygon. */
import { EXIT, invalidData, PolyrnnError } from "../errors.js";
import { countDistinct } from "../geometry/ring.js";
import type { Outcome, Ring } from "../types.js";
import type { InstanceView } from "./api.js";

/** What the page worked on is not what is in force. */
export class Stale extends PolyrnnError {
  constructor(readonly current: InstanceView | undefined) {
    super(
      "expected a change of what is in force, received one of an earlier state: another window was faster",
      "E_STALE",
      EXIT.failures,
      "Reload the instance and decide again.",
    );
  }
}

/** There is no such instance in this review. */
export class NotFound extends PolyrnnError {
  constructor(ordinal: number) {
    super(
      `expected an instance of this review, received ${ordinal}`,
      "E_NOT_FOUND",
      EXIT.dataInvalid,
      "Reload the page.",
    );
  }
}

/** Of the image as displayed, as far as the run saw it. */
export function sizeOf(outcome: Outcome): { imageWidth: number; imageHeight: number } {
  return outcome.status === "done"
    ? { imageWidth: outcome.imageWidth, imageHeight: outcome.imageHeight }
    : { imageWidth: 1, imageHeight: 1 };
}

/** @throws E_DATA */
export function checkRing(ring: Ring, { imageWidth, imageHeight }: { imageWidth: number; imageHeight: number }): void {
  const outside = ring.find(({ x, y }) => !(x >= 0 && y >= 0 && x <= imageWidth && y <= imageHeight));
  if (outside !== undefined)
    throw invalidData(
      `expected vertices on the image of ${imageWidth} x ${imageHeight} pixels, received (${outside.x}, ${outside.y})`,
      "Move the vertex onto the image.",
    );
  if (countDistinct(ring) < 3)
    throw invalidData("expected three vertices in different places, received fewer", "Add a vertex, or reject it.");
}

/** Of values of JSON. */
export function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
