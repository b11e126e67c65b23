/**
 * Weights between two layouts. The files have channels first: OIHW kernels, dense rows over a channel-first tensor.
 * TensorFlow.js has them last: HWIO kernels, dense columns over a channels-last tensor.
 *
 * A shape does not tell what a weight is for ([C, 1, 3, 3] may be a depthwise kernel or an ordinary one). So the
 * network runs once with shapes in place of tensors, and every weight gets the role it is used in. Trained weights take
 * the way back, from TensorFlow.js into a file.
 */
import { CROP_SIZE, GRID_SIZE } from "../../geometry/grid.js";
import type { WeightTensor } from "../../model/safetensors.js";
import type { MaskHeadsOptions } from "../../network/mask-heads.js";
import { deepMask, dilationContext, maskHeadShapes } from "../../network/mask-heads.js";
import type { DecoderState, PolygonRnn } from "../../network/polygon-rnn.js";
import type { Conv2dOptions, TensorOps, VertexTable } from "../../network/tensor-ops.js";

/**
 * What a weight is used for. `rows` of a dense layer over a [C, H, W] tensor, or over a vector when `input` is absent.
 */
export type WeightRole =
  | { readonly kind: "kernel" | "depthwise" | "bias" | "map" }
  | { readonly kind: "rows"; readonly input?: readonly [number, number, number] };

/** Role of every weight of a network, by name. */
export function weightRoles(network: PolygonRnn): ReadonlyMap<string, WeightRole> {
  const ops = new ShapeOps(network.weightShapes);
  const normalization = { channelOrder: "RGB", mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const { hoisted } = network.encode(ops, [CROP_SIZE, CROP_SIZE, 3], normalization);
  const plane = (channels: number): Shape => [channels, GRID_SIZE, GRID_SIZE];
  const state: DecoderState<Shape> = [
    { h: plane(network.widths[0]), c: plane(network.widths[0]) },
    { h: plane(network.widths[1]), c: plane(network.widths[1]) },
  ];
  network.step(ops, hoisted, { first: [], previous: [], beforePrevious: [] }, state);
  return ops.roles;
}

/** The same of heads. */
export function headRoles(options: MaskHeadsOptions): ReadonlyMap<string, WeightRole> {
  const ops = new ShapeOps(maskHeadShapes(options));
  const features = [options.features, GRID_SIZE, GRID_SIZE];
  deepMask(ops, features);
  dilationContext(ops, features);
  return ops.roles;
}

/** @returns a copy of the weight in the layout of TensorFlow.js */
export function toTfjsLayout({ shape, values }: WeightTensor, role: WeightRole): WeightTensor {
  switch (role.kind) {
    case "bias":
      return { shape, values: values.slice() };
    case "kernel":
      return permute(values, shape, [2, 3, 1, 0]); // OIHW -> HWIO
    case "depthwise":
      return permute(values, shape, [2, 3, 0, 1]); // C1HW -> HWC1
    case "map":
      return permute(values, shape, [1, 2, 0]); // CHW -> HWC
    case "rows": {
      const outputs = shape[0]!;
      if (role.input === undefined) return permute(values, shape, [1, 0]);
      const columns = permute(values, [outputs, ...role.input], [2, 3, 1, 0]); // [out, C, H, W] -> [H, W, C, out]
      return { shape: [values.length / outputs, outputs], values: columns.values };
    }
  }
}

/** The way back: a copy in the layout of the files. */
export function toFileLayout({ shape, values }: WeightTensor, role: WeightRole): WeightTensor {
  switch (role.kind) {
    case "bias":
      return { shape, values: values.slice() };
    case "kernel":
      return permute(values, shape, [3, 2, 0, 1]);
    case "depthwise":
      return permute(values, shape, [2, 3, 0, 1]);
    case "map":
      return permute(values, shape, [2, 0, 1]);
    case "rows": {
      const outputs = shape[1]!;
      if (role.input === undefined) return permute(values, shape, [1, 0]);
      const [channels, height, width] = role.input;
      const rows = permute(values, [height, width, channels, outputs], [3, 2, 0, 1]);
      return { shape: [outputs, values.length / outputs], values: rows.values };
    }
  }
}

/** Axis k of the result is axis order[k] of the source; both row-major. */
export function permute(values: Float32Array, shape: readonly number[], order: readonly number[]): WeightTensor {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1));
  const target = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const permuted = new Float32Array(values.length);
  const position = target.map(() => 0);
  let from = 0;
  for (let to = 0; to < permuted.length; to++) {
    permuted[to] = values[from]!;
    // count up like an odometer, keeping the source offset beside it
    for (let axis = target.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++position[axis]! < target[axis]!) break;
      from -= steps[axis]! * target[axis]!;
      position[axis] = 0;
    }
  }
  return { shape: target, values: permuted };
}

