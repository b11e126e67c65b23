/**
 * The operations against slow plain loops, and their gradients against differences. Plain JavaScript backend, float32.
 */
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { describeNetwork } from "../../../src/network/build.js";
import type { Conv2dOptions } from "../../../src/network/tensor-ops.js";
import { createRandom } from "../../../src/random.js";
import { toTfjsLayout } from "../../../src/engine/tfjs/layout.js";
import type { WeightRole } from "../../../src/engine/tfjs/layout.js";
import { TfjsOps, bilinearMatrix } from "../../../src/engine/tfjs/ops.js";
import { weightsOutOfReach } from "../gradient-reach.js";
import { distance, randomWeights } from "../network-runner.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const random = createRandom("tfjs-ops");
const noise = (shape: readonly number[]): { shape: readonly number[]; values: Float32Array } => ({
  shape,
  values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});

/** [B, C, H, W] values, as the naive versions below see them. */
interface Planes {
  readonly shape: readonly [number, number, number, number];
  readonly values: Float32Array;
}
const at = ({ shape: [, C, H, W], values }: Planes, b: number, c: number, y: number, x: number): number =>
  y < 0 || x < 0 || y >= H || x >= W ? 0 : values[((b * C + c) * H + y) * W + x]!;

/** Convolution by its definition, zeros outside. */
function slowConv(
  x: Planes,
  kernel: Planes,
  bias: Float32Array,
  { stride = 1, padding = "same", depthwise = false }: Conv2dOptions,
): Float32Array {
  const [batch, channels, height, width] = x.shape;
  const [outputs, , size] = kernel.shape;
  const before = padding === "same" ? (size - 1) / 2 : 0;
  const side = (length: number): number =>
    Math.floor((length + (padding === "same" ? 2 * before : 1) - size) / stride) + 1;
  const sums: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < outputs; o++)
      for (let y = 0; y < side(height); y++)
        for (let z = 0; z < side(width); z++) {
          let sum = bias[o]!;
          for (let i = 0; i < (depthwise ? 1 : channels); i++)
            for (let u = 0; u < size; u++)
              for (let v = 0; v < size; v++) {
                sum +=
                  at(kernel, o, i, u, v) *
                  at(x, b, depthwise ? o : i, y * stride + u - before, z * stride + v - before);
              }
          sums.push(sum);
        }
  return Float32Array.from(sums);
}

const CONVOLUTIONS: {
  why: string;
  options: Conv2dOptions;
  kernel: readonly [number, number, number, number];
  side: number;
}[] = [
  { why: "3x3", options: {}, kernel: [4, 3, 3, 3], side: 5 },
  { why: "1x1", options: {}, kernel: [4, 3, 1, 1], side: 5 },
  { why: "stride 2 on an even side", options: { stride: 2 }, kernel: [4, 3, 3, 3], side: 6 },
  { why: "stride 2 on an odd side", options: { stride: 2 }, kernel: [4, 3, 3, 3], side: 7 },
  {
    why: "stride 2 padded right and bottom on an even side",
    options: { stride: 2, padding: "right-bottom" },
    kernel: [4, 3, 3, 3],
    side: 6,
  },
  {
    why: "stride 2 padded right and bottom on an odd side",
    options: { stride: 2, padding: "right-bottom" },
    kernel: [4, 3, 3, 3],
    side: 7,
  },
  { why: "depthwise", options: { depthwise: true }, kernel: [3, 1, 3, 3], side: 5 },
  {
    why: "depthwise of stride 2 padded right and bottom",
    options: { depthwise: true, stride: 2, padding: "right-bottom" },
    kernel: [3, 1, 3, 3],
    side: 6,
  },
];

const channelsFirst = (x: tf.Tensor): Float32Array => tf.transpose(x, [0, 3, 1, 2]).dataSync<"float32">();
const channelsLast = ({ shape, values }: Planes): tf.Tensor4D =>
  tf.transpose(tf.tensor4d(values, [...shape]), [0, 2, 3, 1]);

