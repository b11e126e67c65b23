/**
 * SharpMask's place: the refined mask of `mobile`, 112 x 112, by which polygons are judged and placed
 * (network/refine.ts). Source: Pinheiro, Lin, Collobert, Dollar, ECCV 2016.
 */
import type { LearnedMasks } from "./learned-masks.js";
import { MASK_WORDS, maskFromMap } from "./mask-from-map.js";
import type { Method } from "./method.js";

export function sharpMaskMethod(masks: LearnedMasks): Method {
  const words = `the refined mask after SharpMask, 112 x 112; ${MASK_WORDS}`;
  return masks.method({ name: "sharpmask", words }, ({ crop, image, map }) => maskFromMap(map("fine"), crop, image));
}
