/** WebGPU beside the CPU, operation by operation and whole. Skipped where it is not installed (../swiftshader.ts). */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeNetwork } from "../../src/network/build.js";
import { relativeTable } from "../../src/network/decoder.js";
import { decodeGreedy } from "../../src/predict/decode.js";
import { createRandom } from "../../src/random.js";
import type { WeightedNetwork } from "../../src/model/model.js";
import { loadModel } from "../../src/model/model.js";
import type { Engine } from "../../src/engine/engine.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import type { GraphValue } from "../../src/engine/onnx/graph-ops.js";
import { OnnxGraphOps } from "../../src/engine/onnx/graph-ops.js";
import { encodeOnnxModel } from "../../src/engine/onnx/proto.js";
import { SLOW_MS, useSwiftShader, whyNoWebGpu } from "../swiftshader.js";

/** Shaders of one network after the other take long to compile on a processor: KERNELS=full. */
const IS_FULL = process.env["KERNELS"] === "full";

const random = createRandom("webgpu");
const noise = (shape: readonly number[], scale = 1): { shape: readonly number[]; values: Float32Array } => ({
  shape,
  values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal() * scale),
});

const weights: WeightedNetwork["weights"] = new Map([
  ["plain.weight", noise([8, 8, 3, 3])],
  ["plain.bias", noise([8])],
  ["thirds.weight", noise([8, 9, 3, 3])],
  ["thirds.bias", noise([8])],
  ["gates.weight", noise([24, 33, 3, 3])],
  ["point.weight", noise([4, 8, 1, 1])],
  ["point.bias", noise([4])],
  ["deep.weight", noise([8, 1, 3, 3])],
  ["deep.bias", noise([8])],
  ["rows.weight", noise([7, 8 * 28 * 28], 0.1)],
  ["rows.bias", noise([7])],
  ["map.weight", noise([8, 28, 28])],
]);

interface Case {
  name: string;
  channels?: number;
  build: (ops: OnnxGraphOps, x: GraphValue) => GraphValue;
}
const CASES: readonly Case[] = [
  { name: "3x3 convolution", build: (ops, x) => ops.conv2d(x, "plain") },
  { name: "3x3 convolution of stride 2", build: (ops, x) => ops.conv2d(x, "plain", { stride: 2 }) },
  {
    name: "3x3 convolution of stride 2 padded right and bottom",
    build: (ops, x) => ops.conv2d(x, "plain", { stride: 2, padding: "right-bottom" }),
  },
  {
    name: "3x3 convolution of 9 channels (divides by 3, not by 4)",
    channels: 9,
    build: (ops, x) => ops.conv2d(x, "thirds"),
  },
  { name: "3x3 convolution of 33 channels without bias", channels: 33, build: (ops, x) => ops.conv2d(x, "gates") },
  { name: "1x1 convolution", build: (ops, x) => ops.conv2d(x, "point") },
  { name: "depthwise convolution", build: (ops, x) => ops.conv2d(x, "deep", { depthwise: true }) },
  { name: "max pooling", build: (ops, x) => ops.maxPool(x, 2) },
  { name: "bilinear resize", build: (ops, x) => ops.resizeBilinear(ops.maxPool(x, 2), 28) },
  { name: "concat and split", build: (ops, x) => ops.concatChannels(ops.splitChannels(x, 4).reverse()) },
  { name: "one channel", build: (ops, x) => ops.channel(x, 5) },
  { name: "dense layer", build: (ops, x) => ops.dense(x, "rows") },
  { name: "flatten and pad", build: (ops, x) => ops.padEnd(ops.flatten(x), 1) },
  { name: "peephole map", build: (ops, x) => ops.multiplyMap(x, "map") },
  { name: "add, multiply, affine", build: (ops, x) => ops.add(ops.multiply(x, x), ops.affine(x, 2, -1)) },
  { name: "relu", build: (ops, x) => ops.relu(x) },
  { name: "relu6", build: (ops, x) => ops.relu6(x) },
  { name: "sigmoid and tanh", build: (ops, x) => ops.add(ops.sigmoid(x), ops.tanh(x)) },
];

