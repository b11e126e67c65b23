/**
 * One batch whose losses, gradients and optimizer steps PyTorch has computed (fixtures/reference/training.py), and the
 * comparison.
 */
import { fileURLToPath } from "node:url";
import { describeNetwork } from "../../src/network/build.js";
import type { ArchitectureOptions } from "../../src/network/polygon-rnn.js";
import type { WeightTensor } from "../../src/model/safetensors.js";
import { readSafetensors, tensorValues } from "../../src/model/safetensors.js";
import type { Tfjs } from "../../src/engine/tfjs/ops.js";
import type { TfjsTrainer } from "../../src/engine/tfjs/trainer.js";
import { openTfjsTrainer } from "../../src/engine/tfjs/trainer.js";
import type { TrainerOptions, TrainingBatch } from "../../src/engine/trainer.js";
import { NORMALIZATION, syntheticCrops } from "./network-runner.js";

const FILE = fileURLToPath(new URL("../../fixtures/goldens/training.reference.safetensors", import.meta.url));
const SAMPLES = 16;
const BATCH = 2;
const STEPS = 4;

export const NETWORKS = {
  mobile: { name: "mobile", widths: [6, 4], features: 8, skip: 6, rank: 5, peepholes: false },
  tiny: { name: "tiny", widths: [6, 4], features: 8, rank: 4, peepholes: false },
} as const satisfies Record<string, ArchitectureOptions>;

export const PLAIN: TrainerOptions = {
  weights: { steps: 1, edge: 1, vertex: 1, mask: 1 },
  smoothing: 0.5,
  weightDecay: 0,
  clipNorm: 0,
  ema: 0,
  frozen: new Set(),
};

/** The weights of `hashed` in the script. */
export function hashedWeights(options: ArchitectureOptions): Map<string, WeightTensor> {
  const { weightShapes } = describeNetwork(options);
  return new Map(
    [...weightShapes.keys()].sort().map((name, key) => {
      const shape = weightShapes.get(name)!;
      const inputs = shape.length === 1 ? 100 : shape.slice(1).reduce((product, side) => product * side, 1);
      const values = new Float32Array(shape.reduce((product, side) => product * side, 1));
      for (let i = 0; i < values.length; i++) {
        let u = (Math.imul(i, 2654435761) + key * 40503 + 12345) >>> 0;
        u = (u ^ (u >>> 15)) >>> 0;
        u = Math.imul(u, 2246822519) >>> 0;
        u = (u ^ (u >>> 13)) >>> 0;
        values[i] = ((u / 2 ** 31 - 1) * 2.4) / Math.sqrt(inputs);
      }
      return [name, { shape, values }];
    }),
  );
}

export function referenceBatch(): TrainingBatch {
  const rows = [...Array(BATCH).keys()];
  const cells = rows.flatMap((b) =>
    Array.from({ length: STEPS + 1 }, (_, t) => (t < STEPS - b ? (b * 131 + t * 57 + 29) % 784 : 784)),
  );
  const plane = (isOne: (cell: number, b: number) => boolean): Uint8Array =>
    Uint8Array.from(rows.flatMap((b) => Array.from({ length: 784 }, (_, cell) => (isOne(cell, b) ? 1 : 0))));
  return {
    size: BATCH,
    steps: STEPS,
    crops: syntheticCrops(BATCH),
    cells: Int32Array.from(cells),
    edge: plane((cell, b) => (cell * 7 + b) % 5 === 0),
    mask: Float32Array.from(plane((cell, b) => ((cell % 28) + Math.floor(cell / 28) + b) % 3 === 0)),
    fineMask: new Float32Array(BATCH * 112 * 112), // these networks do not refine their mask
  };
}

/** What PyTorch has, by the names of the script. */
export async function readReference(): Promise<(name: string) => Float32Array> {
  const { tensors } = await readSafetensors(FILE);
  return (name) => tensorValues(tensors.get(name)!, name);
}

export function openReferenceTrainer(
  tf: Tfjs,
  options: ArchitectureOptions,
  change: Partial<TrainerOptions> = {},
): TfjsTrainer {
  return openTfjsTrainer(
    tf,
    { network: describeNetwork(options), weights: hashedWeights(options), normalization: NORMALIZATION },
    { ...PLAIN, ...change, device: "cpu", version: "" },
  );
}

/** Norm of the whole tensor, then 16 of its values, as the script keeps them. */
export function sampled({ values }: WeightTensor): Float32Array {
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const kept =
    values.length >= SAMPLES
      ? Array.from({ length: SAMPLES }, (_, i) => values[Math.floor((i * values.length) / SAMPLES)]!)
      : [...values];
  return Float32Array.from([norm, ...kept]);
}

/**
 * Largest difference over the weights, each as a part of `scale` of that weight. @param scale of PyTorch's values, for
 * example their norm
 */
export function worstDifference(
  actual: ReadonlyMap<string, WeightTensor>,
  expected: (name: string) => Float32Array,
  scale: (expected: Float32Array) => number,
): { readonly name: string; readonly difference: number } {
  let worst = { name: "", difference: 0 };
  for (const [name, weight] of actual) {
    const theirs = expected(name);
    const ours = sampled(weight);
    const difference =
      ours.reduce((largest, value, at) => Math.max(largest, Math.abs(value - theirs[at]!)), 0) / scale(theirs);
    if (!(difference <= worst.difference)) worst = { name, difference };
  }
  return worst;
}