/** [C, H, W] or [N]: a tensor without its batch. */
type Shape = readonly number[];

/** TensorOps over shapes: computes nothing, remembers how each weight was used. */
class ShapeOps implements TensorOps<Shape> {
  readonly roles = new Map<string, WeightRole>();
  constructor(private readonly shapes: ReadonlyMap<string, readonly number[]>) {}

  normalize([height, width, channels]: Shape): Shape {
    return [channels!, height!, width!];
  }

  conv2d(x: Shape, name: string, { stride = 1, depthwise = false }: Conv2dOptions = {}): Shape {
    const [outputs] = this.use(`${name}.weight`, { kind: depthwise ? "depthwise" : "kernel" });
    if (this.shapes.has(`${name}.bias`)) this.use(`${name}.bias`, { kind: "bias" });
    return [outputs!, Math.ceil(x[1]! / stride), Math.ceil(x[2]! / stride)];
  }

  dense(x: Shape, name: string): Shape {
    const [outputs] = this.use(
      `${name}.weight`,
      x.length === 3 ? { kind: "rows", input: [x[0]!, x[1]!, x[2]!] } : { kind: "rows" },
    );
    this.use(`${name}.bias`, { kind: "bias" });
    return [outputs!];
  }

  multiplyMap(x: Shape, name: string): Shape {
    this.use(`${name}.weight`, { kind: "map" });
    return x;
  }

  maxPool(x: Shape, size: number): Shape {
    return [x[0]!, Math.floor(x[1]! / size), Math.floor(x[2]! / size)];
  }
  resizeBilinear(x: Shape, size: number): Shape {
    return [x[0]!, size, size];
  }
  concatChannels(xs: readonly Shape[]): Shape {
    return [xs.reduce((sum, x) => sum + x[0]!, 0), ...xs[0]!.slice(1)];
  }
  splitChannels(x: Shape, parts: number): Shape[] {
    return Array.from({ length: parts }, () => [x[0]! / parts, ...x.slice(1)]);
  }
  channel(x: Shape): Shape {
    return [1, ...x.slice(1)];
  }
  flatten(x: Shape): Shape {
    return [x.reduce((product, length) => product * length, 1)];
  }
  padEnd(x: Shape, count: number): Shape {
    return [x[0]! + count];
  }
  lookup(_: Shape, table: VertexTable): Shape {
    return [table.channels, GRID_SIZE, GRID_SIZE];
  }
  add(a: Shape): Shape {
    return a;
  }
  multiply(a: Shape): Shape {
    return a;
  }
  affine(x: Shape): Shape {
    return x;
  }
  relu(x: Shape): Shape {
    return x;
  }
  relu6(x: Shape): Shape {
    return x;
  }
  sigmoid(x: Shape): Shape {
    return x;
  }
  tanh(x: Shape): Shape {
    return x;
  }

  private use(name: string, role: WeightRole): readonly number[] {
    const shape = this.shapes.get(name);
    if (shape === undefined) throw new Error(`the network uses weight ${name}, which is not in its own list`);
    this.roles.set(name, role);
    return shape;
  }
}
