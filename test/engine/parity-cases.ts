/**
 * What "both engines compute the same" means, for parity.test.ts (plain JavaScript) and parity-native.test.ts
 * (libtensorflow).
 */
import { expect } from "vitest";
import type { PolygonRnn } from "../../src/network/polygon-rnn.js";
import { createRandom } from "../../src/random.js";
import type { StepInput } from "../../src/engine/engine.js";
import { distance, scaleOf, syntheticCrops } from "./network-runner.js";
import type { FlatState, NetworkRunner } from "./network-runner.js";

/** Of the largest absolute value of the tensor, or of 1 where all are smaller. */
const TOLERANCE = 1e-4;

export function expectSameTensor(
  name: string,
  actual: Float32Array,
  expected: Float32Array,
  tolerance = TOLERANCE,
): void {
  expect(distance(actual, expected) / scaleOf(expected), `${name}: largest difference, scaled`).toBeLessThanOrEqual(
    tolerance,
  );
}

/** Encodes synthetic crops on both, then takes greedy steps on both from the same start, every tensor compared. */
export async function expectSameNetwork(
  a: NetworkRunner,
  b: NetworkRunner,
  network: PolygonRnn,
  crops: number,
  steps: number,
): Promise<void> {
  const pixels = syntheticCrops(crops);
  const [encodedA, encodedB] = [await a.encode(pixels, crops), await b.encode(pixels, crops)];
  expect([...encodedA.keys()].sort()).toEqual([...encodedB.keys()].sort());
  for (const [name, values] of encodedA) expectSameTensor(name, values, encodedB.get(name)!);
  const first = bestOf(encodedA.get("vertex")!, crops);
  expect(first).toEqual(bestOf(encodedB.get("vertex")!, crops));
  await expectSameSteps(a, b, network, encodedA.get("hoisted")!, encodedB.get("hoisted")!, first, steps);
}

/** Each engine feeds itself: what differs at one step would grow at the next. */
async function expectSameSteps(
  a: NetworkRunner,
  b: NetworkRunner,
  network: PolygonRnn,
  hoistedA: Float32Array,
  hoistedB: Float32Array,
  first: Int32Array,
  steps: number,
): Promise<void> {
  let [stateA, stateB] = [zeroState(network, first.length), zeroState(network, first.length)];
  let vertices: StepInput = { first, previous: first, beforePrevious: new Int32Array(first.length).fill(784) };
  for (let step = 1; step <= steps; step++) {
    const [nextA, nextB] = [await a.step(hoistedA, vertices, stateA), await b.step(hoistedB, vertices, stateB)];
    expectSameTensor(`logits of step ${step}`, nextA.logits, nextB.logits);
    ["h1", "c1", "h2", "c2"].forEach((name, at) => {
      expectSameTensor(`${name} of step ${step}`, nextA.state[at]!, nextB.state[at]!);
    });
    const cells = bestOf(nextA.logits, first.length);
    expect(bestOf(nextB.logits, first.length), `cells of step ${step}`).toEqual(cells);
    vertices = { first, previous: cells, beforePrevious: vertices.previous };
    [stateA, stateB] = [nextA.state, nextB.state];
  }
}

/** A step from random gates and random state, without the image side; vertices include "none". */
export async function expectSameStep(a: NetworkRunner, b: NetworkRunner, network: PolygonRnn): Promise<void> {
  const random = createRandom("state");
  const noise = (channels: number): Float32Array =>
    Float32Array.from({ length: 2 * channels * 784 }, () => random.normal());
  const [c1, c2] = network.widths;
  const state: FlatState = [noise(c1), noise(c1), noise(c2), noise(c2)];
  const hoisted = noise(4 * c1);
  const vertices: StepInput = {
    first: Int32Array.of(0, 783),
    previous: Int32Array.of(27, 784),
    beforePrevious: Int32Array.of(784, 400),
  };
  const [nextA, nextB] = [await a.step(hoisted, vertices, state), await b.step(hoisted, vertices, state)];
  expectSameTensor("logits", nextA.logits, nextB.logits);
  ["h1", "c1", "h2", "c2"].forEach((name, at) => {
    expectSameTensor(name, nextA.state[at]!, nextB.state[at]!);
  });
  expect(bestOf(nextA.logits, 2)).toEqual(bestOf(nextB.logits, 2));
}

export function zeroState(network: PolygonRnn, count: number): FlatState {
  const zeros = (channels: number): Float32Array => new Float32Array(count * channels * 784);
  const [c1, c2] = network.widths;
  return [zeros(c1), zeros(c1), zeros(c2), zeros(c2)];
}

/** Best class of every row. */
export function bestOf(logits: Float32Array, rows: number): Int32Array {
  const width = logits.length / rows;
  return Int32Array.from({ length: rows }, (_, row) => {
    const values = logits.subarray(row * width, (row + 1) * width);
    return values.reduce((best, value, at) => (value > values[best]! ? at : best), 0);
  });
}
