/**
 * Runs exported ONNX files and compares them with the engine they came from: a file that was written is not yet a file
 * that works.
 */
import type { Engine } from "../engine/engine.js";
import type { OnnxRunner } from "../engine/onnx/export.js";
import { openOnnxFile } from "../engine/onnx/export.js";
import { CELL_COUNT, CROP_SIZE, EOS } from "../geometry/grid.js";
import { createRandom } from "../random.js";
import { decodeGreedy } from "./decode.js";
import { MAX_STEPS } from "./options.js";

/** Crops the files are compared on. */
const COUNT = 3;
const SEED = "check export";

export interface ExportCheck {
  /** Largest difference of the first-vertex logits, over the larger of 1 and their largest absolute value. */
  readonly vertexDifference: number;
  /** How many of polyrnn.onnx equal those of the engine. */
  readonly sameSequences: number;
  readonly sequences: number;
}

/** @param files paths of encoder.onnx and polyrnn.onnx */
export async function checkExport(
  engine: Engine,
  files: { readonly encoder: string; readonly loop: string },
): Promise<ExportCheck> {
  const pixels = checkPixels();
  const decoding = await engine.encode(pixels, COUNT);
  const expected = decoding.firstVertexLogits;
  decoding.dispose();
  const { vertex } = await runOnce(files.encoder, {
    pixels: { type: "uint8", data: pixels, dims: [COUNT, CROP_SIZE, CROP_SIZE, 3] },
  });
  const { sequences } = await decodeGreedy(engine, pixels, COUNT, MAX_STEPS);
  const { cells } = await runOnce(files.loop, {
    pixels: { type: "uint8", data: pixels, dims: [COUNT, CROP_SIZE, CROP_SIZE, 3] },
    max_steps: { type: "int64", data: BigInt64Array.of(BigInt(MAX_STEPS)), dims: [] },
  });
  const width = cells!.length / COUNT;
  const same = sequences.filter((sequence, row) => {
    const ofFile = Array.from(cells!.subarray(row * width, (row + 1) * width));
    return ofFile.every((cell, at) => cell === (sequence.cells[at] ?? EOS)) && sequence.cells.length <= width;
  });
  return { vertexDifference: largestDifference(vertex!, expected), sameSequences: same.length, sequences: COUNT };
}

async function runOnce(path: string, feeds: Parameters<OnnxRunner["run"]>[0]): ReturnType<OnnxRunner["run"]> {
  const file = await openOnnxFile(path);
  try {
    return await file.run(feeds);
  } finally {
    await file.close();
  }
}

function largestDifference(values: ArrayLike<number>, expected: Float32Array): number {
  if (values.length !== expected.length || values.length !== COUNT * CELL_COUNT) return Number.POSITIVE_INFINITY;
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
  return expected.reduce((max, value, at) => Math.max(max, Math.abs(value - values[at]!)), 0) / largest;
}

/** Noise over soft stripes: something for every layer to see, the same on every machine. [COUNT, 224, 224, 3] uint8 */
function checkPixels(): Uint8Array {
  const random = createRandom(SEED);
  return Uint8Array.from(
    { length: COUNT * CROP_SIZE * CROP_SIZE * 3 },
    (_, at) => Math.floor((Math.sin(at / (CROP_SIZE * 90)) + 1) * 96) + random.integer(60),
  );
}
