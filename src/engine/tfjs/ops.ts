/**
 * TensorOps run at once by TensorFlow.js. Tensors are [B, H, W, C] inside (or [B, N]); weights come in its own layout
 * (engine/tfjs/layout.ts). Gradients flow through every operation, so that the same code trains. Where the shorter way
 * in TensorFlow.js has no correct gradient, the longer one is taken and a comment says so.
 *
 * Owns the vertex tables it uploads; everything else belongs to the caller's tf.tidy.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { CLASS_COUNT, GRID_SIZE } from "../../geometry/grid.js";
import type { Conv2dOptions, Normalization, TensorOps, VertexTable } from "../../network/tensor-ops.js";
import { permute } from "./layout.js";

/** The library as a value: @tensorflow/tfjs-node-gpu, @tensorflow/tfjs-node or plain @tensorflow/tfjs. */
export type Tfjs = typeof tfjs;

/**
 * Finds a weight by its name in the file, in the layout of TensorFlow.js: a constant, or a variable that is being
 * trained.
 */
export type WeightLookup = (name: string) => tfjs.Tensor | undefined;

export class TfjsOps implements TensorOps<tfjs.Tensor> {
  private readonly tables = new Map<string, tfjs.Tensor>();

  constructor(
    private readonly tf: Tfjs,
    private readonly lookUpWeight: WeightLookup,
    /** Whether gradients will be asked for; without them dilated convolutions take the short way. */
    private readonly hasGradients = true,
  ) {}

  /** Frees the vertex tables. */
  dispose(): void {
    this.tf.dispose([...this.tables.values()]);
    this.tables.clear();
  }

  normalize(pixels: tfjs.Tensor, { channelOrder, mean, std }: Normalization): tfjs.Tensor {
    const values = this.tf.cast(pixels, "float32");
    const ordered = channelOrder === "BGR" ? this.tf.reverse(values, -1) : values;
    return this.tf.div(this.tf.sub(ordered, this.tf.tensor1d([...mean])), this.tf.tensor1d([...std]));
  }

  conv2d(
    x: tfjs.Tensor,
    name: string,
    { stride = 1, padding = "same", depthwise = false, dilation = 1 }: Conv2dOptions = {},
  ): tfjs.Tensor {
    const stored = this.weight(`${name}.weight`) as tfjs.Tensor4D; // [H, W, I, O] or [H, W, C, 1]
    const isSpread = dilation > 1 && this.hasGradients;
    const kernel = isSpread ? this.spread(stored, dilation) : stored;
    const [padded, pad] = this.pad(x as tfjs.Tensor4D, kernel.shape[0], stride, padding);
    const y = depthwise
      ? this.tf.depthwiseConv2d(padded, kernel, stride, pad)
      : this.tf.conv2d(padded, kernel, stride, pad, "NHWC", isSpread ? 1 : dilation);
    const bias = this.lookUpWeight(`${name}.bias`);
    return bias === undefined ? y : this.tf.add(y, bias);
  }

  /** Zeros between the taps of a kernel: TensorFlow.js has no gradient of a dilated convolution. */
  private spread(kernel: tfjs.Tensor4D, dilation: number): tfjs.Tensor4D {
    const [height, width, inputs, outputs] = kernel.shape;
    const [rest, none] = [[0, dilation - 1] as const, [0, 0] as const];
    const apart = this.tf.pad(
      kernel.reshape([height, 1, width, 1, inputs * outputs]),
      [none, rest, none, rest, none].map(([before, after]): [number, number] => [before, after]),
    );
    const whole = apart.reshape<tfjs.Tensor4D>([height * dilation, width * dilation, inputs, outputs]);
    return this.tf.slice(
      whole,
      [0, 0, 0, 0],
      [(height - 1) * dilation + 1, (width - 1) * dilation + 1, inputs, outputs],
    );
  }

  /**
   * Left to the convolution where its "same" means ours: always at stride 1, at stride 2 only for right-bottom on even
   * sides. Elsewhere zeros are added first. Explicit numbers in tf.conv2d would do for all, but have no gradient in
   * some backends.
   */
  private pad(
    x: tfjs.Tensor4D,
    size: number,
    stride: number,
    padding: "same" | "right-bottom",
  ): [tfjs.Tensor4D, "same" | "valid"] {
    const [, height, width] = x.shape;
    if (padding === "same" && stride === 1) return [x, "same"];
    if (padding === "right-bottom" && stride === 2 && size === 3 && height % 2 === 0 && width % 2 === 0)
      return [x, "same"];
    const border = (size - 1) / 2;
    const [before, after] = padding === "same" ? [border, border] : [0, 1];
    if (before === 0 && after === 0) return [x, "valid"];
    return [
      this.tf.pad(x, [
        [0, 0],
        [before, after],
        [before, after],
        [0, 0],
      ]),
      "valid",
    ];
  }

  maxPool(x: tfjs.Tensor, size: number): tfjs.Tensor {
    return this.tf.maxPool(x as tfjs.Tensor4D, size, size, "valid");
  }

