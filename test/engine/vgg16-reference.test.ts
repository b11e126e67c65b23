/** models/vgg16 computes what PyTorch computes from the same file, on onnxruntime. Both are only in the repository. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { floatsToHalves, halvesToFloats } from "../../src/model/float16.js";
import { loadModel } from "../../src/model/model.js";
import { readSafetensors, tensorValues } from "../../src/model/safetensors.js";
import { distance, onnxRunner } from "./network-runner.js";
import { bestOf, zeroState } from "./parity-cases.js";

const MODEL = fileURLToPath(new URL("../../models/vgg16/model.json", import.meta.url));
const VECTORS = fileURLToPath(new URL("../../../shared/weights/polyrnn_vgg16.reference.safetensors", import.meta.url));

test.skipIf(!existsSync(MODEL) || !existsSync(VECTORS))(
  "onnxruntime reproduces the vectors that came with the weights",
  async () => {
    const { network, weights: stored } = await loadModel(MODEL);
    // The vectors were computed after the products had been rounded to F16; without that they differ by 0.0018.
    const weights = new Map(
      Array.from(stored, ([name, { shape, values: exact }]) => [
        name,
        { shape, values: halvesToFloats(floatsToHalves(exact)) },
      ]),
    );
    const { tensors } = await readSafetensors(VECTORS);
    const values = (name: string): Float32Array => tensorValues(tensors.get(name)!, name);
    const runner = await onnxRunner(network, weights);
    const encoded = await runner.encode(tensors.get("crops")!.bytes.slice(), 4);
    expectNear(encoded.get("edge")!, values("edge"));
    expectNear(encoded.get("vertex")!, values("vertex"));
    const length = tensors.get("cells")!.shape[1]!;
    const first = Int32Array.from({ length: 4 }, (_, row) => values("cells")[row * length]!);
    expect(bestOf(encoded.get("vertex")!, 4)).toEqual(first);
    const none = new Int32Array(4).fill(784);
    const step = await runner.step(
      encoded.get("hoisted")!,
      { first, previous: first, beforePrevious: none },
      zeroState(network, 4),
    );
    expectNear(step.logits, values("logits_1"));
    await runner.close();
  },
);

/** Within 1e-3 of the tensor's range. */
function expectNear(actual: Float32Array, expected: Float32Array): void {
  const range = expected.reduce((a, b) => Math.max(a, b)) - expected.reduce((a, b) => Math.min(a, b));
  expect(distance(actual, expected) / range).toBeLessThan(1e-3);
}
