/** Own kernels: every operation over odd sizes beside its definition, then whole networks beside the CPU. Skipped without a Vulkan driver. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { describeNetwork } from "../../src/network/build.js";
import { CELL_NAMES, KERNEL_SIZES } from "../../src/network/cells.js";
import type { ArchitectureOptions, PolygonRnn } from "../../src/network/polygon-rnn.js";
import type { TensorOps } from "../../src/network/tensor-ops.js";
import { VGG16_BLOCKS, vgg16 } from "../../src/network/vgg16.js";
import type { WeightedNetwork } from "../../src/model/model.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import type { Precision } from "../../src/engine/engine.js";
import { describeAdapter } from "../../src/engine/webgpu/adapter.js";
import { Gpu } from "../../src/engine/webgpu/device.js";
import { encoderPlan, openWebGpuEngine, stepPlan } from "../../src/engine/webgpu/engine.js";
import { toFloat16 } from "../../src/engine/webgpu/float16.js";
import type { Plan } from "../../src/engine/webgpu/plan.js";
import { inFloat16, planKernels } from "../../src/engine/webgpu/plan.js";
import { Program } from "../../src/engine/webgpu/program.js";
import { RecordOps } from "../../src/engine/webgpu/record.js";
import { decodeGreedy } from "../../src/predict/decode.js";
import { SAFE_TILES, TILE_CANDIDATES } from "../../src/engine/webgpu/tiles.js";
import { shaderOf } from "../../src/engine/webgpu/wgsl.js";
import { tryCandidates } from "../../src/engine/webgpu/trial.js";
import { createRandom } from "../../src/random.js";
import { SLOW_MS, useSwiftShader, whyNoWebGpu } from "../swiftshader.js";
import { expectSameTensor } from "./parity-cases.js";
import { PlainOps } from "./plain-ops.js";
import { NORMALIZATION, randomWeights, syntheticCrops } from "./network-runner.js";

/** A processor that plays a graphics card is slow: large batches and the large network wait for KERNELS=full. */
const IS_FULL = process.env["KERNELS"] === "full";
const BATCHES = IS_FULL ? [1, 7, 64, 256] : [1, 7];
if (!IS_FULL)
  console.log(
    "skipped: own kernels at large batches, every cell and kernel, mobile and vgg16 (KERNELS=full runs them)",
  );

const random = createRandom("own kernels");
const noise = (...shape: number[]): { shape: readonly number[]; values: Float32Array } => ({
  shape,
  values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});

interface Case {
  readonly name: string;
  /** Of x, without the batch. */
  readonly shape: readonly [number, number, number];
  readonly weights?: readonly number[];
  readonly bias?: false;
  /** Side of a depthwise kernel before, "deep". */
  readonly deep?: number;
  readonly build: <T>(ops: TensorOps<T>, x: T) => T;
}

