/** Crops seen flipped where they lie on the device, beside those whose pixels the host exchanged: the same bits. */
import { MessageChannel } from "node:worker_threads";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import { Gpu } from "../../src/engine/webgpu/device.js";
import type { KernelEngine, KernelModel } from "../../src/engine/webgpu/engine.js";
import { kernelModelOf, openKernels } from "../../src/engine/webgpu/engine.js";
import { planKernels } from "../../src/engine/webgpu/plan.js";
import { Program } from "../../src/engine/webgpu/program.js";
import { RecordOps } from "../../src/engine/webgpu/record.js";
import { SAFE_TILES } from "../../src/engine/webgpu/tiles.js";
import type { WeightedNetwork } from "../../src/model/model.js";
import { describeNetwork } from "../../src/network/build.js";
import type { TensorOps } from "../../src/network/tensor-ops.js";
import { decodeBest } from "../../src/predict/candidates.js";
import { engineOver, serveEngine } from "../../src/predict/engine-port.js";
import { flipCrops } from "../../src/predict/flip.js";
import { createRandom } from "../../src/random.js";
import { SLOW_MS, useSwiftShader, whyNoWebGpu } from "../swiftshader.js";
import { withDigests } from "../helpers/digests.js";
import { wholeFrames } from "../predict/fake-engine.js";
import { NORMALIZATION, randomWeights, syntheticCrops } from "./network-runner.js";
import { expectSameTensor } from "./parity-cases.js";
import type { PlainTensor } from "./plain-ops.js";
import { PlainOps } from "./plain-ops.js";

const CROP_BYTES = 224 * 224 * 3;
const COUNT = 3;
const random = createRandom("flip");
const network = describeNetwork({
  name: "tiny",
  widths: [3, 2],
  features: 4,
  rank: 4,
  peepholes: false,
  refine: true,
});
const model = { network, weights: randomWeights(network, "flip"), normalization: NORMALIZATION };

/** By its definition: row `view` of the pixels [B, H, W, 3], or for a negative view row ~view, flipped. */
function plainView({ shape, values }: PlainTensor, views: readonly number[]): PlainTensor {
  const [, height, width] = shape as [number, number, number];
  const seen = views.flatMap((view) =>
    Array.from({ length: height * width * 3 }, (_, at) => {
      const [y, x, c] = [Math.floor(at / (3 * width)), Math.floor(at / 3) % width, at % 3];
      const row = view < 0 ? -1 - view : view;
      return values[((row * height + y) * width + (view < 0 ? width - 1 - x : x)) * 3 + c]!;
    }),
  );
  return { shape: [views.length, height, width, 3], values: seen };
}

/** What a first layer may do with pixels; the last is a residual, which reads them outside a convolution. */
const LAYERS: readonly {
  readonly name: string;
  readonly channelOrder: "RGB" | "BGR";
  readonly build: <T>(ops: TensorOps<T>, x: T) => T;
}[] = [
  { name: "normalized alone", channelOrder: "RGB", build: (_, x) => x },
  { name: "a layer of stride 2", channelOrder: "BGR", build: (ops, x) => ops.relu(ops.conv2d(x, "w", { stride: 2 })) },
  { name: "a residual", channelOrder: "RGB", build: (ops, x) => ops.add(x, ops.conv2d(x, "w")) },
];

