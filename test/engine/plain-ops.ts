/**
 * The operations of a network by their definitions (network/tensor-ops.ts), one value after the other in double
 * precision: what kernels of our own are compared with. It shares nothing with any engine.
 */
import { CELL_COUNT, GRID_SIZE } from "../../src/geometry/grid.js";
import type { WeightedNetwork } from "../../src/model/model.js";
import type { Conv2dOptions, Normalization, TensorOps, VertexTable } from "../../src/network/tensor-ops.js";

/** [batch, channels, height, width] or [batch, values]; pixels are [batch, 224, 224, 3]. */
export interface PlainTensor {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

type Place = readonly [batch: number, channel: number, y: number, x: number];

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, side) => size * side, 1);

/** Calls for every place of a tensor of four axes, in the order of memory. */
function filled(shape: readonly number[], valueAt: (place: Place) => number): PlainTensor {
  const [batch, channels, height, width] = shape as [number, number, number, number];
  const values: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) values.push(valueAt([b, c, y, x]));
  return { shape, values };
}

/** Zero outside. */
function at({ shape, values }: PlainTensor, [b, c, y, x]: Place): number {
  const [, channels, height, width] = shape as [number, number, number, number];
  if (y < 0 || x < 0 || y >= height || x >= width) return 0;
  return values[((b * channels + c) * height + y) * width + x]!;
}

export class PlainOps implements TensorOps<PlainTensor> {
  constructor(private readonly weights: WeightedNetwork["weights"]) {}

  normalize({ shape, values }: PlainTensor, { channelOrder, mean, std }: Normalization): PlainTensor {
    const [batch, height, width] = shape as [number, number, number];
    return filled([batch, 3, height, width], ([b, c, y, x]) => {
      const value = values[((b * height + y) * width + x) * 3 + (channelOrder === "RGB" ? c : 2 - c)]!;
      return (value - mean[c]!) / std[c]!;
    });
  }

  conv2d(x: PlainTensor, name: string, options: Conv2dOptions = {}): PlainTensor {
    const { stride = 1, padding = "same", depthwise = false, dilation = 1 } = options;
    const kernel = this.weight(`${name}.weight`);
    const [out, inside, size] = kernel.shape as [number, number, number];
    const reach = dilation * (size - 1);
    const [before, after] = padding === "same" ? [reach / 2, reach / 2] : [0, 1];
    const [batch, , height, width] = x.shape as [number, number, number, number];
    const sideOf = (side: number): number => Math.floor((side + before + after - reach - 1) / stride) + 1;
    const bias = this.weights.get(`${name}.bias`);
    return filled([batch, out, sideOf(height), sideOf(width)], ([b, c, row, column]) => {
      let sum = bias?.values[c] ?? 0;
      for (let i = 0; i < inside; i++)
        for (let ky = 0; ky < size; ky++)
          for (let kx = 0; kx < size; kx++) {
            const place = [row * stride - before + ky * dilation, column * stride - before + kx * dilation] as const;
            sum += at(kernel, [c, i, ky, kx]) * at(x, [b, depthwise ? c : i, ...place]);
          }
      return sum;
    });
  }

  maxPool(x: PlainTensor, size: number): PlainTensor {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const steps = Array.from({ length: size }, (_, step) => step);
    return filled([batch, channels, Math.floor(height / size), Math.floor(width / size)], ([b, c, row, column]) =>
      Math.max(...steps.flatMap((dy) => steps.map((dx) => at(x, [b, c, row * size + dy, column * size + dx])))),
    );
  }

  resizeBilinear(x: PlainTensor, size: number): PlainTensor {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const between = (place: number, side: number): readonly [number, number, number] => {
      const exact = Math.min(side - 1, Math.max(0, ((place + 0.5) * side) / size - 0.5));
      const first = Math.floor(exact);
      return [first, Math.min(side - 1, first + 1), exact - first];
    };
    return filled([batch, channels, size, size], ([b, c, row, column]) => {
      const [top, bottom, v] = between(row, height);
      const [left, right, u] = between(column, width);
      const along = (y: number): number => at(x, [b, c, y, left]) * (1 - u) + at(x, [b, c, y, right]) * u;
      return along(top) * (1 - v) + along(bottom) * v;
    });
  }

