/** DeepMask's and Dilation's heads of models/baselines on both engines: what PyTorch computes from the same weights. */
import * as tf from "@tensorflow/tfjs";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { openOnnxMasks } from "../../src/engine/onnx/masks.js";
import { buildEncoderModel } from "../../src/engine/onnx/models.js";
import { openTfjsMasks } from "../../src/engine/tfjs/masks.js";
import { headRoles, toTfjsLayout } from "../../src/engine/tfjs/layout.js";
import { TfjsOps } from "../../src/engine/tfjs/ops.js";
import type { MaskHeads, Model } from "../../src/model/model.js";
import { loadMaskHeads, loadModel } from "../../src/model/model.js";
import { whyAbsent } from "../../src/model/folder.js";
import type { WeightTensor } from "../../src/model/safetensors.js";
import { serializeSafetensors, readSafetensors, tensorValues } from "../../src/model/safetensors.js";
import type { MaskHeadsOptions } from "../../src/network/mask-heads.js";
import { deepMask, dilationContext, maskHeadShapes } from "../../src/network/mask-heads.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { distance, NORMALIZATION, randomWeights, syntheticCrops } from "./network-runner.js";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const VECTORS = at("../shared/weights/polyrnn_mobile_refined.reference.safetensors");
const isHere = existsSync(at("models/baselines/model.json"));
if (!isHere || !existsSync(VECTORS)) console.log("models/baselines or its reference vectors skipped: not here");
const CARD = JSON.parse(readFileSync(at("models/mobile/model.json"), "utf8")) as object;
/** Of the range of the whole tensor. */
const TOLERANCE = 1e-3;

function rangeOf(values: Float32Array): number {
  return values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));
}

describe.skipIf(!isHere)("models/baselines", () => {
  let model: Model;
  let heads: MaskHeads;
  beforeAll(async () => {
    await tf.setBackend("cpu");
    model = await loadModel("mobile");
    heads = await loadMaskHeads("baselines", model);
  });

  test.skipIf(!existsSync(VECTORS))("both engines reproduce the vectors that came with the weights", async () => {
    const { tensors } = await readSafetensors(VECTORS);
    const first = (name: string): Float32Array => {
      const values = tensorValues(tensors.get(name)!, name);
      return values.subarray(0, values.length / tensors.get(name)!.shape[0]!);
    };
    const pixels = tensors.get("crops")!.bytes.slice(0, 224 * 224 * 3);
    const engine = await openOnnxMasks({ ...model, heads });
    const maps = await engine.masks(pixels, 1);
    await engine.dispose();
    // Plain JavaScript takes seconds for the encoder, whose parity has tests of its own: it gets onnxruntime's features.
    const ofTfjs = onTfjs(heads, await featuresOf(model, pixels), model.network.weightShapes.get("fuse.1.bias")![0]!);

    for (const [name, inFile] of [
      ["fine", "fine"],
      ["deepmask", "deepmask"],
      ["dilation", "context"],
    ] as const) {
      const expected = first(inFile);
      const limit = TOLERANCE * rangeOf(tensorValues(tensors.get(inFile)!, inFile));
      expect(distance(maps.get(name)!, expected), `onnxruntime, ${name}`).toBeLessThan(limit);
      if (name !== "fine") expect(distance(ofTfjs[name], expected), `TensorFlow.js, ${name}`).toBeLessThan(limit);
    }
  });

  test("heads of another model's features are refused, and both are named", async () => {
    await expect(loadMaskHeads("baselines", { ...model, hash: "f".repeat(64) })).rejects.toMatchObject({
      code: "E_UNAVAILABLE",
      message: expect.stringMatching(
        /\(hash ffffffffffff\) but received heads for "mobile" \(hash [0-9a-f]{12}\)/,
      ) as string,
    });
    await expect(loadMaskHeads("mobile", model)).rejects.toThrow(
      "expected a card of mask-heads but received one of mobile",
    );
  });

  test("they are no model to predict with", async () => {
    await expect(loadModel("baselines")).rejects.toMatchObject({
      message: expect.stringContaining("expected a network that predicts polygons but received mask-heads") as string,
      hint: expect.stringContaining("Name a model such as mobile") as string,
    });
  });
});

test("where the heads are not installed, the error says how to get them", () => {
  expect(whyAbsent("baselines")).toMatchObject({
    code: "E_UNAVAILABLE",
    message: expect.stringContaining('model "baselines": expected its folder with model.json') as string,
    hint: expect.stringMatching(/Copy models\/baselines .* or leave deepmask and dilation out of --compare/) as string,
  });
});

