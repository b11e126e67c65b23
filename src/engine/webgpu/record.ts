/**
 * TensorOps as a record: an operation becomes a node, nothing is computed. engine/webgpu/plan.ts makes kernels of the
 * nodes. Shapes are without the batch, [C, H, W]; a vector of N is [N, 1, 1].
 */
import { GRID_SIZE } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { Conv2dOptions, Normalization, TensorOps, VertexTable } from "../../network/tensor-ops.js";

export type Shape = readonly [channels: number, height: number, width: number];

/**
 * What lies in an input's buffer. A view is a number per row of the batch: the row of the pixels that it sees, or its
 * complement ~row for the same crop flipped, left and right exchanged.
 */
export type InputType = "float" | "index" | "pixels" | "view";

/** What a node does to its operands `from`. */
export type Operation =
  | { readonly kind: "input"; readonly name: string; readonly type: InputType }
  | { readonly kind: "view" }
  | {
      readonly kind: "conv";
      readonly weights: string;
      readonly size: number;
      readonly stride: number;
      readonly dilation: number;
      /** Zeros before the first row and column. */
      readonly before: number;
      readonly depthwise: boolean;
    }
  | { readonly kind: "dense"; readonly weights: string }
  | { readonly kind: "pool"; readonly size: number }
  | { readonly kind: "resize" | "concat" | "flatten" | "pad" }
  | { readonly kind: "slice"; readonly start: number }
  | { readonly kind: "lookup"; readonly table: VertexTable }
  | { readonly kind: "normalize"; readonly normalization: Normalization }
  | { readonly kind: "add" | "multiply" | "relu" | "relu6" | "sigmoid" | "tanh" }
  | { readonly kind: "affine"; readonly scale: number; readonly offset: number }
  | { readonly kind: "map"; readonly weights: string };

export interface PlanNode {
  /** In the order of recording: operands come first. */
  readonly id: number;
  readonly operation: Operation;
  readonly from: readonly PlanNode[];
  readonly shape: Shape;
}

export class RecordOps implements TensorOps<PlanNode> {
  private count = 0;

  constructor(private readonly weights: WeightedNetwork["weights"]) {}

  input(name: string, type: InputType, shape: Shape): PlanNode {
    return this.node({ kind: "input", name, type }, [], shape);
  }

  /** Pixels in any order, each crop as it lies or flipped. @param views an input of views; a kernel has one at most */
  view(pixels: PlanNode, views: PlanNode): PlanNode {
    return this.node({ kind: "view" }, [pixels, views], pixels.shape);
  }

  normalize(pixels: PlanNode, normalization: Normalization): PlanNode {
    return this.node({ kind: "normalize", normalization }, [pixels], pixels.shape);
  }

  conv2d(x: PlanNode, weights: string, options: Conv2dOptions = {}): PlanNode {
    const { stride = 1, padding = "same", depthwise = false, dilation = 1 } = options;
    const [outputs, , size] = this.shapeOf(weights) as [number, number, number];
    const before = padding === "same" ? ((size - 1) / 2) * dilation : 0;
    const around = padding === "same" ? 2 * before : 1;
    const side = (length: number): number => Math.floor((length + around - dilation * (size - 1) - 1) / stride) + 1;
    const shape: Shape = [outputs, side(x.shape[1]), side(x.shape[2])];
    return this.node({ kind: "conv", weights, size, stride, dilation, before, depthwise }, [x], shape);
  }

  maxPool(x: PlanNode, size: number): PlanNode {
    const [channels, height, width] = x.shape;
    return this.node({ kind: "pool", size }, [x], [channels, Math.floor(height / size), Math.floor(width / size)]);
  }

  resizeBilinear(x: PlanNode, size: number): PlanNode {
    return this.node({ kind: "resize" }, [x], [x.shape[0], size, size]);
  }

  concatChannels(xs: readonly PlanNode[]): PlanNode {
    const [, height, width] = xs[0]!.shape;
    return this.node({ kind: "concat" }, xs, [xs.reduce((sum, { shape }) => sum + shape[0], 0), height, width]);
  }

  splitChannels(x: PlanNode, parts: number): PlanNode[] {
    const [channels, height, width] = x.shape;
    const each = channels / parts;
    return Array.from({ length: parts }, (_, at) =>
      this.node({ kind: "slice", start: at * each }, [x], [each, height, width]),
    );
  }

  channel(x: PlanNode, index: number): PlanNode {
    return this.node({ kind: "slice", start: index }, [x], [1, x.shape[1], x.shape[2]]);
  }

  dense(x: PlanNode, weights: string): PlanNode {
    return this.node({ kind: "dense", weights }, [x], [this.shapeOf(weights)[0]!, 1, 1]);
  }

  flatten(x: PlanNode): PlanNode {
    return this.node({ kind: "flatten" }, [x], [elements(x.shape), 1, 1]);
  }

  padEnd(x: PlanNode, count: number): PlanNode {
    return this.node({ kind: "pad" }, [x], [x.shape[0] + count, 1, 1]);
  }

  lookup(indices: PlanNode, table: VertexTable): PlanNode {
    return this.node({ kind: "lookup", table }, [indices], [table.channels, GRID_SIZE, GRID_SIZE]);
  }

  add(a: PlanNode, b: PlanNode): PlanNode {
    return this.node({ kind: "add" }, [a, b], a.shape);
  }

  multiply(a: PlanNode, b: PlanNode): PlanNode {
    return this.node({ kind: "multiply" }, [a, b], a.shape);
  }

  affine(x: PlanNode, scale: number, offset: number): PlanNode {
    return this.node({ kind: "affine", scale, offset }, [x], x.shape);
  }

  multiplyMap(x: PlanNode, weights: string): PlanNode {
    return this.node({ kind: "map", weights }, [x], x.shape);
  }

  relu(x: PlanNode): PlanNode {
    return this.node({ kind: "relu" }, [x], x.shape);
  }

  relu6(x: PlanNode): PlanNode {
    return this.node({ kind: "relu6" }, [x], x.shape);
  }

  sigmoid(x: PlanNode): PlanNode {
    return this.node({ kind: "sigmoid" }, [x], x.shape);
  }

  tanh(x: PlanNode): PlanNode {
    return this.node({ kind: "tanh" }, [x], x.shape);
  }

  private node(operation: Operation, from: readonly PlanNode[], shape: Shape): PlanNode {
    return { id: this.count++, operation, from, shape };
  }

  private shapeOf(name: string): readonly number[] {
    const weight = this.weights.get(`${name}.weight`);
    if (weight === undefined) throw new Error(`no weights ${name}`);
    return weight.shape;
  }
}

export function elements([channels, height, width]: Shape): number {
  return channels * height * width;
}
