/**
 * GrabCut started from the learned mask instead of the box: what a network and an older method reach together. Where
 * the refined mask is sure, pixels are certain; elsewhere it is the first guess. Outside the box all is background.
 */
import { windowFromRle } from "../../geometry/rle-window.js";
import { rleArea } from "../../geometry/rle.js";
import { rleFromWindow } from "../../geometry/rle-window.js";
import type { Examined } from "./grabcut.js";
import { examine, FEWEST_PIXELS, ITERATIONS, LABELS, loadOpenCv, segment } from "./grabcut.js";
import type { LearnedMasks, SeenInstance } from "./learned-masks.js";
import { between, maskFromMap } from "./mask-from-map.js";
import type { Method } from "./method.js";

/** Probabilities from which on, and up to which, a pixel is certain: few enough are left to OpenCV's colors. */
const SURE_OBJECT = 0.9;
const SURE_BACKGROUND = 0.1;

/** @throws E_UNAVAILABLE when OpenCV does not load */
export async function grabCutMaskMethod(masks: LearnedMasks): Promise<Method> {
  const { cv } = await loadOpenCv();
  const words =
    `GrabCut (OpenCV) from the refined mask: certain above ${SURE_OBJECT} and below ${SURE_BACKGROUND}, ` +
    `${ITERATIONS} iterations on the region of grabcut, the mask itself where one side has no pixels`;
  return masks.method({ name: "grabcut-mask", words, isTimed: true }, (seen) => {
    const { crop, image } = seen;
    const examined = examine(crop.bounds, image);
    const guess = guessOf(seen, examined);
    const objects = guess.reduce((sum, label) => sum + (label % 2), 0);
    if (objects < FEWEST_PIXELS || guess.length - objects < FEWEST_PIXELS)
      return maskFromMap(seen.map("fine"), crop, image);
    const { box, region } = examined;
    const { width, height } = image;
    const whole = rleFromWindow(segment(cv, image, examined, guess), region, height, width);
    const mask = rleFromWindow(windowFromRle(whole, box), box, height, width);
    return rleArea(mask) > 0 ? { kind: "mask", mask } : { kind: "failed", reason: "polygon-empty" };
  });
}

/** LABELS of the shrunk region, row by row. */
function guessOf({ crop, map }: SeenInstance, { region, shrunk }: Examined): Uint8Array {
  const fine = map("fine");
  const side = Math.sqrt(fine.length);
  const { columns, rows, box } = shrunk;
  const { left, top, side: width } = crop.window;
  const place = (at: number, length: number, from: number, of: number): readonly [number, number] =>
    between(((from + ((at + 0.5) / length) * of) * side) / width, side);
  const guess = new Uint8Array(columns * rows); // background
  for (let y = box.top; y < box.top + box.rows; y++) {
    const [row, v] = place(y, rows, region.top - top, region.rows);
    for (let x = box.left; x < box.left + box.columns; x++) {
      const [column, u] = place(x, columns, region.left - left, region.columns);
      const at = row * side + column;
      const above = fine[at]! * (1 - u) + fine[at + 1]! * u;
      guess[y * columns + x] = labelOf(above * (1 - v) + (fine[at + side]! * (1 - u) + fine[at + side + 1]! * u) * v);
    }
  }
  return guess;
}

function labelOf(probability: number): number {
  if (probability > SURE_OBJECT) return LABELS.foreground;
  if (probability < SURE_BACKGROUND) return LABELS.background;
  return probability > 0.5 ? LABELS.probableForeground : LABELS.probableBackground;
}
