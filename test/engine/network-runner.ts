/**
 * Runs one network on either engine and hands out every tensor in one layout, [B, C, H, W] flattened, so that they can
 * be compared.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type * as tfjs from "@tensorflow/tfjs";
import type { DecoderState, PolygonRnn } from "../../src/network/polygon-rnn.js";
import type { Normalization } from "../../src/network/tensor-ops.js";
import { createRandom } from "../../src/random.js";
import type { StepInput } from "../../src/engine/engine.js";
import { buildEncoderModel, buildStepModel } from "../../src/engine/onnx/models.js";
import type { WeightTensor } from "../../src/model/safetensors.js";
import { toTfjsLayout, weightRoles } from "../../src/engine/tfjs/layout.js";
import { TfjsOps } from "../../src/engine/tfjs/ops.js";
import type { Tfjs } from "../../src/engine/tfjs/ops.js";

export type Weights = ReadonlyMap<string, WeightTensor>;
/** h1, c1, h2, c2. */
export type FlatState = readonly [Float32Array, Float32Array, Float32Array, Float32Array];

export interface NetworkRunner {
  /** features, edge, vertex, hoisted, and mask where the network has one. */
  encode(pixels: Uint8Array, count: number): Promise<ReadonlyMap<string, Float32Array>>;
  step(
    hoisted: Float32Array,
    vertices: StepInput,
    state: FlatState,
  ): Promise<{ logits: Float32Array; state: FlatState }>;
  close(): Promise<void>;
}

export const NORMALIZATION: Normalization = {
  channelOrder: "RGB",
  mean: [127.5, 127.5, 127.5],
  std: [127.5, 127.5, 127.5],
};

/** @param parts which models to build: a step of vgg16 can be looked at without its backbones */
export async function onnxRunner(
  network: PolygonRnn,
  weights: Weights,
  parts: "both" | "step" = "both",
  normalization = NORMALIZATION,
): Promise<NetworkRunner> {
  const encoder =
    parts === "both"
      ? await InferenceSession.create(buildEncoderModel({ network, weights, normalization }, "all"))
      : undefined;
  const stepper = await InferenceSession.create(buildStepModel({ network, weights }));
  return {
    async encode(pixels, count) {
      const outputs = await encoder!.run({ pixels: new Tensor("uint8", pixels, [count, 224, 224, 3]) });
      return new Map(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data as Float32Array]));
    },
    async step(hoisted, vertices, state) {
      const count = vertices.first.length;
      const plane = (values: Float32Array): Tensor =>
        new Tensor("float32", values, [count, values.length / count / 784, 28, 28]);
      const index = (values: Int32Array): Tensor => new Tensor("int32", values, [count]);
      const [h1, c1, h2, c2] = state;
      const next = await stepper.run({
        hoisted: plane(hoisted),
        h1: plane(h1),
        c1: plane(c1),
        h2: plane(h2),
        c2: plane(c2),
        first: index(vertices.first),
        previous: index(vertices.previous),
        before_previous: index(vertices.beforePrevious),
      });
      const floats = (name: string): Float32Array => next[name]!.data as Float32Array;
      return {
        logits: floats("logits"),
        state: [floats("next_h1"), floats("next_c1"), floats("next_h2"), floats("next_c2")],
      };
    },
    async close() {
      await encoder?.release();
      await stepper.release();
    },
  };
}

