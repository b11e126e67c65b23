/** Rows in slots on the device beside a loop that chooses on the CPU; then what goes wrong there. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DecodedRow } from "../../src/engine/engine.js";
import { compileChoice, readChoices } from "../../src/engine/webgpu/choose.js";
import { Gpu } from "../../src/engine/webgpu/device.js";
import { kernelModelOf } from "../../src/engine/webgpu/engine.js";
import { ENDED } from "../../src/engine/webgpu/plan.js";
import { Program, submit } from "../../src/engine/webgpu/program.js";
import type { RowBytes } from "../../src/engine/webgpu/slots.js";
import { Slots } from "../../src/engine/webgpu/slots.js";
import { EXIT } from "../../src/errors.js";
import { CELL_COUNT, CLASS_COUNT, EOS } from "../../src/geometry/grid.js";
import { describeNetwork } from "../../src/network/build.js";
import { chooseBest } from "../../src/predict/choose-vertex.js";
import { stepInput } from "../../src/predict/decode-loop.js";
import { createRandom } from "../../src/random.js";
import { SLOW_MS, useSwiftShader, whyNoWebGpu } from "../swiftshader.js";
import { NORMALIZATION, onnxRunner, randomWeights } from "./network-runner.js";

const MAX_STEPS = 4;
const COUNT = 4;
const random = createRandom("slots");
const network = describeNetwork({ name: "tiny", widths: [3, 2], features: 4, rank: 4, peepholes: false });
const weights = randomWeights(network, "slots");
const channels = network.hoistedChannels;
const images = Float32Array.from({ length: COUNT * channels * CELL_COUNT }, () => random.normal());
const FIRSTS = [0, 783, 400, 55];

/** End-of-sequence is likely enough that rows end at different steps. */
const endBias = weights.get("decoder.global_2.bias")!.values;
endBias[EOS] = endBias[EOS]! + 2;

/** By onnxruntime's step, row by row, with the rule of the batch loop. */
async function expectedRows(): Promise<DecodedRow[]> {
  const runner = await onnxRunner(network, weights, "step");
  const rows: DecodedRow[] = [];
  for (const [row, first] of FIRSTS.entries()) {
    const hoisted = images.subarray(row * channels * CELL_COUNT, (row + 1) * channels * CELL_COUNT);
    const zeros = (width: number): Float32Array => new Float32Array(width * CELL_COUNT);
    const [one, two] = network.widths;
    let state: Parameters<typeof runner.step>[2] = [zeros(one), zeros(one), zeros(two), zeros(two)];
    const chosen: number[] = [];
    let sum = 0;
    while (chosen.length < MAX_STEPS && chosen.at(-1) !== EOS) {
      const next = await runner.step(hoisted, stepInput([{ cells: [first, ...chosen] }]), state);
      const { index, logProbability } = chooseBest(next.logits, 0);
      chosen.push(index);
      sum += logProbability;
      state = next.state;
    }
    rows.push({ chosen, logProbability: sum });
  }
  await runner.close();
  return rows;
}

