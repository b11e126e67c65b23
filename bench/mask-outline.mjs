/**
 * The outline of the network's own mask map, without any decoder: what it would be worth beside the drawn polygon.
 * Started by drawing.mjs.
 */
import { GRID_SIZE } from "../dist/geometry/grid.js";
import { rleFromBitmap } from "../dist/geometry/rle.js";
import { signedArea } from "../dist/geometry/ring.js";
import { simplifyRing } from "../dist/geometry/simplify.js";
import { traceMask } from "../dist/geometry/trace-mask.js";

/** Fine pixels per cell and axis. */
const FINE = 4;
const SIDE = GRID_SIZE * FINE;
/** Douglas-Peucker, in fine pixels: about as many vertices as the decoder draws. */
const TOLERANCE = 2.2;

/**
 * @param level probability from which on the map counts as inside; outside the box nothing does
 * @returns     the largest part's outline in image pixels; empty where there is none
 */
export function maskOutline(maskLogits, { window, bounds }, level) {
  const scale = SIDE / window.side;
  const [left, top] = [(bounds.left - window.left) * scale, (bounds.top - window.top) * scale];
  const [right, bottom] = [left + bounds.width * scale, top + bounds.height * scale];
  const inside = new Uint8Array(SIDE * SIDE); // column-major
  for (let x = 0; x < SIDE; x++) {
    for (let y = 0; y < SIDE; y++) {
      const isInBox = x + 0.5 > left && x + 0.5 < right && y + 0.5 > top && y + 0.5 < bottom;
      if (isInBox && mapAt(maskLogits, (x + 0.5) / FINE - 0.5, (y + 0.5) / FINE - 0.5) > level)
        inside[x * SIDE + y] = 1;
    }
  }
  const [largest] = traceMask(rleFromBitmap(inside, SIDE, SIDE)).sort(
    (a, b) => Math.abs(signedArea(b)) - Math.abs(signedArea(a)),
  );
  return largest === undefined
    ? []
    : simplifyRing(largest, TOLERANCE).map(({ x, y }) => ({ x: x / scale + window.left, y: y / scale + window.top }));
}

/** Bilinear between the centers of cells; beyond the outer centers as at them. */
function mapAt(logits, x, y) {
  const within = (position) => Math.min(GRID_SIZE - 1, Math.max(0, position));
  const [column, row] = [
    Math.min(GRID_SIZE - 2, Math.floor(within(x))),
    Math.min(GRID_SIZE - 2, Math.floor(within(y))),
  ];
  const [u, v] = [within(x) - column, within(y) - row];
  const at = (down, right) => 1 / (1 + Math.exp(-logits[(row + down) * GRID_SIZE + column + right]));
  return (at(0, 0) * (1 - u) + at(0, 1) * u) * (1 - v) + (at(1, 0) * (1 - u) + at(1, 1) * u) * v;
}