export function tfjsRunner(tf: Tfjs, network: PolygonRnn, weights: Weights): NetworkRunner {
  const roles = weightRoles(network);
  const tensors = new Map(
    [...weights].map(([name, weight]) => {
      const { shape, values } = toTfjsLayout(weight, roles.get(name)!);
      return [name, tf.tensor(values, [...shape])] as const;
    }),
  );
  const ops = new TfjsOps(tf, (name) => tensors.get(name));
  // Never the result of a tidy: that looks for tensors at every index of an array of numbers.
  const channelsFirst = (x: tfjs.Tensor): Float32Array => {
    const turned = tf.transpose(x, [0, 3, 1, 2]);
    const values = turned.dataSync<"float32">().slice();
    turned.dispose();
    return values;
  };
  return {
    encode(pixels, count) {
      return Promise.resolve(
        tf.tidy<tfjs.TensorContainerObject>(() => {
          const encoded = network.encode(ops, tf.tensor4d(pixels, [count, 224, 224, 3], "int32"), NORMALIZATION);
          return Object.fromEntries(Object.entries(encoded).map(([name, x]) => [name, x as tfjs.Tensor]));
        }),
      ).then((encoded) => {
        const entries = Object.entries(encoded as Record<string, tfjs.Tensor>).map(
          ([name, x]) => [name, channelsFirst(x)] as const,
        );
        tf.dispose(encoded);
        return new Map(entries);
      });
    },
    step(hoisted, { first, previous, beforePrevious }, state) {
      const count = first.length;
      const plane = (values: Float32Array): tfjs.Tensor =>
        tf.transpose(tf.tensor4d(values, [count, values.length / count / 784, 28, 28]), [0, 2, 3, 1]);
      let taken: Awaited<ReturnType<NetworkRunner["step"]>> | undefined;
      tf.tidy(() => {
        const [h1, c1, h2, c2] = state.map(plane) as [tfjs.Tensor, tfjs.Tensor, tfjs.Tensor, tfjs.Tensor];
        const before: DecoderState<tfjs.Tensor> = [
          { h: h1, c: c1 },
          { h: h2, c: c2 },
        ];
        const index = (values: Int32Array): tfjs.Tensor => tf.tensor1d(values, "int32");
        const vertices = { first: index(first), previous: index(previous), beforePrevious: index(beforePrevious) };
        const next = network.step(ops, plane(hoisted), vertices, before);
        const flat = next.state.flatMap(({ h, c }) => [channelsFirst(h), channelsFirst(c)]) as unknown as FlatState;
        taken = { logits: next.logits.dataSync<"float32">().slice(), state: flat };
      });
      return Promise.resolve(taken!);
    },
    close() {
      tf.dispose([...tensors.values()]);
      ops.dispose();
      return Promise.resolve();
    },
  };
}

/** Weights that keep activations near 1, small biases; the same for the same seed. */
export function randomWeights(network: PolygonRnn, seed: string): Weights {
  const random = createRandom(seed);
  return new Map(
    [...network.weightShapes].map(([name, shape]) => {
      const inputs = shape.length === 1 ? 100 : shape.slice(1).reduce((product, length) => product * length, 1);
      const reach = name.includes("peephole") ? 0.5 : 2.4 / Math.sqrt(inputs); // a uniform number in -1..1 has a deviation of 0.58
      const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
      for (let i = 0; i < values.length; i++) values[i] = (2 * random.next() - 1) * reach;
      return [name, { shape, values }];
    }),
  );
}

/**
 * The crop of fixtures/reference/mobile.py: a bright ellipse on a slanted gradient with a checked texture, whole-number
 * arithmetic.
 * @returns [224, 224, 3] uint8
 */
export function syntheticCrop(seed: number): Uint8Array {
  const pixels = new Uint8Array(224 * 224 * 3);
  let at = 0;
  for (let y = 0; y < 224; y++) {
    for (let x = 0; x < 224; x++) {
      const dx = x - 112 - 4 * seed;
      const dy = y - 112 + 3 * seed;
      const inside = dx * dx * (2 + seed) + dy * dy * 3 < 17000 + 1000 * seed;
      const texture = ((Math.floor(x / 7) + Math.floor(y / 5)) % 2) * 24;
      for (let c = 0; c < 3; c++) {
        pixels[at++] = inside ? 200 - 30 * c + texture : Math.floor((x * (2 + c) + y * (3 + seed) + 40 * c) / 8) % 160;
      }
    }
  }
  return pixels;
}

/** @returns [count, 224, 224, 3], the synthetic crops 0 to count - 1 */
export function syntheticCrops(count: number): Uint8Array {
  const pixels = new Uint8Array(count * 224 * 224 * 3);
  for (let seed = 0; seed < count; seed++) pixels.set(syntheticCrop(seed), seed * 224 * 224 * 3);
  return pixels;
}

/** Largest absolute difference. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference; // a NaN stays
  }
  return largest;
}

/** Largest absolute value, at least 1: what a tolerance is scaled by. */
export function scaleOf(values: Float32Array): number {
  return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
}