const CASES: readonly Case[] = [
  { name: "1x1, 3 to 5", shape: [3, 5, 5], weights: [5, 3, 1, 1], build: (ops, x) => ops.conv2d(x, "w") },
  { name: "3x3, 1 to 1", shape: [1, 7, 7], weights: [1, 1, 3, 3], build: (ops, x) => ops.conv2d(x, "w") },
  { name: "3x3 on one cell", shape: [6, 1, 1], weights: [7, 6, 3, 3], build: (ops, x) => ops.conv2d(x, "w") },
  {
    name: "3x3 of stride 2 on an odd side",
    shape: [5, 9, 9],
    weights: [9, 5, 3, 3],
    build: (ops, x) => ops.relu(ops.conv2d(x, "w", { stride: 2 })),
  },
  {
    name: "3x3 of stride 2, right-bottom",
    shape: [2, 14, 14],
    weights: [6, 2, 3, 3],
    build: (ops, x) => ops.relu6(ops.conv2d(x, "w", { stride: 2, padding: "right-bottom" })),
  },
  {
    name: "5x5, dilated, without bias",
    shape: [3, 13, 13],
    weights: [3, 3, 5, 5],
    bias: false,
    build: (ops, x) => ops.conv2d(x, "w", { dilation: 2 }),
  },
  {
    name: "depthwise, 7 channels",
    shape: [7, 11, 11],
    weights: [7, 1, 3, 3],
    build: (ops, x) => ops.relu6(ops.conv2d(x, "w", { depthwise: true })),
  },
  {
    name: "depthwise of stride 2",
    shape: [6, 10, 10],
    weights: [6, 1, 3, 3],
    build: (ops, x) => ops.conv2d(x, "w", { depthwise: true, stride: 2, padding: "right-bottom" }),
  },
  {
    name: "depthwise, ReLU6 and a 1x1 of its channels in one kernel",
    shape: [5, 7, 7],
    weights: [5, 5, 1, 1],
    deep: 3,
    build: (ops, x) => ops.relu6(ops.conv2d(ops.relu6(ops.conv2d(x, "deep", { depthwise: true })), "w")),
  },
  {
    name: "5x5 depthwise of stride 2 on an odd side, in a 1x1 with more outputs than a workgroup has room for",
    shape: [37, 9, 11],
    weights: [70, 37, 1, 1],
    deep: 5,
    build: (ops, x) => ops.conv2d(ops.conv2d(x, "deep", { depthwise: true, stride: 2 }), "w"),
  },
  {
    name: "depthwise, dilated, on more pixels than a workgroup has",
    shape: [2, 24, 25],
    weights: [3, 2, 1, 1],
    deep: 3,
    build: (ops, x) => ops.conv2d(ops.relu(ops.conv2d(x, "deep", { depthwise: true, dilation: 2 })), "w"),
  },
  { name: "dense, 3 to 11", shape: [3, 1, 1], weights: [11, 3], build: (ops, x) => ops.relu(ops.dense(x, "w")) },
  { name: "dense, 147 to 5", shape: [3, 7, 7], weights: [5, 147], build: (ops, x) => ops.dense(x, "w") },
  {
    name: "four parts of one convolution, sent through gates",
    shape: [3, 6, 6],
    weights: [20, 3, 3, 3],
    build(ops, x) {
      const [a, b, c, d] = ops.splitChannels(ops.conv2d(x, "w"), 4);
      return ops.add(ops.multiply(ops.sigmoid(a!), ops.tanh(b!)), ops.multiply(ops.sigmoid(c!), d!));
    },
  },
  {
    name: "a residual",
    shape: [5, 6, 6],
    weights: [5, 5, 1, 1],
    build: (ops, x) => ops.add(x, ops.conv2d(x, "w")),
  },
  {
    name: "ReLU6 between two layers",
    shape: [5, 5, 5],
    weights: [5, 5, 1, 1],
    build: (ops, x) => ops.conv2d(ops.relu6(ops.conv2d(x, "w")), "w"),
  },
  {
    name: "pooled, enlarged and joined",
    shape: [3, 8, 8],
    build: (ops, x) => ops.concatChannels([ops.resizeBilinear(ops.maxPool(x, 2), 8), ops.affine(x, 2, -1)]),
  },
  {
    name: "flattened and padded",
    shape: [3, 4, 5],
    build: (ops, x) => ops.padEnd(ops.flatten(ops.channel(x, 1)), 2),
  },
];

function weightsOf({ shape: [channels], weights, bias, deep }: Case): WeightedNetwork["weights"] {
  if (weights === undefined) return new Map();
  return new Map([
    ...(deep === undefined
      ? []
      : [["deep.weight", noise(channels, 1, deep, deep)] as const, ["deep.bias", noise(channels)] as const]),
    ["w.weight", noise(...weights)],
    ...(bias === false ? [] : [["w.bias", noise(weights[0]!)] as const]),
  ]);
}

function planOf({ shape, build }: Case, weights: WeightedNetwork["weights"]): Plan {
  const record = new RecordOps(weights);
  return planKernels({ y: build(record, record.input("x", "float", shape)) });
}

/** A half's value, finite. */
function fromHalf(half: number): number {
  const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return half >= 0x8000 ? -magnitude : magnitude;
}

