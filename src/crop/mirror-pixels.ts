/** Crops in the mirror. */
import { CROP_SIZE } from "../geometry/grid.js";

const ROW = CROP_SIZE * 3;

/** Exchanges left and right, in place. @param crops [any, 224, 224, 3] uint8 */
export function mirrorPixels(crops: Uint8Array): void {
  for (let start = 0; start < crops.length; start += ROW) {
    for (let a = start, b = start + ROW - 3; a < b; a += 3, b -= 3) {
      for (let channel = 0; channel < 3; channel++) {
        const kept = crops[a + channel]!;
        crops[a + channel] = crops[b + channel]!;
        crops[b + channel] = kept;
      }
    }
  }
}
