/** The paper's network against PyTorch (fixtures/reference/vgg16.py), and ImageNet weights brought into it. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { describeNetwork } from "../../src/network/build.js";
import type { ArchitectureOptions } from "../../src/network/polygon-rnn.js";
import type { Normalization } from "../../src/network/tensor-ops.js";
import { importVgg16, writeModelFolder } from "../../src/model/import-vgg16.js";
import { loadModel } from "../../src/model/model.js";
import type { WeightTensor } from "../../src/model/safetensors.js";
import { serializeSafetensors } from "../../src/model/safetensors.js";
import { onnxRunner } from "../engine/network-runner.js";
import { zeroState } from "../engine/parity-cases.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { hashed } from "../helpers/hashed.js";

const PAPER: ArchitectureOptions = { name: "vgg16", widths: [16, 16], peepholes: true };
const NORMALIZATION: Normalization = { channelOrder: "BGR", mean: [103.939, 116.779, 123.68], std: [60, 61, 62] };

let made: ReadonlyMap<string, WeightTensor> | undefined;

/** Made once: some forty million numbers. */
function hashedWeights(): ReadonlyMap<string, WeightTensor> {
  let seed = 0;
  return (made ??= new Map(
    [...describeNetwork(PAPER).weightShapes].map(([name, shape]) => {
      const count = shape.reduce((product, side) => product * side, 1);
      const scale = name.includes("peephole") ? 0.5 : shape.length === 1 ? 0.1 : Math.sqrt(24 / (count / shape[0]!));
      return [name, { shape, values: hashed(count, ++seed, scale) }];
    }),
  ));
}

interface Golden {
  range: number;
  stride: number;
  samples: number[];
}

test("the paper's network gives PyTorch's numbers: skips, unshared backbones, both branches, peepholes, three steps", async () => {
  const golden = JSON.parse(
    await readFile(new URL("../../fixtures/goldens/vgg16.json", import.meta.url), "utf8"),
  ) as Record<string, Golden>;
  const network = describeNetwork(PAPER);
  const pixels = Uint8Array.from(hashed(224 * 224 * 3, 1000, 1), (value) => Math.floor((value + 0.5) * 256));
  const runner = await onnxRunner(network, hashedWeights(), "both", NORMALIZATION);
  const encoded = await runner.encode(pixels, 1);
  for (const name of ["edge", "vertex", "features"]) expectSamples(name, encoded.get(name)!, golden[name]!);

  let state = zeroState(network, 1);
  const seen = [
    [300, 784],
    [310, 300],
    [500, 310],
  ] as const;
  for (const [step, [previous, beforePrevious]] of seen.entries()) {
    const vertices = {
      first: Int32Array.of(300),
      previous: Int32Array.of(previous),
      beforePrevious: Int32Array.of(beforePrevious),
    };
    const next = await runner.step(encoded.get("hoisted")!, vertices, state);
    expectSamples(`logits_${step + 1}`, next.logits, golden[`logits_${step + 1}`]!);
    ({ state } = next);
  }
  await runner.close();
});

/** Within 1e-4 of the tensor's range. */
function expectSamples(name: string, values: Float32Array, { range, stride, samples }: Golden): void {
  expect(samples.length).toBe(Math.ceil(values.length / stride));
  samples.forEach((sample, at) => {
    expect(Math.abs(values[at * stride]! - sample) / range, `${name}[${at * stride}]`).toBeLessThan(1e-4);
  });
}

describe("importing ImageNet weights", () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });

  const indices = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
  const ours = [...describeNetwork(PAPER).weightShapes.keys()]
    .filter((name) => /^encoder\.conv\d_\d\.weight$/.test(name))
    .map((name) => name.slice(8, -7));
  const source = hashedWeights();

  function torchvision(): Map<string, WeightTensor> {
    return new Map(
      ours.flatMap((name, at) =>
        (["weight", "bias"] as const).map(
          (part) => [`features.${indices[at]!}.${part}`, source.get(`encoder.${name}.${part}`)!] as const,
        ),
      ),
    );
  }

  function keras(): Map<string, WeightTensor> {
    return new Map(
      ours.flatMap((name) => {
        const [outputs, inputs, height, width] = source.get(`encoder.${name}.weight`)!.shape as [
          number,
          number,
          number,
          number,
        ];
        const oihw = source.get(`encoder.${name}.weight`)!.values;
        const hwio = new Float32Array(oihw.length);
        for (let o = 0; o < outputs; o++)
          for (let i = 0; i < inputs; i++)
            for (let y = 0; y < height; y++)
              for (let x = 0; x < width; x++) {
                hwio[((y * width + x) * inputs + i) * outputs + o] = oihw[((o * inputs + i) * height + y) * width + x]!;
              }
        const layer = name.replace(/conv(\d)_(\d)/, "block$1_conv$2");
        return [
          [`${layer}/${layer}/kernel:0`, { shape: [height, width, inputs, outputs], values: hwio }] as const,
          [`${layer}/${layer}/bias:0`, source.get(`encoder.${name}.bias`)!] as const,
        ];
      }),
    );
  }

  test.each([
    { naming: "torchvision", tensors: torchvision, channelOrder: "RGB" },
    { naming: "Keras", tensors: keras, channelOrder: "BGR" },
  ] as const)(
    "$naming weights land in both backbones, unchanged, and the card says how pixels come in",
    async ({ naming, tensors, channelOrder }) => {
      const file = join(folder, "imagenet.safetensors");
      await writeFile(file, serializeSafetensors(tensors(), { dtype: "F32" }));
      const result = await importVgg16(file, { name: "mine", peepholes: false, seed: 1 });
      expect(result.naming).toBe(naming);
      await mkdir(join(folder, "mine"));
      await writeModelFolder(join(folder, "mine"), result);
      await expect(writeModelFolder(join(folder, "mine"), result)).rejects.toMatchObject({
        exitCode: 73,
        message: expect.stringContaining("expected an empty folder") as string,
      });
      const model = await loadModel(join(folder, "mine"));
      expect(model.card.normalization.channelOrder).toBe(channelOrder);
      for (const backbone of ["encoder", "first"])
        for (const name of ours)
          for (const part of ["weight", "bias"]) {
            expect(
              Buffer.compare(
                bytesOf(model.weights.get(`${backbone}.${name}.${part}`)!),
                bytesOf(source.get(`encoder.${name}.${part}`)!),
              ),
            ).toBe(0);
          }
      expect(model.weights.get("decoder.head.weight")!.values.some((value) => value !== 0)).toBe(true);
    },
  );

  test("a file without VGG-16, or with one convolution missing, is refused by name", async () => {
    const file = join(folder, "other.safetensors");
    await writeFile(
      file,
      serializeSafetensors(new Map([["layer1.weight", { shape: [1], values: Float32Array.of(1) }]]), { dtype: "F32" }),
    );
    const options = { name: "mine", peepholes: false, seed: 1 };
    await expect(importVgg16(file, options)).rejects.toMatchObject({
      exitCode: 65,
      message: expect.stringContaining("layer1.weight") as string,
    });
    const most = torchvision();
    most.delete("features.28.bias");
    await writeFile(file, serializeSafetensors(most, { dtype: "F32" }));
    await expect(importVgg16(file, options)).rejects.toMatchObject({
      exitCode: 65,
      message: expect.stringContaining("conv5_3.bias") as string,
    });
  });
});

function bytesOf({ values }: WeightTensor): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