/** In float16 the definition gets the same rounded weights and inputs; only what lies between kernels is rounded as well. */
async function expectSameCase(gpu: Gpu, each: Case, precision: Precision): Promise<void> {
  const { shape, build } = each;
  const isHalf = precision === "float16";
  const rounded = (values: Float32Array): Float32Array =>
    isHalf ? Float32Array.from(toFloat16(values), fromHalf) : values;
  const weights: WeightedNetwork["weights"] = new Map(
    [...weightsOf(each)].map(([name, { shape: of, values }]) => [name, { shape: of, values: rounded(values) }]),
  );
  const plan = planOf(each, weights);
  const program = await Program.compile(gpu, isHalf ? inFloat16(plan, new Set(["x"])) : plan, weights);
  const plain = new PlainOps(weights);
  for (const batch of BATCHES) {
    const values = rounded(noise(batch, ...shape).values);
    const halves = new Uint16Array(2 * Math.ceil(values.length / 2)); // whole words
    if (isHalf) halves.set(toFloat16(values));
    const x = gpu.upload(isHalf ? halves : Float32Array.from(values));
    const out = program.run(batch, { x }).get("y")!;
    const expected = Float32Array.from(build(plain, { shape: [batch, ...shape], values }).values);
    expectSameTensor(`batch ${batch}`, await gpu.read(out, 4 * expected.length), expected, isHalf ? 1e-3 : undefined);
  }
  program.dispose();
}