  concatChannels(xs: readonly PlainTensor[]): PlainTensor {
    const from = xs.flatMap((x) => Array.from({ length: x.shape[1]! }, (_, channel) => ({ x, channel })));
    const [batch, , height, width] = xs[0]!.shape as [number, number, number, number];
    return filled([batch, from.length, height, width], ([b, c, row, column]) =>
      at(from[c]!.x, [b, from[c]!.channel, row, column]),
    );
  }

  splitChannels(x: PlainTensor, parts: number): PlainTensor[] {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const each = channels / parts;
    return Array.from({ length: parts }, (_, part) =>
      filled([batch, each, height, width], ([b, c, row, column]) => at(x, [b, part * each + c, row, column])),
    );
  }

  channel(x: PlainTensor, index: number): PlainTensor {
    return this.splitChannels(x, x.shape[1]!)[index]!;
  }

  dense(x: PlainTensor, name: string): PlainTensor {
    const { shape, values } = this.weight(`${name}.weight`);
    const [out, inside] = shape as [number, number];
    const bias = this.weights.get(`${name}.bias`);
    const rows = Array.from({ length: x.shape[0]! * out }, (_, place) => {
      const [row, c] = [Math.floor(place / out), place % out];
      let sum = bias?.values[c] ?? 0;
      for (let i = 0; i < inside; i++) sum += values[c * inside + i]! * x.values[row * inside + i]!;
      return sum;
    });
    return { shape: [x.shape[0]!, out], values: rows };
  }

  flatten({ shape, values }: PlainTensor): PlainTensor {
    return { shape: [shape[0]!, sizeOf(shape.slice(1))], values };
  }

  padEnd({ shape, values }: PlainTensor, count: number): PlainTensor {
    const [batch, length] = shape as [number, number];
    const rows = Array.from({ length: batch }, (_, row) => [
      ...Array.from(values).slice(row * length, (row + 1) * length),
      ...Array<number>(count).fill(0),
    ]);
    return { shape: [batch, length + count], values: rows.flat() };
  }

  lookup({ values: indices }: PlainTensor, { channels, values }: VertexTable): PlainTensor {
    return filled(
      [indices.length, channels, GRID_SIZE, GRID_SIZE],
      ([b, c, row, column]) => values[(indices[b]! * channels + c) * CELL_COUNT + row * GRID_SIZE + column]!,
    );
  }

  add(a: PlainTensor, b: PlainTensor): PlainTensor {
    return this.each(a, (value, place) => value + b.values[place]!);
  }

  multiply(a: PlainTensor, b: PlainTensor): PlainTensor {
    return this.each(a, (value, place) => value * b.values[place]!);
  }

  affine(x: PlainTensor, scale: number, offset: number): PlainTensor {
    return this.each(x, (value) => value * scale + offset);
  }

  multiplyMap(x: PlainTensor, name: string): PlainTensor {
    const { values } = this.weight(name);
    return this.each(x, (value, place) => value * values[place % values.length]!);
  }

  relu(x: PlainTensor): PlainTensor {
    return this.each(x, (value) => Math.max(0, value));
  }

  relu6(x: PlainTensor): PlainTensor {
    return this.each(x, (value) => Math.min(6, Math.max(0, value)));
  }

  sigmoid(x: PlainTensor): PlainTensor {
    return this.each(x, (value) => 1 / (1 + Math.exp(-value)));
  }

  tanh(x: PlainTensor): PlainTensor {
    return this.each(x, Math.tanh);
  }

  private each({ shape, values }: PlainTensor, of: (value: number, place: number) => number): PlainTensor {
    return { shape, values: Array.from(values, of) };
  }

  private weight(name: string): PlainTensor {
    const found = this.weights.get(name);
    if (found === undefined) throw new Error(`there is no weight ${name}`);
    return found;
  }
}
