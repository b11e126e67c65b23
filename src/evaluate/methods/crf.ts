/**
 * A dense CRF on the network's mask map: cells of like color and place pull each other to the same side. Mean field of
 * two classes (object, not object) with Potts compatibility, on 56 x 56 cells of the crop. At this size the kernel
 * between all pairs of cells is computed exactly; larger images need the permutohedral lattice instead.
 *
 * Sources: Kraehenbuehl, Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", NeurIPS
 * 2011; Zheng et al., "Conditional Random Fields as Recurrent Neural Networks", ICCV 2015 (arXiv:1502.03240), whose
 * filters are normalized as here.
 */
import { CROP_SIZE } from "../../geometry/grid.js";
import type { LearnedMasks } from "./learned-masks.js";
import { between, MASK_WORDS, maskFromMap } from "./mask-from-map.js";
import type { Method } from "./method.js";

/** Cells along a side. */
const SIDE = 56;
const CELLS = SIDE * SIDE;

export interface CrfParameters {
  /** Of a message between cells, in logits. */
  readonly weight: number;
  /** Standard deviations of the filter: place in cells, and color in gray levels 0..255. */
  readonly reach: number;
  readonly colorReach: number;
  readonly iterations: number;
}

/**
 * The best of 64 settings on 60 random training instances (bench/fit-crf.mjs; what they gain: docs/quality.md). Wider
 * filters and larger weights were worse there. So was, on 24 of their kind, the filter by place alone that both sources
 * have besides: it is left out.
 */
export const CRF_PARAMETERS: CrfParameters = { weight: 0.5, reach: 3, colorReach: 15, iterations: 5 };

export function crfMethod(masks: LearnedMasks): Method {
  const { iterations } = CRF_PARAMETERS;
  const words = `dense CRF on the network's mask map, ${SIDE} x ${SIDE}, exact kernel, ${iterations} iterations; ${MASK_WORDS}`;
  return masks.method({ name: "crf", words, isTimed: true }, ({ crop, image, map }) =>
    maskFromMap(meanField(enlarge(map("coarse")), colorsOf(crop.pixels), CRF_PARAMETERS), crop, image),
  );
}

/**
 * @param map    probabilities of the object, [56 * 56]
 * @param colors [56 * 56, 3], 0..255
 * @returns      probabilities after the last iteration
 */
export function meanField(map: Float32Array, colors: Float32Array, parameters: CrfParameters): Float32Array {
  return iterate(map, bilateralKernel(colors, parameters), parameters);
}

/** The iterations alone, for whoever tries several weights on one kernel. @param kernel of `bilateralKernel` */
export function iterate(map: Float32Array, kernel: Float32Array, { weight, iterations }: CrfParameters): Float32Array {
  const totals = messages(kernel, new Float32Array(CELLS).fill(1));
  const unary = map.map((p) => Math.log(within(p) / (1 - within(p))));
  let q = map;
  for (let iteration = 0; iteration < iterations; iteration++) {
    const alike = messages(kernel, q);
    q = unary.map((logit, cell) => 1 / (1 + Math.exp(-logit - weight * (2 * (alike[cell]! / totals[cell]!) - 1))));
  }
  return q;
}

/** Keeps a logit finite. */
function within(p: number): number {
  return Math.min(1 - 1e-6, Math.max(1e-6, p));
}

/** Unnormalized, exp(-distance^2 / (2 reach^2)), by distance. */
function gaussian(length: number, reach: number): Float32Array {
  return Float32Array.from({ length }, (_, distance) => Math.exp(-(distance ** 2) / (2 * reach ** 2)));
}

/** 39 MB, written anew for every crop: one after the other is computed. */
const kernelSpace = { values: new Float32Array(0) };

/** Symmetric, [3136, 3136]. @returns values that the next call overwrites */
export function bilateralKernel(
  colors: Float32Array,
  { reach, colorReach }: Pick<CrfParameters, "reach" | "colorReach">,
): Float32Array {
  if (kernelSpace.values.length === 0) kernelSpace.values = new Float32Array(CELLS * CELLS);
  const kernel = kernelSpace.values;
  const place = gaussian(SIDE, reach);
  // exp of millions of color distances would take most of the time: they are looked up, to the nearest whole number.
  const byColor = colorTable(colorReach);
  for (let i = 0; i < CELLS; i++) {
    const [row, column] = [Math.floor(i / SIDE), i % SIDE];
    const [r, g, b] = [colors[3 * i]!, colors[3 * i + 1]!, colors[3 * i + 2]!];
    for (let otherRow = row; otherRow < SIDE; otherRow++) {
      const vertical = place[otherRow - row]!;
      for (let other = otherRow === row ? column : 0; other < SIDE; other++) {
        const j = otherRow * SIDE + other;
        const [dr, dg, db] = [colors[3 * j]! - r, colors[3 * j + 1]! - g, colors[3 * j + 2]! - b];
        const value = vertical * place[Math.abs(other - column)]! * byColor[Math.round(dr * dr + dg * dg + db * db)]!;
        kernel[i * CELLS + j] = value;
        kernel[j * CELLS + i] = value;
      }
    }
  }
  return kernel;
}

const colorTables = new Map<number, Float32Array>();

/** By squared distance of two colors, 0..3 * 255^2. */
function colorTable(reach: number): Float32Array {
  const table =
    colorTables.get(reach) ??
    Float32Array.from({ length: 3 * 255 ** 2 + 1 }, (_, squared) => Math.exp(-squared / (2 * reach ** 2)));
  colorTables.set(reach, table);
  return table;
}

/** The kernel times a map. Four sums at a time: one alone would wait for each addition. */
function messages(kernel: Float32Array, q: Float32Array): Float32Array {
  const sums = new Float32Array(CELLS);
  for (let i = 0; i < CELLS; i++) {
    const start = i * CELLS;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let j = 0; j < CELLS; j += 4) {
      a += kernel[start + j]! * q[j]!;
      b += kernel[start + j + 1]! * q[j + 1]!;
      c += kernel[start + j + 2]! * q[j + 2]!;
      d += kernel[start + j + 3]! * q[j + 3]!;
    }
    sums[i] = a + b + c + d;
  }
  return sums;
}

/** A map of any side, bilinear between the centers of its cells, at 56 x 56. */
export function enlarge(map: Float32Array): Float32Array {
  const side = Math.sqrt(map.length);
  const places = Array.from({ length: SIDE }, (_, at) => between(((at + 0.5) * side) / SIDE, side));
  return Float32Array.from({ length: CELLS }, (_, cell) => {
    const [row, v] = places[Math.floor(cell / SIDE)]!;
    const [column, u] = places[cell % SIDE]!;
    const at = row * side + column;
    const above = map[at]! * (1 - u) + map[at + 1]! * u;
    return above * (1 - v) + (map[at + side]! * (1 - u) + map[at + side + 1]! * u) * v;
  });
}

/** Mean color of each cell. @param pixels [224, 224, 3] @returns [56 * 56, 3], 0..255 */
export function colorsOf(pixels: Uint8Array): Float32Array {
  const per = CROP_SIZE / SIDE;
  const colors = new Float32Array(CELLS * 3);
  for (let y = 0; y < CROP_SIZE; y++) {
    for (let x = 0; x < CROP_SIZE; x++) {
      const cell = 3 * (Math.floor(y / per) * SIDE + Math.floor(x / per));
      const at = 3 * (y * CROP_SIZE + x);
      for (let channel = 0; channel < 3; channel++) colors[cell + channel]! += pixels[at + channel]! / per ** 2;
    }
  }
  return colors;
}
