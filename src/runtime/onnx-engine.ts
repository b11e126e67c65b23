/**
 * Engine over onnxruntime-node: the CPU everywhere, WebGPU from the same package, CUDA where its provider library is installed.
 */
import "./onnx-guard.js";
import "./heap-growth.js";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { CELL_COUNT, CROP_SIZE } from "../geometry/grid.js";
import type { PolygonRnn } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import type { DeviceName, Engine } from "./engine.js";
import { type DecoderSessions, OnnxDecoding, floatsOf } from "./onnx-decoding.js";
import { buildEncoderModel, buildStepModel } from "./onnx-model.js";
import type { WeightMap } from "./onnx-ops.js";
import { PLANES, buildSelectModel, buildStepsModel } from "./onnx-steps-model.js";

export interface OnnxEngineOptions {
  readonly device: DeviceName;
  /** Threads inside one operation; onnxruntime's own choice (one per core) when absent. */
  readonly threads?: number;
  /** Decoder steps in one call; 1 leaves `steps` out. The device's own number when absent. */
  readonly stepsAtOnce?: number;
}

/**
 * On a CPU a call costs nothing beside its arithmetic, and steps after a polygon's end would be in vain. A GPU waits for the host
 * between calls: polygons have about 15 steps, so that 8 at a time leave two waits and a few steps in vain.
 */
const STEPS_AT_ONCE: Record<DeviceName, number> = { cpu: 1, webgpu: 8, cuda: 8 };

/** Outputs of a step and of several that are the next one's input. */
const NEXT_STATE = ["next_h1", "next_c1", "next_h2", "next_c2"];

/** Devices on which onnxruntime-node can leave a tensor. It cannot with CUDA, where the state comes back after every call. */
const KEEPS_TENSORS: Record<DeviceName, boolean> = { cpu: false, webgpu: true, cuda: false };

export async function openOnnxEngine(
  network: PolygonRnn, weights: WeightMap, normalization: Normalization, options: OnnxEngineOptions,
): Promise<Engine> {
  const { device, stepsAtOnce = STEPS_AT_ONCE[device] } = options;
  const graphOptions = { padConvInputs: device === "webgpu" };
  // One after the other: each holds a copy of its weights while it is being optimized.
  const encoder = await openSession(buildEncoderModel(network, weights, normalization, "decoding", graphOptions), options, ["hoisted"]);
  const sessions: DecoderSessions = {
    step: await openSession(buildStepModel(network, weights, graphOptions), options, NEXT_STATE),
    ...(stepsAtOnce > 1 && { steps: await openSession(buildStepsModel(network, weights, stepsAtOnce, graphOptions), options, NEXT_STATE) }),
    ...(KEEPS_TENSORS[device] && { select: await openSession(buildSelectModel(network), options, PLANES.map((name) => `taken_${name}`)) }),
  };
  return {
    name: "onnxruntime",
    device,
    version: `onnxruntime-node ${onnxruntimeVersion()}`,
    async encode(pixels, count) {
      const { vertex, hoisted, mask } = await encoder.run({ pixels: new Tensor("uint8", pixels, [count, CROP_SIZE, CROP_SIZE, 3]) });
      const [c1, c2] = network.widths;
      const zeros = (channels: number): Tensor =>
        new Tensor("float32", new Float32Array(count * channels * CELL_COUNT), [count, channels, ...hoisted!.dims.slice(2)]);
      const planes = { hoisted: hoisted!, h1: zeros(c1), c1: zeros(c1), h2: zeros(c2), c2: zeros(c2) };
      const decoding = new OnnxDecoding(sessions, count, floatsOf(vertex!), planes);
      return mask === undefined ? decoding : Object.assign(decoding, { maskLogits: floatsOf(mask) });
    },
    async dispose() {
      for (const session of [encoder, ...Object.values(sessions) as InferenceSession[]]) await session.release();
    },
  };
}

/** @param left outputs that stay on the device where it can keep them */
function openSession(model: Uint8Array, options: OnnxEngineOptions, left: readonly string[]): Promise<InferenceSession> {
  const sessionOptions = onnxSessionOptions(options);
  if (!KEEPS_TENSORS[options.device]) return InferenceSession.create(model, sessionOptions);
  const preferredOutputLocation = Object.fromEntries(left.map((output) => [output, "gpu-buffer" as const]));
  return InferenceSession.create(model, { ...sessionOptions, preferredOutputLocation });
}

/** How every session of this program is opened; benchmarks compare under the same options. */
export function onnxSessionOptions({ device, threads }: OnnxEngineOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    graphOptimizationLevel: "all",
    // Warnings about nodes left on the CPU would land on the terminal; errors are thrown.
    logSeverityLevel: 3,
    // onnxruntime's threads spin while they wait for work. Decoding, cropping and JavaScript want those cores: with spinning, a run on a
    // busy machine took 1.5 times the processor time and twice as long.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
}

function onnxruntimeVersion(): string {
  const file = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
