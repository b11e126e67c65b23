/**
 * An engine whose proposals depend on the crop and on every vertex fed back so far, as a real one's do; counts what is
 * not freed.
 */
import type { CropFrame } from "../../src/crop/crop.js";
import { CELL_COUNT, CLASS_COUNT, EOS, GRID_SIZE } from "../../src/geometry/grid.js";
import type { Decoding, Engine, StepInput } from "../../src/engine/engine.js";

export interface FakeEngine extends Engine {
  /** Decodings not disposed yet. */
  readonly held: () => number;
  /** Rows of each step, in order. */
  readonly stepSizes: number[];
}

export interface FakeOptions {
  /** One step in that many proposes end-of-sequence. */
  readonly endsOneIn?: number;
  /** Step, counted over all decodings from 0, that throws. */
  readonly failsAt?: number;
}

/** Crops are told apart by their first two pixels' bytes: see `fakeCrops`. */
export function fakeEngine({ endsOneIn = 9, failsAt }: FakeOptions = {}): FakeEngine {
  let held = 0;
  const stepSizes: number[] = [];
  const open = (states: Uint32Array, firstVertexLogits: Float32Array): Decoding => {
    let current = states;
    let isOpen = true;
    held++;
    return {
      size: states.length,
      firstVertexLogits,
      step(input: StepInput) {
        if (!isOpen) throw new Error("step after dispose");
        if (stepSizes.length === failsAt) throw new Error("the device is gone");
        stepSizes.push(current.length);
        current = current.map((state, row) =>
          [input.first, input.previous, input.beforePrevious].reduce(
            (mixed, values) => mix(mixed, values[row]!),
            state,
          ),
        );
        const logits = new Float32Array(current.length * CLASS_COUNT);
        current.forEach((state, row) => {
          logits[row * CLASS_COUNT + classOf(state, endsOneIn)] = 5;
        });
        return Promise.resolve(logits);
      },
      select: (rows) =>
        open(
          Uint32Array.from(rows, (row) => current[row]!),
          new Float32Array(rows.length * CELL_COUNT),
        ),
      dispose() {
        if (!isOpen) throw new Error("disposed twice");
        isOpen = false;
        held--;
      },
    };
  };
  return {
    name: "onnxruntime",
    device: "cpu",
    version: "fake",
    held: () => held,
    stepSizes,
    encode(pixels, count) {
      const states = Uint32Array.from({ length: count }, (_, crop) =>
        mix(7, pixels[crop * CROP_BYTES]! + 256 * pixels[crop * CROP_BYTES + 1]!),
      );
      const logits = new Float32Array(count * CELL_COUNT);
      states.forEach((state, crop) => {
        logits[crop * CELL_COUNT + (mix(state, 1) % CELL_COUNT)] = 1;
      });
      return Promise.resolve(open(states, logits));
    },
    dispose: () => Promise.resolve(),
  };
}

const CROP_BYTES = 224 * 224 * 3;

/** One crop per seed, 0..65535; equal seeds are equal crops. */
export function fakeCrops(seeds: readonly number[]): Uint8Array {
  const pixels = new Uint8Array(seeds.length * CROP_BYTES);
  seeds.forEach((seed, crop) => {
    pixels.set([seed % 256, Math.floor(seed / 256)], crop * CROP_BYTES);
  });
  return pixels;
}

/** As many crops of one image pixel per cell whose boxes fill them. */
export function wholeFrames(count: number): CropFrame[] {
  return Array.from({ length: count }, () => ({
    window: { left: 0, top: 0, side: GRID_SIZE },
    bounds: { left: 0, top: 0, width: GRID_SIZE, height: GRID_SIZE },
  }));
}

/** Scrambles two numbers into 32 bits (the finalizer of MurmurHash3). */
export function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b + 1, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function classOf(state: number, endsOneIn: number): number {
  return state % endsOneIn === 0 ? EOS : mix(state, 2) % CELL_COUNT;
}
