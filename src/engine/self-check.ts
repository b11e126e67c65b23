/**
 * A device that computes something else than the CPU is not taken: drivers have miscomputed convolutions before. One
 * crop goes through encoder and two steps on both when an engine is opened.
 */
import { CELL_COUNT, CLASS_COUNT, CROP_SIZE, EOS } from "../geometry/grid.js";
import type { WeightedNetwork } from "../model/model.js";
import type { Engine, Precision } from "./engine.js";

/** What the CPU gives for the crop, by what it is called in messages. */
export type Reference = Readonly<Record<string, Float32Array>>;

/**
 * Share of a tensor's range that it may be off. In float32 that is ten times what is lost by adding in another order;
 * in float16 fifteen times what `mobile` loses (bench/README.md). The best of each tensor has to be the same there, too.
 */
const TOLERANCE: Readonly<Record<Precision, number>> = { float32: 1e-3, float16: 1e-2 };

/** The numbers that every engine has to give, from onnxruntime on the CPU. */
export async function referenceOf(model: WeightedNetwork): Promise<Reference> {
  const { openOnnxEngine } = await import("./onnx/models.js");
  const engine = await openOnnxEngine(model, { device: "cpu" });
  try {
    return await numbersOf(engine);
  } finally {
    await engine.dispose();
  }
}

/**
 * @returns the engine, where it computes the reference's numbers
 * @throws Error that names the tensor; the engine is disposed then
 */
export async function checkAgainst(engine: Engine, reference: Reference | Promise<Reference>): Promise<Engine> {
  try {
    const numbers = await numbersOf(engine);
    const { precision = "float32" } = engine;
    for (const [name, expected] of Object.entries(await reference)) {
      compare(name, numbers[name], expected, TOLERANCE[precision]);
      if (precision === "float16") compareBest(name, numbers[name]!, expected);
    }
    return engine;
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

async function numbersOf(engine: Engine): Promise<Reference> {
  const encoded = await engine.encode(checkCrop(), 1);
  try {
    const { firstVertexLogits, maskLogits, fineMaskLogits } = encoded;
    const at = (first: number, previous: number, before: number): Parameters<typeof encoded.step>[0] => ({
      first: Int32Array.of(first),
      previous: Int32Array.of(previous),
      beforePrevious: Int32Array.of(before),
    });
    return {
      "first-vertex logits": firstVertexLogits,
      ...(maskLogits !== undefined && { "mask logits": maskLogits }),
      ...(fineMaskLogits !== undefined && { "refined mask": fineMaskLogits }),
      "logits of step 1": await encoded.step(at(CELL_COUNT / 4, CELL_COUNT / 4, EOS)),
      "logits of step 2": await encoded.step(at(CELL_COUNT / 4, CLASS_COUNT / 5, CELL_COUNT / 4)),
    };
  } finally {
    encoded.dispose();
  }
}

/** A bright disc on a slope, with a pattern that no two rows or columns share. [1, 224, 224, 3] uint8 */
function checkCrop(): Uint8Array {
  const pixels = new Uint8Array(CROP_SIZE * CROP_SIZE * 3);
  for (let y = 0; y < CROP_SIZE; y++) {
    for (let x = 0; x < CROP_SIZE; x++) {
      const inside = (x - 100) ** 2 + (y - 120) ** 2 < 60 ** 2 ? 120 : 0;
      for (let channel = 0; channel < 3; channel++) {
        const pattern = (x * (7 + channel) + y * (13 - channel)) % 64;
        pixels[(y * CROP_SIZE + x) * 3 + channel] = inside + pattern + (channel * 20 * y) / CROP_SIZE;
      }
    }
  }
  return pixels;
}

/** Not of masks: nothing is chosen there. */
function compareBest(name: string, received: Float32Array, expected: Float32Array): void {
  if (/mask/.test(name)) return;
  const [best, wanted] = [received, expected].map((values) => values.indexOf(Math.max(...values)));
  if (best === wanted) return;
  throw new Error(`self-check: expected ${name} to be largest at ${wanted!}, as on the CPU, but they are at ${best!}`);
}

function compare(name: string, received: Float32Array | undefined, expected: Float32Array, tolerance: number): void {
  if (received?.length !== expected.length) {
    throw new Error(`self-check: expected ${expected.length} ${name} but received ${received?.length ?? 0}`);
  }
  let [largest, worst, at] = [0, 0, 0];
  for (const [place, value] of expected.entries()) {
    largest = Math.max(largest, Math.abs(value));
    const difference = Math.abs(value - received[place]!);
    if (difference <= worst) continue;
    [worst, at] = [difference, place]; // also where it is not a number
    if (Number.isNaN(difference)) break;
  }
  if (worst <= tolerance * largest) return;
  throw new Error(
    `self-check: expected the CPU's ${name}, ${expected[at]!.toPrecision(4)} at ${at}, ` +
      `but received ${received[at]!.toPrecision(4)}`,
  );
}
