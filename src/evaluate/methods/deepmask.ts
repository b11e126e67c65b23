/**
 * DeepMask's head on the features of `mobile`: a map of 56 x 56 whose every pixel sees the whole crop.
 * Source: Pinheiro, Collobert, Dollar, NeurIPS 2015 (network/mask-heads.ts).
 */
import type { LearnedMasks } from "./learned-masks.js";
import { MASK_WORDS, maskFromMap } from "./mask-from-map.js";
import type { Method } from "./method.js";

export function deepMaskMethod(masks: LearnedMasks): Method {
  const words = `DeepMask's head, 56 x 56; ${MASK_WORDS}`;
  return masks.method({ name: "deepmask", words }, ({ crop, image, map }) => maskFromMap(map("deepmask"), crop, image));
}