describe.skipIf(whyNoWebGpu !== undefined)("crops flipped on the device", () => {
  let gpu: Gpu;
  let kernels: KernelModel;
  let engine: KernelEngine;
  beforeAll(async () => {
    useSwiftShader();
    gpu = await Gpu.open();
    kernels = kernelModelOf(model);
    engine = await openKernels(kernels, { gpu, tiles: SAFE_TILES, encodedAtOnce: 4, stepsAtOnce: 2 });
  }, SLOW_MS);
  afterAll(() => {
    gpu.close();
  });

  test.each(LAYERS)(
    "the first kernel sees any rows of any pixels, as they lie and flipped, as defined: $name",
    async ({ channelOrder, build }) => {
      const [height, width] = [5, 7];
      const normalization = { channelOrder, mean: [127.5, 120, 100], std: [127.5, 100, 90] } as const;
      const noise = (...shape: number[]): { shape: number[]; values: Float32Array } => ({
        shape,
        values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
      });
      const weights: WeightedNetwork["weights"] = new Map([
        ["w.weight", noise(3, 3, 3, 3)],
        ["w.bias", noise(3)],
      ]);
      const ops = new RecordOps(weights);
      const seen = ops.view(ops.input("pixels", "pixels", [3, height, width]), ops.input("views", "view", [1, 1, 1]));
      const plan = planKernels({ y: build(ops, ops.normalize(seen, normalization)) });
      const program = await Program.compile(gpu, plan, weights);
      const plain = new PlainOps(weights);
      const cases = fc.integer({ min: 1, max: 4 }).chain((rows) =>
        fc.record({
          bytes: fc.uint8Array({ minLength: rows * height * width * 3, maxLength: rows * height * width * 3 }),
          views: fc.array(fc.integer({ min: -rows, max: rows - 1 }), { minLength: 1, maxLength: 6 }),
        }),
      );
      await fc.assert(
        fc.asyncProperty(cases, async ({ bytes, views }) => {
          const whole = new Uint8Array(4 * Math.ceil(bytes.length / 4)); // devices take words
          whole.set(bytes);
          const inputs = { pixels: gpu.upload(whole), views: gpu.upload(Int32Array.from(views)) };
          const out = program.run(views.length, inputs).get("y")!;
          const pixels = { shape: [bytes.length / (height * width * 3), height, width, 3], values: bytes };
          const normalized = plain.normalize(plainView(pixels, views), normalization);
          const expected = Float32Array.from(build(plain, normalized).values);
          expectSameTensor("y", await gpu.read(out, 4 * expected.length), expected);
          gpu.free([...Object.values(inputs), out]);
        }),
        { numRuns: 25 },
      );
      program.dispose();
    },
  );

  test("maps, steps and polygons are, bit for bit, those of pixels flipped on the host, in pieces as well", async () => {
    const pixels = syntheticCrops(COUNT);
    const encoded = await engine.encode(pixels, COUNT);
    const rows = [2, 0, 1, 1, 0]; // in two runs of the encoder
    const [onDevice, onHost] = [
      await encoded.flipped!(rows),
      await engine.encode(flipCrops(pixels, rows), rows.length),
    ];
    encoded.dispose();
    for (const name of ["firstVertexLogits", "maskLogits", "fineMaskLogits"] as const) {
      expect(withDigests(onDevice[name])).toEqual(withDigests(onHost[name]));
      expect(onDevice[name]!.subarray(0, 784)).not.toEqual(encoded[name]!.subarray(-784));
    }
    const firsts = [3, 157, 400, 27, 783];
    expect(await onDevice.decode!(firsts, 2)).toEqual(await onHost.decode!(firsts, 2));
    const at = Int32Array.of(27, 3);
    const input = { first: at, previous: at, beforePrevious: Int32Array.of(784, 784) };
    const steps: Float32Array[] = [];
    for (const batch of [onDevice, onHost]) {
      const some = batch.select([3, 0]);
      steps.push(await some.step(input));
      for (const each of [some, batch]) each.dispose();
    }
    expect(steps[0]).toEqual(steps[1]);
  });

  test("a flip uploads an index per row, and a batch its pixels once", async () => {
    const uploaded: number[] = [];
    const upload = vi.spyOn(gpu, "upload").mockImplementation(function (this: Gpu, values) {
      uploaded.push(values.byteLength);
      return Gpu.prototype.upload.call(this, values);
    });
    const encoded = await engine.encode(syntheticCrops(1), 1);
    const flipped = await encoded.flipped!([0]);
    upload.mockRestore();
    for (const batch of [encoded, flipped]) batch.dispose();
    expect(uploaded).toEqual([CROP_BYTES, 4]);
  });

  test("crops are counted for as long as a batch is held, and are given back whoever lets go first", async () => {
    const { used } = gpu.memory;
    const encoded = await engine.encode(syntheticCrops(1), 1);
    const held = gpu.memory.used - used;
    expect(held).toBe(CROP_BYTES + kernels.rowBytes.hoisted);
    expect(engine.memory.crops).toBe(CROP_BYTES);
    const flipping = encoded.flipped!([0]);
    encoded.dispose(); // the crop is still being seen
    const flipped = await flipping;
    expect(gpu.memory.used - used).toBe(kernels.rowBytes.hoisted);
    expect(engine.memory.crops).toBe(0);
    expect(flipped.flipped).toBeUndefined();
    await expect(encoded.flipped!([0])).rejects.toThrow("what a disposed batch had on the device is gone");
    flipped.dispose();
    expect(gpu.memory.used).toBe(used);
  });

  test("no more crops are kept than were allowed: batches beyond do without, until one is given back", async () => {
    const { used } = gpu.memory;
    const small = await openKernels(kernels, { gpu, tiles: SAFE_TILES, keptBytes: CROP_BYTES });
    const crop = syntheticCrops(1);
    const [first, second] = [await small.encode(crop, 1), await small.encode(crop, 1)];
    expect(second.flipped).toBeUndefined();
    first.dispose();
    const third = await small.encode(crop, 1);
    const flipped = await third.flipped!([0]);
    const expected = await small.encode(flipCrops(crop, [0]), 1);
    expect(flipped.firstVertexLogits).toEqual(expected.firstVertexLogits);
    for (const batch of [second, third, flipped, expected]) batch.dispose();
    await small.dispose();
    expect(gpu.memory.used).toBe(used);
  });

  test("who judges through a port gets the polygons that flipped pixels give, and sends no pixels twice", async () => {
    const pixels = syntheticCrops(2);
    const options = { maxSteps: 2, candidates: 2, sure: 1 }; // both are doubted
    const encoded: number[] = [];
    const best = async (flips: boolean): Promise<unknown> => {
      const served: Engine = {
        ...engine,
        async encode(crops, count) {
          encoded.push(count);
          const batch = await engine.encode(crops, count);
          return flips ? batch : Object.assign(batch, { flipped: undefined });
        },
      };
      const { port1, port2 } = new MessageChannel();
      const serving = serveEngine(served, port1);
      const asking = engineOver(port2, engine);
      const { sequences } = await decodeBest(asking, pixels, wholeFrames(2), options);
      await serving.stop();
      await asking.dispose();
      return sequences;
    };
    const expected = await best(false);
    expect(encoded).toEqual([2, 2]);
    const { used } = gpu.memory;
    expect(await best(true)).toEqual(expected);
    expect(encoded).toEqual([2, 2, 2]);
    // Steps that were submitted before the last polygon ended are read to their end.
    await vi.waitFor(() => {
      expect(gpu.memory.used).toBe(used);
    });
  });
});
