import { afterEach, describe, expect, test, vi } from "vitest";
import { EXIT } from "../../src/errors.js";
import { candidatesFor, missingHardware, openEngine, probeDevices, takeFirst } from "../../src/engine/devices.js";
import type { Candidate, DeviceChoice, Obstacle } from "../../src/engine/devices.js";
import { loadModel } from "../../src/model/model.js";
import { syntheticCrops } from "./network-runner.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

const shown = (candidates: readonly Candidate[]): string =>
  candidates.map(({ engine, device }) => `${engine}/${device}`).join(" ");

test.each([
  {
    device: "auto",
    engine: undefined,
    order: "tfjs/cuda onnxruntime/cuda wgsl/webgpu onnxruntime/webgpu onnxruntime/cpu tfjs/cpu",
    why: "CUDA, then WebGPU, then the CPU",
  },
  { device: "cuda", engine: undefined, order: "tfjs/cuda onnxruntime/cuda", why: "TensorFlow.js before onnxruntime" },
  { device: "webgpu", engine: undefined, order: "wgsl/webgpu onnxruntime/webgpu", why: "own kernels first" },
  { device: "cpu", engine: undefined, order: "onnxruntime/cpu tfjs/cpu", why: "onnxruntime before TensorFlow.js" },
  { device: "auto", engine: "tfjs", order: "tfjs/cuda tfjs/cpu", why: "one engine left to choose from" },
  { device: "webgpu", engine: "tfjs", order: "", why: "nothing is left" },
] as const)("--device $device (engine: $engine) tries $order: $why", ({ device, engine, order }) => {
  expect(shown(candidatesFor(device, engine))).toBe(order);
});

/** Tries candidates of which only some work. */
const take = (device: DeviceChoice, working: readonly string[]): ReturnType<typeof takeFirst<{ name: string }>> =>
  takeFirst<{ name: string }>(device, candidatesFor(device), (candidate) => {
    const name = shown([candidate]);
    return Promise.resolve(working.includes(name) ? { name } : { reason: `no ${name}`, fix: `get ${name}` });
  });

describe("the first candidate that works is taken", () => {
  test("and each one before it is reported with reason and fix", async () => {
    const { taken, passedOver } = await take("auto", ["onnxruntime/cpu", "tfjs/cpu"]);
    expect(taken).toEqual({ name: "onnxruntime/cpu" });
    expect(passedOver.map(({ candidate, reason, fix }) => [shown([candidate]), reason, fix])).toEqual([
      ["tfjs/cuda", "no tfjs/cuda", "get tfjs/cuda"],
      ["onnxruntime/cuda", "no onnxruntime/cuda", "get onnxruntime/cuda"],
      ["wgsl/webgpu", "no wgsl/webgpu", "get wgsl/webgpu"],
      ["onnxruntime/webgpu", "no onnxruntime/webgpu", "get onnxruntime/webgpu"],
    ]);
  });

  test("later ones are not tried", async () => {
    const tried: string[] = [];
    await takeFirst("cpu", candidatesFor("cpu"), (candidate) => {
      tried.push(shown([candidate]));
      return Promise.resolve({ name: "" });
    });
    expect(tried).toEqual(["onnxruntime/cpu"]);
  });

  test("a device that was asked for is never replaced by another", async () => {
    await expect(take("cuda", ["onnxruntime/cpu"])).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      message:
        "device cuda: expected one engine that works but tfjs on cuda: no tfjs/cuda; onnxruntime on cuda: no onnxruntime/cuda",
      hint: "get tfjs/cuda",
    });
  });
});

describe("on this machine", () => {
  test("--device cpu opens the model with onnxruntime", async () => {
    const model = await loadModel("tiny-random");
    const { engine, passedOver } = await openEngine(model, { device: "cpu", threads: 1 });
    expect(engine).toMatchObject({
      name: "onnxruntime",
      device: "cpu",
      version: expect.stringMatching(/^onnxruntime-node \d/) as string,
    });
    expect(passedOver).toEqual([]);
    const decoding = await engine.encode(syntheticCrops(1), 1);
    expect(decoding.firstVertexLogits.length).toBe(784);
    decoding.dispose();
    await engine.dispose();
  });

  test("doctor's probes cover every candidate; one works, the others say why not and what to do", async () => {
    const reports = await probeDevices();
    expect(shown(reports)).toBe(shown(candidatesFor("auto")));
    expect(reports.find(({ engine, device }) => engine === "onnxruntime" && device === "cpu")).toEqual({
      engine: "onnxruntime",
      device: "cpu",
      works: true,
    });
    for (const report of reports) {
      if (!report.works) expect([report.reason, report.fix].every((text) => text.length > 10)).toBe(true);
    }
  });

  test("a device that is not there is refused with what doctor says about it", async () => {
    const model = await loadModel("tiny-random");
    vi.stubEnv("VK_ICD_FILENAMES", "swiftshader.json");
    const reports = (await probeDevices()).filter(({ works }) => !works);
    for (const device of ["cuda", "webgpu"] as const) {
      const missing = missingHardware(device);
      if (missing === undefined) continue; // it is there
      expect(reports.find((report) => report.device === device)).toMatchObject(missing);
      const { reason, fix }: Obstacle = missing;
      await openEngine(model, { device }).then(
        ({ engine }) => engine.dispose(), // a software driver serves who asks for webgpu
        (error: unknown) => {
          expect(error).toMatchObject({ exitCode: EXIT.unavailable, hint: fix });
          expect((error as Error).message).toContain(`on ${device}: ${reason}`);
        },
      );
    }
  });

  test("POLYRNN_ENGINE leaves one engine, and a name it does not know is refused", async () => {
    vi.stubEnv("POLYRNN_ENGINE", "onnxruntime");
    expect(shown(await probeDevices())).toBe("onnxruntime/cuda onnxruntime/webgpu onnxruntime/cpu");
    vi.stubEnv("POLYRNN_ENGINE", "torch");
    await expect(probeDevices()).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: 'POLYRNN_ENGINE: expected wgsl, tfjs or onnxruntime but received "torch"',
    });
  });

  test("an engine that does not have the device says so", async () => {
    vi.stubEnv("POLYRNN_ENGINE", "tfjs");
    const model = await loadModel("tiny-random");
    await expect(openEngine(model, { device: "webgpu" })).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      message: expect.stringContaining("none offers this device") as string,
    });
  });
});