describe.skipIf(whyNoWebGpu !== undefined)("slots", () => {
  let gpu: Gpu;
  let kernels: ConstructorParameters<typeof Slots>[1];
  let rowBytes: RowBytes;
  let hoisted: GPUBuffer;
  let expected: DecodedRow[];
  beforeAll(async () => {
    useSwiftShader();
    const model = kernelModelOf({ network, weights, normalization: NORMALIZATION });
    ({ rowBytes } = model);
    gpu = await Gpu.open();
    const [step, choose] = await Promise.all([Program.compile(gpu, model.step, weights), compileChoice(gpu)]);
    kernels = { step, choose };
    hoisted = gpu.upload(images);
    expected = await expectedRows();
  }, SLOW_MS);
  afterAll(() => {
    gpu.close();
  });

  test("the choice is that of the CPU: at corners, among equals, at the end, and of a row that has ended", async () => {
    const peaks = [0, 27, 756, 783, 400, EOS];
    const rows = peaks.length + 3;
    const logits = Float32Array.from({ length: rows * CLASS_COUNT }, () => random.normal());
    peaks.forEach((peak, row) => {
      logits[row * CLASS_COUNT + peak] = 9;
    });
    logits.fill(0, 6 * CLASS_COUNT, 7 * CLASS_COUNT); // all equal
    logits.fill(-300, 7 * CLASS_COUNT, 8 * CLASS_COUNT); // far from zero, and one sure cell
    logits[7 * CLASS_COUNT + 100] = 200;
    const previous = new Int32Array(rows).fill(5);
    previous[rows - 1] = ENDED;
    const buffers = {
      logits: gpu.upload(logits),
      choices: gpu.buffer(rows * 8),
      previous: gpu.upload(previous),
      before: gpu.upload(new Int32Array(rows).fill(4)),
    };
    const choose = kernels.choose(rows, {
      logits: { buffer: buffers.logits },
      choices: { buffer: buffers.choices },
      previous: { buffer: buffers.previous },
      before: { buffer: buffers.before },
    });
    submit(gpu, [choose]);
    const [choices, next, before] = await gpu.readAll([
      { buffer: buffers.choices, bytes: rows * 8 },
      { buffer: buffers.previous, bytes: rows * 4 },
      { buffer: buffers.before, bytes: rows * 4 },
    ]);
    const { chosen, logProbabilities } = readChoices(choices!);
    for (let row = 0; row < rows - 1; row++) {
      const { index, logProbability } = chooseBest(logits, row);
      expect(chosen[row], `row ${row}`).toBe(index);
      expect(logProbabilities[row]).toBeCloseTo(logProbability, 4);
    }
    expect(chosen[rows - 1]).toBe(ENDED);
    expect(new Int32Array(next!)).toEqual(Int32Array.from(chosen, (index) => (index === EOS ? ENDED : index)));
    expect(new Int32Array(before!)).toEqual(new Int32Array(rows).fill(5).fill(4, rows - 1));
    gpu.free(Object.values(buffers));
  });

  test.each([
    { rows: 2, stepsAtOnce: 2, why: "fewer slots than rows: they are filled again" },
    { rows: 7, stepsAtOnce: 4, why: "more slots than rows" },
  ])("$rows slots, $stepsAtOnce steps at once, give the polygons of the loop: $why", async ({ rows, stepsAtOnce }) => {
    const slots = new Slots(gpu, kernels, rowBytes, { rows, stepsAtOnce });
    const all = FIRSTS.map((_, row) => row);
    const [together, alone] = await Promise.all([
      slots.decode(hoisted, all, FIRSTS, MAX_STEPS),
      slots.decode(hoisted, [2, 0], [FIRSTS[2]!, FIRSTS[0]!], 1), // another batch, with one step
    ]);
    expect(together.map(({ chosen }) => chosen)).toEqual(expected.map(({ chosen }) => chosen));
    together.forEach(({ logProbability }, row) => {
      expect(logProbability).toBeCloseTo(expected[row]!.logProbability, 3);
    });
    expect(alone.map(({ chosen }) => chosen)).toEqual([[expected[2]!.chosen[0]], [expected[0]!.chosen[0]]]);
    expect(new Set(expected.map(({ chosen }) => chosen.length)).size).toBeGreaterThan(1); // they do end apart
  });

  test("memory is counted, given back, and bounded by an error that says what to do", async () => {
    const { used } = gpu.memory;
    const buffer = gpu.buffer(1000);
    expect(gpu.memory).toMatchObject({ used: used + 1000, bound: 3 * 2 ** 30 });
    gpu.free([buffer, buffer]);
    expect(gpu.memory.used).toBe(used);
    expect(gpu.memory.peak).toBeGreaterThanOrEqual(used + 1000);
    const small = await Gpu.open({ memoryBound: 4096 }); // a second device beside the first
    expect(() => [small.buffer(4000), small.buffer(4000)]).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/4000 bytes more than the 4000 in use would exceed the bound of 4096/) as string,
        hint: "Use a smaller --batch-size, or --device cpu.",
        exitCode: EXIT.unavailable,
      }),
    );
    small.close();
    expect(await gpu.read(hoisted, 8)).toEqual(images.subarray(0, 2));
  });

  // The last one: it takes the device away.
  test("a device that is lost in the middle is an error for everybody who waits, and for whoever comes later", async () => {
    const slots = new Slots(gpu, kernels, rowBytes, { rows: 2, stepsAtOnce: 2 });
    const waiting = [0, 1, 2].map((row) => slots.decode(hoisted, [row], [FIRSTS[row]!], MAX_STEPS));
    setTimeout(() => {
      gpu.device.destroy();
    }, 1);
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { exitCode: EXIT.unavailable, hint: expect.stringContaining("start the run again") as string },
      });
    }
    await expect(slots.decode(hoisted, [0], [0], 1)).rejects.toThrow(/lost|reading failed/);
    expect(() => gpu.buffer(16)).toThrow(/WebGPU on /);
  });
});
