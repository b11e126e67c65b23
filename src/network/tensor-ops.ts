/**
 * The operations Polygon-RNN is made of. `network/` describes the network as functions over them and never mentions an
 * engine. `engine/` interprets them: tfjs runs them at once, onnx appends nodes to a graph.
 *
 * A tensor T has logical shape [batch, channels, height, width]; layouts in memory are the interpreter's business
 * alone. Weights are named as in the safetensors file: `<name>.weight` (OIHW kernels, [out, in] dense rows,
 * channel-first) and `<name>.bias` where there is one.
 */

export interface Conv2dOptions {
  /** Step in pixels, both ways. Default 1. */
  readonly stride?: number;
  /**
   * `same` (default): kernel 3 pads 1 on every side, kernel 5 pads 2, kernel 1 pads nothing.
   * `right-bottom`: pads 1 on the right and the bottom only (TensorFlow's SAME at stride 2 on even sizes; MobileNetV2).
   */
  readonly padding?: "same" | "right-bottom";
  /** One kernel per channel: weight [C, 1, 3, 3]. */
  readonly depthwise?: boolean;
  /** Distance of the kernel's taps, at stride 1 and padding `same` only. Default 1. */
  readonly dilation?: number;
}

/** Input normalization: (value - mean[c]) / std[c] on 0..255 values, in the card's channel order. */
export interface Normalization {
  readonly channelOrder: "RGB" | "BGR";
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export interface TensorOps<T> {
  /** Crop pixels [B, 224, 224, 3] uint8 RGB (a graph input or an engine tensor) -> [B, 3, 224, 224] float. */
  normalize(pixels: T, normalization: Normalization): T;
  /** 2-D convolution; the bias is added when the weights have one. */
  conv2d(x: T, weights: string, options?: Conv2dOptions): T;
  /** Non-overlapping max pooling, size x size, stride = size. */
  maxPool(x: T, size: number): T;
  /** Bilinear, half-pixel centers, edges clamped; square output. */
  resizeBilinear(x: T, size: number): T;
  concatChannels(xs: readonly T[]): T;
  /** Equal parts along the channels. */
  splitChannels(x: T, parts: number): T[];
  /** One channel: [B, C, H, W] -> [B, 1, H, W]. */
  channel(x: T, index: number): T;
  /** [B, C, H, W] or [B, N] -> [B, out]; rows see the tensor flattened channel-first. */
  dense(x: T, weights: string): T;
  /** [B, C, H, W] -> [B, C * H * W], channel-first. */
  flatten(x: T): T;
  /** Appends zeros at the end of the second axis: [B, N] -> [B, N + count]. */
  padEnd(x: T, count: number): T;
  /** A row of a constant table per cell index: indices [B] int32, 0..784 -> [B, channels, 28, 28]. */
  lookup(indices: T, table: VertexTable): T;
  add(a: T, b: T): T;
  multiply(a: T, b: T): T;
  /** x * scale + offset. */
  affine(x: T, scale: number, offset: number): T;
  /** x [B, C, 28, 28] times a learned map [C, 28, 28] (peephole terms of a ConvLSTM). */
  multiplyMap(x: T, weights: string): T;
  relu(x: T): T;
  relu6(x: T): T;
  sigmoid(x: T): T;
  tanh(x: T): T;
}

/**
 * A constant table that turns a cell index into planes of the grid; row 784 (end-of-sequence, no vertex) is all zeros.
 */
export interface VertexTable {
  readonly name: string;
  readonly channels: number;
  /** [785, channels, 28, 28] */
  readonly values: Float32Array;
}