  /**
   * Two matrix products: the gradient of tf.image.resizeBilinear ignores half-pixel centers (tfjs 4.22, all backends).
   */
  resizeBilinear(x: tfjs.Tensor, size: number): tfjs.Tensor {
    const [batch, height, width, channels] = (x as tfjs.Tensor4D).shape;
    const rows = this.tf.tensor3d(bilinearMatrix(height, size), [1, size, height]);
    const columns = this.tf.tensor3d(bilinearMatrix(width, size), [1, size, width]);
    const tall = this.tf.matMul(rows, this.tf.reshape(x, [batch, height, width * channels])); // [B, S, W * C]
    const square = this.tf.matMul(columns, this.tf.reshape(tall, [batch * size, width, channels])); // [B * S, S, C]
    return this.tf.reshape(square, [batch, size, size, channels]);
  }

  concatChannels(xs: readonly tfjs.Tensor[]): tfjs.Tensor {
    return this.tf.concat([...xs], -1);
  }
  splitChannels(x: tfjs.Tensor, parts: number): tfjs.Tensor[] {
    return this.tf.split(x, parts, -1);
  }

  channel(x: tfjs.Tensor, index: number): tfjs.Tensor {
    const [batch, height, width] = (x as tfjs.Tensor4D).shape;
    return this.tf.slice(x, [0, 0, 0, index], [batch, height, width, 1]);
  }

  dense(x: tfjs.Tensor, name: string): tfjs.Tensor {
    const columns = this.weight(`${name}.weight`) as tfjs.Tensor2D; // [H * W * C, out]: no reordering of x
    const flat = this.tf.reshape<tfjs.Rank.R2>(x, [x.shape[0], columns.shape[0]]);
    return this.tf.add(this.tf.matMul(flat, columns), this.weight(`${name}.bias`));
  }

  flatten(x: tfjs.Tensor): tfjs.Tensor {
    const channelFirst = x.rank === 4 && x.shape[3] !== 1 ? this.tf.transpose(x, [0, 3, 1, 2]) : x;
    return this.tf.reshape(channelFirst, [x.shape[0], x.size / x.shape[0]]);
  }

  padEnd(x: tfjs.Tensor, count: number): tfjs.Tensor {
    return this.tf.pad(x, [
      [0, 0],
      [0, count],
    ]);
  }

  lookup(indices: tfjs.Tensor, table: VertexTable): tfjs.Tensor {
    let rows = this.tables.get(table.name);
    if (rows === undefined) {
      const { shape, values } = permute(
        table.values,
        [CLASS_COUNT, table.channels, GRID_SIZE, GRID_SIZE],
        [0, 2, 3, 1],
      );
      rows = this.tf.keep(this.tf.tensor(values, [...shape])); // outlives the tidy of the first step
      this.tables.set(table.name, rows);
    }
    return this.tf.gather(rows, indices);
  }

  add(a: tfjs.Tensor, b: tfjs.Tensor): tfjs.Tensor {
    return this.tf.add(a, b);
  }
  multiply(a: tfjs.Tensor, b: tfjs.Tensor): tfjs.Tensor {
    return this.tf.mul(a, b);
  }
  affine(x: tfjs.Tensor, scale: number, offset: number): tfjs.Tensor {
    return this.tf.add(this.tf.mul(x, scale), offset);
  }
  multiplyMap(x: tfjs.Tensor, name: string): tfjs.Tensor {
    return this.tf.mul(x, this.weight(`${name}.weight`));
  }
  relu(x: tfjs.Tensor): tfjs.Tensor {
    return this.rectify(
      x,
      (y) => this.tf.relu(y),
      (y) => this.tf.greater(y, 0),
    );
  }
  relu6(x: tfjs.Tensor): tfjs.Tensor {
    return this.rectify(
      x,
      (y) => this.tf.relu6(y),
      (y) => this.tf.logicalAnd(this.tf.greater(y, 0), this.tf.less(y, 6)),
    );
  }
  sigmoid(x: tfjs.Tensor): tfjs.Tensor {
    return this.tf.sigmoid(x);
  }
  tanh(x: tfjs.Tensor): tfjs.Tensor {
    return this.tf.tanh(x);
  }

  /**
   * With a gradient of its own, computed from the output. Those of tfjs 4.22 go through `step`, seven operations of the
   * native backend on the largest tensors of the network.
   */
  private rectify(
    x: tfjs.Tensor,
    apply: (x: tfjs.Tensor) => tfjs.Tensor,
    passes: (y: tfjs.Tensor) => tfjs.Tensor,
  ): tfjs.Tensor {
    const rectified = this.tf.customGrad((input, save) => {
      const value = apply(input as tfjs.Tensor);
      (save as tfjs.GradSaveFunc)([value]);
      return {
        value,
        gradFunc: (dy: tfjs.Tensor, [y]: tfjs.Tensor[]) => this.tf.mul(dy, this.tf.cast(passes(y!), "float32")),
      };
    });
    return rectified(x);
  }

  private weight(name: string): tfjs.Tensor {
    const weight = this.lookUpWeight(name);
    if (weight === undefined) throw new Error(`the network asks for weight ${name}, which the model does not have`);
    return weight;
  }
}

/**
 * Weights of a bilinear resize along one axis: half-pixel centers, edges clamped.
 * @returns [to, from], row-major; every row sums to 1
 */
export function bilinearMatrix(from: number, to: number): Float32Array {
  const matrix = new Float32Array(to * from);
  for (let row = 0; row < to; row++) {
    const center = Math.min(from - 1, Math.max(0, ((row + 0.5) * from) / to - 0.5));
    const below = Math.floor(center);
    const above = Math.min(from - 1, below + 1);
    matrix[row * from + below]! += 1 - (center - below);
    matrix[row * from + above]! += center - below;
  }
  return matrix;
}
