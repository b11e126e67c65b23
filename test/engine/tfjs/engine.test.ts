import * as tf from "@tensorflow/tfjs";
import { wasmTensorFlow } from "../../helpers/tensorflow-wasm.js";
import { beforeAll, describe, expect, test } from "vitest";
import type { Decoding, Engine, StepInput } from "../../../src/engine/engine.js";
import { loadModel } from "../../../src/model/model.js";
import { openTfjsEngine } from "../../../src/engine/tfjs/engine.js";
import { distance, syntheticCrops } from "../network-runner.js";

beforeAll(async () => {
  await wasmTensorFlow();
});

async function openTiny(): Promise<Engine> {
  const model = await loadModel("tiny-random");
  return openTfjsEngine(tf, model, { device: "cpu", version: "@tensorflow/tfjs 4.22.0" });
}

const vertices = (...cells: number[]): StepInput => ({
  first: Int32Array.from(cells),
  previous: Int32Array.from(cells),
  beforePrevious: new Int32Array(cells.length).fill(784),
});

test("the engine says who it is", async () => {
  const engine = await openTiny();
  expect(engine).toMatchObject({ name: "tfjs", device: "cpu", version: "@tensorflow/tfjs 4.22.0" });
  await engine.dispose();
});

test("decoding leaves no tensor behind, nor does the engine", async () => {
  const before = tf.memory().numTensors;
  const engine = await openTiny();
  // The vertex table stays with the engine from the first step on.
  const warm = await engine.encode(syntheticCrops(1), 1);
  await warm.step(vertices(5));
  warm.dispose();
  const opened = tf.memory().numTensors;
  const decoding = await engine.encode(syntheticCrops(2), 2);
  for (let step = 0; step < 3; step++) await decoding.step(vertices(5, 100));
  const part = decoding.select([1]);
  await part.step(vertices(7));
  decoding.dispose();
  await part.step(vertices(8));
  part.dispose();
  expect(tf.memory().numTensors).toBe(opened);
  await engine.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

describe("select", () => {
  test("takes features, state and logits of the rows it names; rows may repeat", async () => {
    const engine = await openTiny();
    const all = await engine.encode(syntheticCrops(3), 3);
    await all.step(vertices(10, 20, 30));
    const some = all.select([2, 0, 2]);
    expect(some.size).toBe(3);
    expect(row(some.firstVertexLogits, 784, 1)).toEqual(row(all.firstVertexLogits, 784, 0));
    const next = await some.step(vertices(31, 11, 31));
    const whole = await all.step(vertices(11, 21, 31));
    expect(distance(row(next, 785, 0), row(whole, 785, 2))).toBeLessThan(1e-5);
    expect(distance(row(next, 785, 1), row(whole, 785, 0))).toBeLessThan(1e-5);
    expect(row(next, 785, 0)).toEqual(row(next, 785, 2));
    some.dispose();
    all.dispose();
    await engine.dispose();
  });

  test("leaves the decoding it was taken from as it was", async () => {
    const engine = await openTiny();
    const [one, two]: Decoding[] = [
      await engine.encode(syntheticCrops(2), 2),
      await engine.encode(syntheticCrops(2), 2),
    ];
    const part = one!.select([1]);
    await part.step(vertices(400)); // moves its own state only
    part.dispose();
    expect(await one!.step(vertices(1, 2))).toEqual(await two!.step(vertices(1, 2)));
    one!.dispose();
    two!.dispose();
    await engine.dispose();
  });
});

test("a crop's logits do not depend on its neighbors in the batch", async () => {
  const engine = await openTiny();
  const together = await engine.encode(syntheticCrops(2), 2);
  const alone = await engine.encode(syntheticCrops(2).slice(224 * 224 * 3), 1);
  expect(distance(row(together.firstVertexLogits, 784, 1), alone.firstVertexLogits)).toBeLessThan(1e-5);
  expect(distance(row(await together.step(vertices(9, 50)), 785, 1), await alone.step(vertices(50)))).toBeLessThan(
    1e-5,
  );
  together.dispose();
  alone.dispose();
  await engine.dispose();
});

test("logits handed out stay as they are when the decoding moves on", async () => {
  const engine = await openTiny();
  const decoding = await engine.encode(syntheticCrops(1), 1);
  const logits = await decoding.step(vertices(3));
  const copy = logits.slice();
  await decoding.step(vertices(4));
  decoding.dispose();
  expect(logits).toEqual(copy);
  await engine.dispose();
});

function row(values: Float32Array, width: number, at: number): Float32Array {
  return values.slice(at * width, (at + 1) * width);
}
