/**
 * Dilation's context module on the features of `mobile`, 28 x 28: for one object in its box, where the paper labels
 * whole scenes. Source: Yu, Koltun, ICLR 2016 (network/mask-heads.ts).
 */
import type { LearnedMasks } from "./learned-masks.js";
import { MASK_WORDS, maskFromMap } from "./mask-from-map.js";
import type { Method } from "./method.js";

export function dilationMethod(masks: LearnedMasks): Method {
  const words = `Dilation's context module, 28 x 28; ${MASK_WORDS}`;
  return masks.method({ name: "dilation", words }, ({ crop, image, map }) => maskFromMap(map("dilation"), crop, image));
}