describe.skipIf(whyNoWebGpu !== undefined)("own kernels compute what the CPU computes", () => {
  let gpu: Gpu;
  beforeAll(async () => {
    useSwiftShader();
    const { float16 } = await describeAdapter();
    if (float16 === "absent") console.log("skipped: kernels in float16 beside the CPU (no shader-f16 in this driver)");
    gpu = await Gpu.open({ precision: float16 === "absent" ? "float32" : "float16" });
  });
  afterAll(() => {
    gpu.close();
  });

  test.each(CASES)("$name", async (each) => {
    await expectSameCase(gpu, each, "float32");
  });

  test.each(CASES)("in float16, where the driver offers it: $name", async (each) => {
    if (gpu.adapter.float16 !== "absent") await expectSameCase(gpu, each, "float16");
    const { kernels, ...plan } = inFloat16(planOf(each, weightsOf(each)), new Set(["x"]));
    const { code } = shaderOf(kernels[0]!, weightsOf(each), SAFE_TILES, plan.halves);
    expect(code).toMatch(/^enable f16;/);
    expect(code).toMatch(/B0: array<f16>/);
  });

  test("every candidate of tiles gives the CPU's numbers: a stride, a depthwise layer, a cell of its gates", async () => {
    const shape = [5, 9, 9] as const;
    const weights: WeightedNetwork["weights"] = new Map([
      ["w.weight", noise(13, 5, 3, 3)],
      ["w.bias", noise(13)],
      ["deep.weight", noise(13, 1, 3, 3)],
      ["gates.weight", noise(20, 13, 1, 1)],
      ["gates.bias", noise(20)],
    ]);
    const build = <T>(ops: TensorOps<T>, x: T): T => {
      const wide = ops.relu(ops.conv2d(x, "w", { stride: 2 }));
      const deep = ops.conv2d(wide, "deep", { depthwise: true });
      const [a, b, c, d] = ops.splitChannels(ops.conv2d(deep, "gates"), 4);
      return ops.add(ops.multiply(ops.sigmoid(a!), ops.tanh(b!)), ops.multiply(ops.sigmoid(c!), d!));
    };
    const record = new RecordOps(weights);
    const plan = planKernels({ y: build(record, record.input("x", "float", shape)) });
    const { values } = noise(3, ...shape);
    const expected = Float32Array.from(build(new PlainOps(weights), { shape: [3, ...shape], values }).values);
    const programs = await Promise.all(TILE_CANDIDATES.map((tiles) => Program.compile(gpu, plan, weights, tiles)));
    for (const [at, program] of programs.entries()) {
      const out = program.run(3, { x: gpu.upload(Float32Array.from(values)) }).get("y")!;
      expectSameTensor(JSON.stringify(TILE_CANDIDATES[at]), await gpu.read(out, 4 * expected.length), expected);
      program.dispose();
    }
  });

  test("a trial without time measures the safe tiles alone; with time, none of the candidates gives other numbers", async () => {
    const none = await tryCandidates(gpu, { budgetMs: 0, batch: 1, side: 4, roundMs: 0 });
    expect(none.tried.map(({ tiles }) => tiles)).toEqual([SAFE_TILES]);
    expect(none).toMatchObject({ tiles: SAFE_TILES, leftOut: TILE_CANDIDATES.slice(1) });
    if (!IS_FULL) return;
    const all = await tryCandidates(gpu, { budgetMs: 1e6, batch: 1, side: 4, roundMs: 0 });
    expect(all.tried.map(({ tiles }) => tiles)).toEqual(TILE_CANDIDATES);
    expect(TILE_CANDIDATES).toContain(all.tiles);
  });

  const small = { name: "tiny", widths: [5, 3], features: 6, rank: 6, peepholes: false } as const;
  const NETWORKS: readonly ArchitectureOptions[] = [
    { ...small, refine: true, peepholes: true },
    { ...small, cell: "convgru", kernel: 5 },
    { ...small, cell: "elman", dilation: 2 },
    { ...small, cell: "jordan" },
  ];
  test.each(NETWORKS)(
    "a whole network: %j",
    async (options) => {
      await expectSameEngine(gpu, describeNetwork(options), 2);
    },
    SLOW_MS,
  );

  test(
    "vgg16 with few channels: two backbones, pooling twice in a row, skips of four sizes, a dense head",
    async () => {
      const blocks = VGG16_BLOCKS.map(({ convolutions }, at) => ({ convolutions, channels: 2 + at }));
      await expectSameEngine(gpu, vgg16({ name: "vgg16", widths: [4, 3], peepholes: false, features: 5, blocks }), 1);
    },
    SLOW_MS,
  );

  const OTHER_NETWORKS: readonly ArchitectureOptions[] = [
    ...CELL_NAMES.flatMap((cell) => KERNEL_SIZES.map((kernel) => ({ ...small, cell, kernel }))),
    ...CELL_NAMES.map((cell) => ({ ...small, cell, dilation: 4 })),
    { ...small, kernel: 7, dilation: 3, peepholes: true },
    { ...small, widths: [1, 33] },
    { ...small, peepholes: true },
    { ...small, widths: [8, 8], features: 8, rank: 8, refine: true },
    { name: "mobile", widths: [24, 16], features: 96, skip: 32, rank: 128, peepholes: false, refine: true },
    { name: "vgg16", widths: [16, 16], peepholes: true },
  ];
  test.runIf(IS_FULL).each(OTHER_NETWORKS)(
    "every cell and kernel, and the large networks: %j",
    async (options) => {
      await expectSameEngine(gpu, describeNetwork(options), 1);
    },
    4 * SLOW_MS,
  );

  test("kernels of one text are compiled once per device, two at a time and one after the other", async () => {
    const layers = <T>(ops: TensorOps<T>, x: T): T => ops.relu(ops.conv2d(ops.relu(ops.conv2d(x, "w")), "w"));
    const weights: WeightedNetwork["weights"] = new Map([["w.weight", noise(5, 5, 3, 3)]]);
    const compiled = vi.spyOn(gpu.device, "createComputePipelineAsync");
    for (let time = 0; time < 2; time++) {
      const record = new RecordOps(weights);
      const plan = planKernels({ y: layers(record, record.input("x", "float", [5, 6, 6])) });
      expect(plan.kernels).toHaveLength(2);
      (await Program.compile(gpu, plan, weights)).dispose();
    }
    expect(compiled).toHaveBeenCalledTimes(1);
    compiled.mockRestore();
  });

  test("after the device is closed every call says so", async () => {
    const other = await Gpu.open();
    other.close();
    expect(() => other.buffer(16)).toThrow(/it was closed/);
  });

  test("a buffer beyond the adapter's limit is an error that names both", () => {
    expect(() => gpu.buffer(2 ** 40)).toThrow(/needs 1099511627776 bytes but the adapter binds \d+/);
  });
});

