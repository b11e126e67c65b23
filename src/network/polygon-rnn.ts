/**
 * One Polygon-RNN, whatever its encoder: what goes in, what comes out, which weights it needs.
 *
 * Follows Castrejon, Kundu, Urtasun, Fidler, "Annotating Object Instances with a Polygon-RNN", CVPR 2017
 * (arXiv:1704.05548). The convolution of decoder layer one is linear. Its part over the image features is therefore
 * computed once per crop (`hoisted`) and added at every step. The numbers are the same; for the paper's widths a step
 * convolves 3 + 16 input channels instead of 131 + 16.
 */
import type { CellOptions } from "./cells.js";
import type { CellState } from "./conv-lstm.js";
import type { Normalization, TensorOps, VertexTable } from "./tensor-ops.js";

/** Channels of the hidden state of decoder layers one and two. */
export type StateWidths = readonly [number, number];

/**
 * The `architecture` field of a model card. `features`, `skip` and `rank` are channels of the image features, of each
 * fused tap and of the low-rank dense layer. `refine` adds the refined mask (network/refine.ts); absent means false.
 */
export type ArchitectureOptions =
  | (CellOptions & {
      readonly name: "mobile";
      readonly widths: StateWidths;
      readonly features: number;
      readonly skip: number;
      readonly rank: number;
      readonly peepholes: boolean;
      readonly refine?: boolean;
    })
  | { readonly name: "vgg16"; readonly widths: StateWidths; readonly peepholes: boolean }
  | (CellOptions & {
      readonly name: "tiny";
      readonly widths: StateWidths;
      readonly features: number;
      readonly rank: number;
      readonly peepholes: boolean;
      readonly refine?: boolean;
    });

/** The options of one architecture. */
export type ArchitectureOf<N extends ArchitectureOptions["name"]> = Extract<ArchitectureOptions, { readonly name: N }>;

/** What the image side of the network gives for a batch of crops. */
export interface Encoded<T> {
  /** [B, F, 28, 28], after ReLU. */
  readonly features: T;
  /** Logits of the boundary, [B, 1, 28, 28]. */
  readonly edge: T;
  /** Logits of the polygon's vertices, [B, 1, 28, 28]; the best cell starts the polygon. */
  readonly vertex: T;
  /** Logits of the object's mask, [B, 1, 28, 28]; the 2017 network has none. */
  readonly mask?: T;
  /** Logits of the object's mask, refined, [B, 1, 112, 112]; only with the option `refine`. */
  readonly fineMask?: T;
  /** Part of layer one's gates that sees the image, [B, hoistedChannels, 28, 28]. */
  readonly hoisted: T;
}

/** The vertices a step sees: cell indices [B] int32, 784 where there is none. */
export interface StepVertices<T> {
  /** y(1). */
  readonly first: T;
  /** y(t-1). */
  readonly previous: T;
  /** y(t-2). */
  readonly beforePrevious: T;
}

export type DecoderState<T> = readonly [CellState<T>, CellState<T>];

export interface PolygonRnn {
  readonly widths: StateWidths;
  /** Channels of `hoisted`: 4 * widths[0] of an LSTM. */
  readonly hoistedChannels: number;
  /** Name -> shape of every weight in the file; OIHW kernels, [out, in] dense rows. */
  readonly weightShapes: ReadonlyMap<string, readonly number[]>;
  /** Constant tables the steps look vertices up in. */
  readonly vertexTable: VertexTable;
  /** @param pixels [B, 224, 224, 3] uint8 RGB */
  encode<T>(ops: TensorOps<T>, pixels: T, normalization: Normalization): Encoded<T>;
  /** The recurrent part of one decoder step. @returns the next state */
  advance<T>(ops: TensorOps<T>, hoisted: T, vertices: StepVertices<T>, state: DecoderState<T>): DecoderState<T>;
  /**
   * From the hidden state of layer two to logits, without memory: rows of many steps may come together, as they do in
   * training.
   * @param hidden [N, widths[1], 28, 28] @returns [N, 785]
   */
  head<T>(ops: TensorOps<T>, hidden: T): T;
  /** One decoder step: `advance`, then `head`. @returns logits [B, 785] and the next state */
  step<T>(
    ops: TensorOps<T>,
    hoisted: T,
    vertices: StepVertices<T>,
    state: DecoderState<T>,
  ): { logits: T; state: DecoderState<T> };
}

/** Puts the step together from its two parts. */
export function withStep(parts: Omit<PolygonRnn, "step">): PolygonRnn {
  return {
    ...parts,
    step(ops, hoisted, vertices, state) {
      const next = parts.advance(ops, hoisted, vertices, state);
      return { logits: parts.head(ops, next[1].h), state: next };
    },
  };
}
