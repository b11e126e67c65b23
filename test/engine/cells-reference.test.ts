/** Each cell of the decoder computes what PyTorch computes (fixtures/reference/cells.py), on both engines. */
import { readFile } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs";
import { wasmTensorFlow } from "../helpers/tensorflow-wasm.js";
import { beforeAll, expect, test } from "vitest";
import { describeNetwork } from "../../src/network/build.js";
import type { ArchitectureOf } from "../../src/network/polygon-rnn.js";
import { onnxRunner, tfjsRunner } from "./network-runner.js";
import type { NetworkRunner, Weights } from "./network-runner.js";
import { zeroState } from "./parity-cases.js";
import { hashed } from "../helpers/hashed.js";

interface Variant {
  readonly options: Partial<ArchitectureOf<"tiny">>;
  readonly steps: readonly { readonly h2: readonly number[]; readonly logits: readonly number[] }[];
}

const VARIANTS = JSON.parse(
  await readFile(new URL("../../fixtures/goldens/cells.json", import.meta.url), "utf8"),
) as readonly Variant[];
const STRIDE = 97;
const SEEN = [
  [300, 784],
  [310, 300],
  [500, 310],
] as const;

beforeAll(async () => {
  await wasmTensorFlow();
});

function seedOf(name: string): number {
  return Array.from(name).reduce((sum, letter, at) => sum + (at + 1) * letter.charCodeAt(0), 0);
}

function hashedWeights(shapes: ReadonlyMap<string, readonly number[]>): Weights {
  return new Map(
    [...shapes]
      .filter(([name]) => name.startsWith("decoder."))
      .map(([name, shape]) => {
        const count = shape.reduce((product, side) => product * side, 1);
        const scale = name.includes("peephole") ? 0.5 : shape.length === 1 ? 0.1 : Math.sqrt(24 / (count / shape[0]!));
        return [name, { shape, values: hashed(count, seedOf(name), scale) }];
      }),
  );
}

test.each(VARIANTS)("$options", async ({ options, steps }) => {
  const network = describeNetwork({
    name: "tiny",
    widths: [5, 3],
    features: 7,
    rank: 4,
    peepholes: false,
    ...options,
  });
  const weights = hashedWeights(network.weightShapes);
  const runners: NetworkRunner[] = [await onnxRunner(network, weights, "step"), tfjsRunner(tf, network, weights)];
  const hoisted = hashed(network.hoistedChannels * 784, 1000, 1);
  for (const runner of runners) {
    let state = zeroState(network, 1);
    for (const [at, [previous, beforePrevious]] of SEEN.entries()) {
      const vertices = {
        first: Int32Array.of(300),
        previous: Int32Array.of(previous),
        beforePrevious: Int32Array.of(beforePrevious),
      };
      const next = await runner.step(hoisted, vertices, state);
      expectSamples(next.state[2], steps[at]!.h2);
      expectSamples(next.logits, steps[at]!.logits);
      state = next.state;
    }
    await runner.close();
  }
});

function expectSamples(values: Float32Array, samples: readonly number[]): void {
  expect(samples).toHaveLength(Math.ceil(values.length / STRIDE));
  samples.forEach((sample, at) => {
    expect(values[at * STRIDE]!, `value ${at * STRIDE}`).toBeCloseTo(sample, 4);
  });
}