test("a whole layer and its cell are one kernel each", () => {
  const network = describeNetwork({
    name: "mobile",
    widths: [24, 16],
    features: 96,
    skip: 32,
    rank: 128,
    peepholes: false,
  });
  const model = { network, weights: randomWeights(network, "plan"), normalization: NORMALIZATION };
  const { kernels } = stepPlan(model);
  expect(kernels.map(({ parts, roots }) => `${parts}/${roots.length}`)).toEqual(["4/2", "4/2", "1/1", "1/1", "1/1"]);
});

test("every depthwise convolution of mobile is within the pointwise one after it, and its values never in memory", () => {
  const options = { name: "mobile", widths: [24, 16], features: 96, skip: 32, rank: 128, peepholes: false } as const;
  const network = describeNetwork(options);
  const model = { network, weights: randomWeights(network, "plan"), normalization: NORMALIZATION };
  const joined = encoderPlan(model);
  const apart = encoderPlan(model, { joinsDepthwise: false });
  const within = joined.kernels.flatMap(({ before }) => before ?? []);
  expect(within).toHaveLength(17);
  expect(joined.kernels).toHaveLength(apart.kernels.length - 17);
  expect(joined.kernels.some(({ heavy }) => heavy?.operation.kind === "conv" && heavy.operation.depthwise)).toBe(false);
  for (const { id } of within)
    expect([...joined.stored].some((node) => node.id === id || node.from[0]?.id === id)).toBe(false);
});

test("a depthwise convolution that somebody else reads as well is a kernel of its own", () => {
  const weights: WeightedNetwork["weights"] = new Map([
    ["deep.weight", noise(3, 1, 3, 3)],
    ["w.weight", noise(3, 3, 1, 1)],
  ]);
  const ops = new RecordOps(weights);
  const deep = ops.conv2d(ops.input("x", "float", [3, 5, 5]), "deep", { depthwise: true });
  const { kernels } = planKernels({ y: ops.add(deep, ops.conv2d(deep, "w")) });
  expect(kernels.map(({ before }) => before)).toEqual([undefined, undefined]);
});

/** Maps, logits of steps and of selected rows, and greedy cells. Kernels that networks share are compiled once. */
async function expectSameEngine(gpu: Gpu, network: PolygonRnn, count: number): Promise<void> {
  const model = { network, weights: randomWeights(network, "own"), normalization: NORMALIZATION };
  const cpu = await openOnnxEngine(model, { device: "cpu" });
  const own = await openWebGpuEngine(model, { gpu, stepsAtOnce: 2 });
  const crops = syntheticCrops(count);
  const [expected, actual] = [await cpu.encode(crops, count), await own.encode(crops, count)];
  expectSameTensor("vertex", actual.firstVertexLogits, expected.firstVertexLogits);
  for (const name of ["maskLogits", "fineMaskLogits"] as const) {
    expect(actual[name] === undefined).toBe(expected[name] === undefined);
    if (expected[name]) expectSameTensor(name, actual[name]!, expected[name]);
  }
  const cells = (...values: number[]): Int32Array => Int32Array.from({ length: count }, (_, at) => values[at]!);
  const input = { first: cells(400, 5), previous: cells(401, 783), beforePrevious: cells(784, 0) };
  for (let step = 0; step < 2; step++) {
    expectSameTensor(`step ${step}`, await actual.step(input), await expected.step(input));
  }
  const rows = [count - 1, 0];
  const [some, same] = [actual.select(rows), expected.select(rows)];
  const next = { first: Int32Array.of(5, 3), previous: Int32Array.of(6, 4), beforePrevious: Int32Array.of(5, 3) };
  expectSameTensor("selected rows", await some.step(next), await same.step(next));
  for (const each of [some, same, actual, expected]) each.dispose();
  const drawn = await Promise.all([cpu, own].map((engine) => decodeGreedy(engine, crops, count, 2)));
  const [onCpu, onOwn] = drawn.map(({ sequences }) => sequences.map((sequence) => sequence.cells));
  expect(onOwn).toEqual(onCpu);
  await cpu.dispose();
  await own.dispose();
}