describe.skipIf(whyNoWebGpu !== undefined)("WebGPU computes what the CPU computes", () => {
  // Compiled shaders live as long as any session: without this one every test would compile them again, for seconds.
  let held: InferenceSession;
  beforeAll(async () => {
    useSwiftShader();
    const ops = new OnnxGraphOps("held", weights);
    ops.output(ops.relu(ops.input("x", "float", [1, 2, 2])), "y");
    held = await InferenceSession.create(encodeOnnxModel(ops.build()), { executionProviders: ["webgpu", "cpu"] });
  });
  afterAll(() => held.release());

  test.each(CASES)("$name", async ({ channels = 8, build }) => {
    const ops = new OnnxGraphOps("one_operation", weights, { padConvInputs: true });
    ops.output(build(ops, ops.input("x", "float", [channels, 28, 28])), "y");
    await expectSameOnBoth(encodeOnnxModel(ops.build()), {
      x: new Tensor("float32", noise([2, channels, 28, 28]).values, [2, channels, 28, 28]),
    });
  });

  test("vertex lookup", async () => {
    const ops = new OnnxGraphOps("lookup", weights);
    ops.output(ops.lookup(ops.input("x", "int32", []), relativeTable()), "y");
    await expectSameOnBoth(encodeOnnxModel(ops.build()), { x: new Tensor("int32", Int32Array.of(3, 784, 500), [3]) });
  });

  test.each(["RGB", "BGR"] as const)("normalized %s pixels", async (channelOrder) => {
    const ops = new OnnxGraphOps("normalize", weights);
    ops.output(
      ops.normalize(ops.input("x", "uint8", [224, 224, 3]), {
        channelOrder,
        mean: [127.5, 120, 100],
        std: [127.5, 100, 90],
      }),
      "y",
    );
    await expectSameOnBoth(encodeOnnxModel(ops.build()), { x: new Tensor("uint8", pixels(1), [1, 224, 224, 3]) });
  });

  const network = describeNetwork({ name: "tiny", widths: [5, 3], features: 6, rank: 6, peepholes: true });
  const odd: WeightedNetwork = {
    network,
    weights: new Map([...network.weightShapes].map(([name, shape]) => [name, noise(shape, 0.4)] as const)),
    normalization: { channelOrder: "RGB", mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5] },
  };
  describe("a network of widths that do not divide by four", () => {
    let cpu: Engine;
    /** Three steps in a call, and three crops in two pieces. */
    let several: Engine;
    /** A step in a call, a crop in a piece. */
    let single: Engine;
    beforeAll(async () => {
      cpu = await openOnnxEngine(odd, { device: "cpu", stepsAtOnce: 3 });
      several = await openOnnxEngine(odd, { device: "webgpu", stepsAtOnce: 3, encodedAtOnce: 2 });
      single = await openOnnxEngine(odd, { device: "webgpu", stepsAtOnce: 1, encodedAtOnce: 1 });
    }, SLOW_MS);
    afterAll(async () => {
      for (const engine of [cpu, several, single]) await engine.dispose();
    });

    test(
      "crops encoded in pieces, joined where they are; several steps in one call; rows taken out of a batch",
      async () => {
        const crops = pixels(3);
        const at = (...cells: number[]): Int32Array => Int32Array.from(cells);
        const vertices = { first: at(3, 400, 5), previous: at(3, 400, 5), beforePrevious: at(784, 784, 784) };
        const results: Float32Array[][] = [];
        for (const engine of [cpu, several]) {
          const encoded = await engine.encode(crops, 3);
          const { firstVertexLogits } = encoded;
          const three = await encoded.steps!(vertices);
          const some = encoded.select([2, 0]);
          encoded.dispose(); // the rows are still being taken
          const one = await some.step({ first: at(5, 3), previous: at(6, 4), beforePrevious: at(5, 3) });
          const more = await some.steps!({ first: at(5, 3), previous: at(7, 5), beforePrevious: at(6, 4) });
          some.dispose();
          results.push([
            firstVertexLogits,
            one,
            ...[...three, ...more].flatMap(({ chosen, logits }) => [Float32Array.from(chosen), logits]),
          ]);
        }
        const [onCpu, onGpu] = results as [Float32Array[], Float32Array[]];
        expect(onGpu).toHaveLength(onCpu.length);
        onCpu.forEach((values, i) => {
          expectNear(onGpu[i]!, values);
        });
        expect(new Set(onCpu[0]).size).toBeGreaterThan(1000);
      },
      SLOW_MS,
    );

    test(
      "each crop by itself, joined where it is",
      async () => {
        const crops = pixels(2);
        const at = (...cells: number[]): Int32Array => Int32Array.from(cells);
        const vertices = { first: at(400, 5), previous: at(400, 5), beforePrevious: at(784, 784) };
        const logits: Float32Array[] = [];
        for (const engine of [cpu, single]) {
          const encoded = await engine.encode(crops, 2);
          logits.push(Float32Array.of(...encoded.firstVertexLogits, ...(await encoded.step(vertices))));
          encoded.dispose();
        }
        expectNear(logits[1]!, logits[0]!);
      },
      SLOW_MS,
    );

    test(
      "predicts the same cells on both",
      async () => {
        await expectSameCells(cpu, [single, several]);
      },
      SLOW_MS,
    );
  });

  test.runIf(IS_FULL)(
    "tiny-random predicts the same cells on both",
    async () => {
      const model = await loadModel("tiny-random");
      const engines: Engine[] = [await openOnnxEngine(model, { device: "cpu" })];
      for (const stepsAtOnce of [1, 4]) engines.push(await openOnnxEngine(model, { device: "webgpu", stepsAtOnce }));
      await expectSameCells(engines[0]!, engines.slice(1));
      for (const engine of engines) await engine.dispose();
    },
    SLOW_MS,
  );
});