/** Ops over weights given in file layout. */
function opsWith(weights: Record<string, { shape: readonly number[]; values: Float32Array; role: WeightRole }>): {
  ops: TfjsOps;
  tensors: Map<string, tf.Tensor>;
} {
  const tensors = new Map(
    Object.entries(weights).map(([name, { role, ...weight }]) => {
      const { shape, values } = toTfjsLayout(weight, role);
      return [name, tf.tensor(values, [...shape])] as const;
    }),
  );
  return { ops: new TfjsOps(tf, (name) => tensors.get(name)), tensors };
}

describe("convolution by its definition", () => {
  test.each(CONVOLUTIONS)("$why", ({ options, kernel, side }) => {
    const x = noise([2, 3, side, side]) as Planes;
    const weight = noise(kernel) as Planes;
    const bias = noise([kernel[0]]);
    const { ops } = opsWith({
      "k.weight": { ...weight, role: { kind: options.depthwise === true ? "depthwise" : "kernel" } },
      "k.bias": { ...bias, role: { kind: "bias" } },
    });
    const y = channelsFirst(ops.conv2d(channelsLast(x), "k", options));
    expect(distance(y, slowConv(x, weight, bias.values, options))).toBeLessThan(1e-5);
  });
});

test("bilinear resize: half-pixel centers, edges clamped", () => {
  // 2 -> 4: centers at -0.25, 0.25, 0.75, 1.25 of the source
  expect([...bilinearMatrix(2, 4)]).toEqual([1, 0, 0.75, 0.25, 0.25, 0.75, 0, 1]);
  const x = tf.randomNormal([2, 7, 7, 3], 0, 1, "float32", 5);
  const { ops } = opsWith({});
  const own = tf.image.resizeBilinear(x as tf.Tensor4D, [28, 28], false, true).dataSync();
  expect(distance(ops.resizeBilinear(x, 28).dataSync(), own)).toBeLessThan(1e-6);
});

test("flatten and dense see a tensor channel-first, whatever lies in memory", () => {
  const x = noise([2, 3, 4, 5]) as Planes;
  const rows = noise([6, 60]);
  const bias = noise([6]);
  const { ops } = opsWith({
    "d.weight": { ...rows, role: { kind: "rows", input: [3, 4, 5] } },
    "d.bias": { ...bias, role: { kind: "bias" } },
  });
  expect(distance(ops.flatten(channelsLast(x)).dataSync(), x.values)).toBe(0);
  const expected = Array.from({ length: 12 }, (_, k) =>
    x.values
      .subarray(Math.floor(k / 6) * 60, Math.floor(k / 6) * 60 + 60)
      .reduce((sum, value, i) => sum + value * rows.values[(k % 6) * 60 + i]!, bias.values[k % 6]!),
  );
  expect(distance(ops.dense(channelsLast(x), "d").dataSync(), expected)).toBeLessThan(1e-5);
});

test("pixels are normalized in the card's channel order", () => {
  const { ops } = opsWith({});
  const pixels = tf.tensor4d([10, 20, 30], [1, 1, 1, 3], "int32");
  const y = ops.normalize(pixels, { channelOrder: "BGR", mean: [1, 2, 3], std: [1, 2, 4] });
  expect([...y.dataSync()]).toEqual([29, 9, 1.75]);
});

test("a weight that is missing is named", () => {
  expect(() => opsWith({}).ops.conv2d(tf.zeros([1, 4, 4, 1]), "nowhere")).toThrow(/nowhere\.weight/);
});