test("heads with a tensor of another shape, or without one, are refused by its name", async () => {
  const folder = temporaryFolder();
  const architecture = {
    name: "mask-heads" as const,
    ...{ features: 3, reduced: 1, rank: 2, context: 2, model: "mobile", modelHash: "0".repeat(64) },
  };
  const shapes = maskHeadShapes(architecture);
  const save = (change: (weights: Map<string, WeightTensor>) => void): void => {
    const weights = new Map(
      Array.from(shapes, ([name, shape]): [string, WeightTensor] => [
        name,
        { shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) },
      ]),
    );
    change(weights);
    const bytes = serializeSafetensors(weights, { dtype: "F32" });
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const files = { "model.safetensors": { sha256, bytes: bytes.byteLength } };
    writeFileSync(join(folder, "model.safetensors"), bytes);
    writeFileSync(join(folder, "model.json"), JSON.stringify({ ...CARD, architecture, files }));
  };
  const load = (): Promise<MaskHeads> => loadMaskHeads(folder, { hash: architecture.modelHash, folder: "mobile" });
  save(() => undefined);
  expect((await load()).weights.size).toBe(shapes.size);
  save((weights) => weights.set("context.3.weight", { shape: [2, 2, 1, 1], values: new Float32Array(4) }));
  await expect(load()).rejects.toThrow("tensor context.3.weight: expected shape [2,2,3,3] but received [2,2,1,1]");
  save((weights) => weights.delete("deepmask.global_2.bias"));
  await expect(load()).rejects.toThrow("a model without deepmask.global_2.bias");
});

test("both engines give the same maps of a small network with small heads", async () => {
  await tf.setBackend("cpu");
  const { network } = await loadModel("tiny-random");
  const features = network.weightShapes.get("fuse.0.bias")![0]!;
  const options: MaskHeadsOptions = {
    name: "mask-heads",
    ...{ features, reduced: 3, rank: 5, context: 4 },
    ...{ model: "tiny-random", modelHash: "0".repeat(64) },
  };
  const withHeads = {
    network,
    normalization: NORMALIZATION,
    weights: randomWeights(network, "masks"),
    heads: { options, weights: randomWeights({ ...network, weightShapes: maskHeadShapes(options) }, "heads") },
  };
  const [onnx, tfjs] = [await openOnnxMasks(withHeads), openTfjsMasks(tf, withHeads, "plain JavaScript")];
  const before = tf.memory().numTensors;
  const [a, b] = [await onnx.masks(syntheticCrops(2), 2), await tfjs.masks(syntheticCrops(2), 2)];
  expect(tf.memory().numTensors).toBe(before);
  await onnx.dispose();
  await tfjs.dispose();
  expect([...a.keys()].sort()).toEqual([...b.keys()].sort());
  expect([...a.keys()]).toEqual(expect.arrayContaining(["coarse", "deepmask", "dilation"]));
  expect(a.get("deepmask")!.length).toBe(2 * 56 * 56);
  for (const [name, map] of a) expect(distance(map, b.get(name)!), name).toBeLessThan(TOLERANCE * rangeOf(map));
});

/** [1, F, 28, 28] of onnxruntime, flattened. */
async function featuresOf(model: Model, pixels: Uint8Array): Promise<Float32Array> {
  const session = await InferenceSession.create(buildEncoderModel(model, "all"));
  const { features } = await session.run({ pixels: new Tensor("uint8", pixels, [1, 224, 224, 3]) });
  await session.release();
  return features!.data as Float32Array;
}

function onTfjs(
  { options, weights }: MaskHeads,
  features: Float32Array,
  channels: number,
): Record<"deepmask" | "dilation", Float32Array> {
  return tf.tidy(() => {
    const tensors = new Map(
      Array.from(headRoles(options), ([name, role]) => {
        const { shape, values } = toTfjsLayout(weights.get(name)!, role);
        return [name, tf.tensor(values, [...shape])] as const;
      }),
    );
    const ops = new TfjsOps(tf, (name) => tensors.get(name), false);
    const x = tf.transpose(tf.tensor(features, [1, channels, 28, 28]), [0, 2, 3, 1]);
    return {
      deepmask: deepMask(ops, x).dataSync<"float32">(),
      dilation: dilationContext(ops, x).dataSync<"float32">(),
    };
  });
}