function expectNear(received: Float32Array, expected: Float32Array): void {
  expect(received).toHaveLength(expected.length);
  const worst = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - received[at]!)), 0);
  expect(worst).toBeLessThan(1e-3);
}

function pixels(count: number): Uint8Array {
  return Uint8Array.from({ length: count * 224 * 224 * 3 }, () => random.integer(256));
}

async function expectSameCells(cpu: Engine, others: readonly Engine[]): Promise<void> {
  const crops = pixels(1);
  const cells: (readonly number[])[][] = [];
  for (const engine of [cpu, ...others]) {
    expect(engine.device).toBe(engine === cpu ? "cpu" : "webgpu");
    const { sequences } = await decodeGreedy(engine, crops, 1, 3);
    cells.push(sequences.map((sequence) => sequence.cells));
  }
  expect(cells.slice(1)).toEqual(others.map(() => cells[0]));
}

/** Largest difference at most 1e-4 of the largest value: single precision, summed in another order. */
async function expectSameOnBoth(model: Uint8Array, feeds: Record<string, Tensor>): Promise<void> {
  const results: Float32Array[] = [];
  for (const executionProviders of [["cpu"], ["webgpu", "cpu"]]) {
    const session = await InferenceSession.create(model, { executionProviders, logSeverityLevel: 3 });
    results.push((await session.run(feeds))["y"]!.data as Float32Array);
    await session.release();
  }
  const [cpu, gpu] = results as [Float32Array, Float32Array];
  expect(gpu.length).toBe(cpu.length);
  let difference = 0;
  let largest = 0;
  cpu.forEach((value, at) => {
    difference = Math.max(difference, Math.abs(value - gpu[at]!));
    largest = Math.max(largest, Math.abs(value));
  });
  expect(largest).toBeGreaterThan(0);
  expect(difference / largest).toBeLessThan(1e-4);
}