/** What is differentiated: from x [2, 6, 6, 3] and weights to any tensor. */
const kernelRole: WeightRole = { kind: "kernel" };
const GRADIENTS: {
  why: string;
  build: (ops: TfjsOps, x: tf.Tensor) => tf.Tensor;
  weights?: Parameters<typeof opsWith>[0];
}[] = [
  ...CONVOLUTIONS.filter(({ side }) => side % 2 === 0 || side === 5).map(({ why, options, kernel }) => ({
    why: `convolution, ${why}`,
    build: (ops: TfjsOps, x: tf.Tensor) => ops.conv2d(x, "k", options),
    weights: {
      "k.weight": {
        ...noise(kernel),
        role: options.depthwise === true ? ({ kind: "depthwise" } as const) : kernelRole,
      },
      "k.bias": { ...noise([kernel[0]]), role: { kind: "bias" } as const },
    },
  })),
  { why: "bilinear resize", build: (ops, x) => ops.resizeBilinear(x, 9) },
  { why: "max pooling", build: (ops, x) => ops.maxPool(x, 2) },
  {
    why: "dense layer",
    build: (ops, x) => ops.dense(x, "d"),
    weights: {
      "d.weight": { ...noise([4, 108]), role: { kind: "rows", input: [3, 6, 6] } },
      "d.bias": { ...noise([4]), role: { kind: "bias" } },
    },
  },
  {
    why: "map of a peephole",
    build: (ops, x) => ops.multiplyMap(x, "m"),
    weights: { "m.weight": { ...noise([3, 6, 6]), role: { kind: "map" } } },
  },
  {
    why: "split, channel and concat",
    build: (ops, x) => ops.concatChannels([ops.channel(x, 2), ...ops.splitChannels(x, 3)]),
  },
  { why: "flatten and pad", build: (ops, x) => ops.padEnd(ops.flatten(x), 1) },
  { why: "gates", build: (ops, x) => ops.add(ops.multiply(ops.sigmoid(x), ops.tanh(x)), ops.affine(x, 2, -1)) },
  { why: "relu and relu6", build: (ops, x) => ops.add(ops.relu(x), ops.relu6(ops.affine(x, 5, 0))) },
];

describe("gradients agree with differences", () => {
  test.each(GRADIENTS)("$why", ({ build, weights = {} }) => {
    const { ops, tensors } = opsWith(weights);
    const x = tf.tensor(noise([2, 6, 6, 3]).values, [2, 6, 6, 3]);
    const weighting = noise([tf.tidy(() => build(ops, x).size)]).values;
    const loss = (input: tf.Tensor): tf.Scalar =>
      tf.sum(tf.mul(tf.reshape(build(ops, input), [weighting.length]), weighting));
    expectGradient(x, (input) => loss(input));
    for (const name of tensors.keys()) {
      const weight = tensors.get(name)!;
      expectGradient(weight, (value) => {
        tensors.set(name, value);
        try {
          return loss(x);
        } finally {
          tensors.set(name, weight);
        }
      });
    }
  });
});

test("the gradient reaches every weight of a network", () => {
  const network = describeNetwork({ name: "tiny", widths: [4, 3], features: 5, rank: 16, peepholes: true });
  expect(weightsOutOfReach(tf, network, randomWeights(network, "gradient"))).toEqual([]);
});

/** Compares along three random directions; float32 and a step of 1e-2 leave about three digits. */
function expectGradient(at: tf.Tensor, loss: (value: tf.Tensor) => tf.Scalar): void {
  const gradient = tf.grad(loss)(at);
  for (let direction = 0; direction < 3; direction++) {
    const move = tf.tensor(noise([at.size]).values, at.shape);
    const step = 1e-2 / Math.sqrt(at.size);
    const rise = (sign: number): number => loss(tf.add(at, tf.mul(move, sign * step))).dataSync()[0]!;
    const difference = (rise(1) - rise(-1)) / (2 * step);
    const slope = tf.sum(tf.mul(gradient, move)).dataSync()[0]!;
    const size = tf.norm(gradient).dataSync()[0]!;
    expect(Math.abs(slope - difference) / Math.max(size, 1)).toBeLessThan(2e-2);
  }
}
