/**
 * The recurrent cells of the decoder, one function each. The paper has the ConvLSTM; the others show what its parts are
 * worth (docs/ablations.md).
 *
 *     convlstm  network/conv-lstm.ts
 *     convgru   z, r = sigmoid(gates); h = (1 - z) * h(t-1) + z * tanh(candidate over x and r * h(t-1))
 *     elman     h = tanh(gates over x and h(t-1))
 *     jordan    h = tanh(gates over x): the vertices it sees are all its memory
 *
 * Sources: Ballas et al., ICLR 2016 (arXiv:1511.06432) for the ConvGRU, with z for the new share; Elman, Cognitive
 * Science 14, 1990; Jordan, ICS Report 8604, UCSD, 1986.
 */
import type { CellState } from "./conv-lstm.js";
import { convLstmCell } from "./conv-lstm.js";
import type { Conv2dOptions, TensorOps } from "./tensor-ops.js";
import type { WeightList } from "./weights.js";

export const CELL_NAMES = ["convlstm", "convgru", "elman", "jordan"] as const;
export type CellName = (typeof CELL_NAMES)[number];
export const KERNEL_SIZES = [3, 5, 7] as const;
export type KernelSize = (typeof KERNEL_SIZES)[number];

/** Options of the decoder that a model card may leave out; they stand for the paper's then. */
export interface CellOptions {
  /** Default "convlstm". */
  readonly cell?: CellName;
  /** Side of the kernels that see state and vertices. Default 3. */
  readonly kernel?: KernelSize;
  /** Distance of the kernels' taps in cells, 1 to 4. Default 1. */
  readonly dilation?: number;
}

/** What a layer computes from. */
interface LayerInput<T> {
  /** Side by side along the channels: [B, X, 28, 28] without the state. */
  readonly x: readonly T[];
  /** Part of the gates that the image gives, [B, gates * C, 28, 28]; of layer one alone. */
  readonly hoisted?: T;
  readonly state: CellState<T>;
}

interface LayerNames {
  /** 1 or 2, in the names of its weights. */
  readonly layer: number;
  readonly peepholes: boolean;
  readonly conv: Conv2dOptions;
}

interface Cell {
  /** Maps per channel of the state that the image side gives. */
  readonly gates: number;
  /** What its weights are called, behind "decoder.". No two cells share a name, so that their files cannot be mixed up. */
  readonly prefix: string;
  /** Channels its kernels see and give: [name, outputs, inputs]. @param x channels of the layer's input @param c of its state */
  kernels(layer: number, x: number, c: number): readonly (readonly [name: string, outputs: number, inputs: number])[];
  step<T>(ops: TensorOps<T>, input: LayerInput<T>, names: LayerNames): CellState<T>;
}

const CELLS: Readonly<Record<CellName, Cell>> = {
  convlstm: {
    gates: 4,
    prefix: "gates",
    kernels: (layer, x, c) => [[`decoder.gates_${layer}`, 4 * c, x + c]],
    step(ops, { x, hoisted, state }, { layer, peepholes, conv }) {
      const own = ops.conv2d(ops.concatChannels([...x, state.h]), `decoder.gates_${layer}`, conv);
      const gates = withImage(ops, own, hoisted); // [B, 4 * C, 28, 28]
      return convLstmCell(ops, gates, state, peepholes ? `decoder.peephole_${layer}` : undefined);
    },
  },
  convgru: {
    gates: 3,
    prefix: "convgru",
    kernels: (layer, x, c) => [
      [`decoder.convgru_${layer}`, 2 * c, x + c],
      [`decoder.convgru_${layer}.candidate`, c, x + c],
    ],
    step(ops, { x, hoisted, state: { h } }, { layer, conv }) {
      const [imageZ, imageR, imageCandidate] = hoisted === undefined ? [] : ops.splitChannels(hoisted, 3);
      const gates = ops.conv2d(ops.concatChannels([...x, h]), `decoder.convgru_${layer}`, conv);
      const [ownZ, ownR] = ops.splitChannels(gates, 2);
      const z = ops.sigmoid(withImage(ops, ownZ!, imageZ));
      const r = ops.sigmoid(withImage(ops, ownR!, imageR));
      const seen = ops.concatChannels([...x, ops.multiply(r, h)]);
      const own = ops.conv2d(seen, `decoder.convgru_${layer}.candidate`, conv);
      const candidate = ops.tanh(withImage(ops, own, imageCandidate));
      return withoutCell(ops, ops.add(ops.multiply(ops.affine(z, -1, 1), h), ops.multiply(z, candidate)));
    },
  },
  elman: {
    gates: 1,
    prefix: "elman",
    kernels: (layer, x, c) => [[`decoder.elman_${layer}`, c, x + c]],
    step(ops, { x, hoisted, state }, { layer, conv }) {
      const own = ops.conv2d(ops.concatChannels([...x, state.h]), `decoder.elman_${layer}`, conv);
      return withoutCell(ops, ops.tanh(withImage(ops, own, hoisted)));
    },
  },
  jordan: {
    gates: 1,
    prefix: "jordan",
    kernels: (layer, x, c) => [[`decoder.jordan_${layer}`, c, x]],
    step(ops, { x, hoisted }, { layer, conv }) {
      const own = ops.conv2d(ops.concatChannels(x), `decoder.jordan_${layer}`, conv);
      return withoutCell(ops, ops.tanh(withImage(ops, own, hoisted)));
    },
  },
};

export function cellOf({ cell = "convlstm" }: CellOptions): Cell {
  return CELLS[cell];
}

/** @param image part that the image gives; of layer one alone */
function withImage<T>(ops: TensorOps<T>, own: T, image: T | undefined): T {
  return image === undefined ? own : ops.add(image, own);
}

/** Engines carry h and c from step to step. These cells have no c: a copy of h stands there, which nothing reads. */
function withoutCell<T>(ops: TensorOps<T>, h: T): CellState<T> {
  return { h, c: ops.affine(h, 1, 0) };
}

/** Kernels of both layers. The image's part holds the bias of layer one. */
export function listCell(
  list: WeightList,
  options: CellOptions & { readonly widths: readonly [number, number]; readonly peepholes: boolean },
  channels: { readonly image: number; readonly vertices: number },
): void {
  const cell = cellOf(options);
  const { widths, kernel = 3 } = options;
  const [c1, c2] = widths;
  list.conv(`decoder.${cell.prefix}_features`, cell.gates * c1, channels.image, 3);
  for (const [name, outputs, inputs] of cell.kernels(1, channels.vertices, c1)) {
    list.convWithoutBias(name, outputs, inputs, kernel);
  }
  for (const [name, outputs, inputs] of cell.kernels(2, c1, c2)) list.conv(name, outputs, inputs, kernel);
}
